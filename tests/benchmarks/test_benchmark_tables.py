"""The parts of the benchmark that need no measuring."""

import pytest
from machine import describe
from run import DOCS, PAGES, PARTS
from tables import insert, table


def test_a_table_is_markdown_with_numbers_to_the_right():
    assert (
        table(["", "a", "b"], [["x", "1", "2"]])
        == "|  | a | b |\n| :-- | --: | --: |\n| x | 1 | 2 |"
    )


def test_a_part_takes_the_place_of_what_stood_between_its_markers():
    page = "A\n<!-- p: written by the benchmark -->\nold\n<!-- end of p -->\nB"
    once = insert(page, "p", "new \\1")
    assert once == "A\n<!-- p: written by the benchmark -->\n\nnew \\1\n\n<!-- end of p -->\nB"
    assert insert(once, "p", "new \\1") == once


def test_a_page_without_a_place_for_the_part_is_refused():
    with pytest.raises(ValueError, match="no place for p"):
        insert("A", "p", "new")


@pytest.mark.parametrize("part", PARTS)
def test_the_page_has_a_place_for_every_part(part):
    page = DOCS / PAGES.get(part, "benchmark.md")
    assert "kept" in insert(page.read_text(), part, "kept")


def test_the_machine_is_described_without_its_name():
    import platform

    assert "Python 3." in describe()
    assert platform.node() not in describe()
