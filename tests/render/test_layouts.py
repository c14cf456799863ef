from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hand_built import resnet10, summary_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_reports import summaries
from rich.cells import cell_len

from cnninspect.records.summary import Counts
from cnninspect.render import render
from cnninspect.render.fitting import cut_end, cut_front, fit, flowed, wrapped
from cnninspect.render.layer_columns import COLUMNS
from cnninspect.render.layer_order import SORT_KEYS
from cnninspect.render.pages import Cell, Column, Kind, Table

columns = st.lists(st.sampled_from(list(COLUMNS)), unique=True, max_size=8).map(tuple)
views = st.one_of(
    st.fixed_dictionaries({"level": st.sampled_from([0, 1, 2, None]), "fold": st.booleans()}),
    st.fixed_dictionaries(
        {
            "sort": st.sampled_from([None, *SORT_KEYS]),
            "top": st.integers(1, 6),
            "level": st.sampled_from([0, 1, 2, None]),
        }
    ),
)


@given(summaries(), st.integers(44, 170), views, columns, st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_line_is_wider_than_the_terminal(summary, width, view, columns, human):
    text = render(summary, width=width, columns=columns, human=human, **view)
    assert max(cell_len(line) for line in text.splitlines()) <= width


@given(summaries(), views)
@settings(max_examples=50, deadline=None)
def test_colour_changes_nothing_but_colour(summary, view):
    coloured = render(summary, color=True, **view)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == render(summary, **view)


@pytest.mark.parametrize("width", range(40, 160, 7))
def test_numbers_are_whole_at_every_width(width):
    text = render(resnet10(), width=width)
    assert "2,918,748,160" in text.split("\n\n")[1]
    assert "…" not in "".join(line[-20:] for line in text.splitlines())


@pytest.mark.parametrize("width", [40, 60, 80])
def test_columns_without_room_are_named(width):
    text = render(resnet10(), width=width)
    assert f"no room at {width} columns for" in text.replace("\n", " ")


def test_no_column_is_missing_where_there_is_room():
    assert "no room" not in render(resnet10(), width=100)
    assert "no room" not in render(resnet10(), width=None, columns=tuple(COLUMNS))


def test_columns_asked_for_go_from_the_right():
    text = render(resnet10(), width=50, columns=("macs", "output", "type", "parameters"))
    header = text.splitlines()[2].split()
    assert header == ["layer", "MACs", "output"]


def test_branches_become_narrow_before_a_column_goes():
    columns = (Column("layer", Kind.PATH), Column("MACs", Kind.NUMBER, sacrifice=1))
    table = Table(columns, ((Cell("name", guide="│  │  │  ├─ "), Cell("1,000")),))

    def drawn(width):
        fitted = fit(table, width)
        return fitted.shown, fitted.is_compact, fitted.widths

    assert drawn(23) == ((0, 1), False, (16, 5))
    assert drawn(22) == ((0, 1), True, (12, 5))
    assert drawn(19) == ((0, 1), True, (12, 5))
    assert drawn(18) == ((0,), False, (16,))
    assert drawn(15) == ((0,), True, (12,))
    assert drawn(9) == ((0,), True, (9,))


@given(st.text(max_size=30), st.integers(1, 20))
def test_cut_text_fits_and_keeps_its_end(text, width):
    front, end = cut_front(text, width), cut_end(text, width)
    assert cell_len(front) <= width
    assert cell_len(end) <= width
    assert front == text or text.endswith(front.removeprefix("…"))


@given(st.text(st.sampled_from("ab c·層"), max_size=60), st.integers(2, 20))
def test_wrapped_text_fits_and_loses_no_word(text, width):
    for lines in (wrapped(text, width), flowed(text, width)):
        assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(wrapped(text, width)).split()) == "".join(text.split())


def test_shares_of_a_list_add_up_to_all():
    summary = resnet10()
    for level in (1, 2, None):
        rows = list_rows(render(summary, sort="macs", level=level, width=None))
        assert sum(int(row[-2].replace(",", "")) for row in rows) == summary.totals.macs


def list_rows(text: str) -> list[list[str]]:
    """The cells of the rows that have MACs."""
    body = text.split("\n\n")[1].splitlines()[2:]
    rows = [re.split(r"  +", line) for line in body]
    return [row for row in rows if re.fullmatch(r"<?[\d.]+", row[-1])]


def test_rest_of_a_topped_list_is_in_its_last_row():
    summary = resnet10()
    rows = list_rows(render(summary, top=3, width=None))
    assert [row[0] for row in rows] == [
        "layer2.0.conv2", "layer2.0.conv1", "conv1", "(24 others)",
    ]  # fmt: skip
    assert sum(int(row[-2].replace(",", "")) for row in rows) == summary.totals.macs


def test_a_model_without_layers_or_work_can_be_shown():
    empty = summary_of((replace(resnet10().layers[0], own=Counts(), path=""),))
    text = render(empty)
    assert "parameters   0" in text
    assert "MACs         0 · FLOPs 0" in text
