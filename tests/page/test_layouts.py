from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hand_built import plain, resnet10, summary_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_reports import summaries
from rich.cells import cell_len

from cnninspect.commands.summary.rendering import SummaryView, table_of
from cnninspect.metrics.summary import Counts
from cnninspect.page import terminal as fitting
from cnninspect.page.formats import render
from cnninspect.page.layer_columns import COLUMNS
from cnninspect.page.layer_tree import SORT_KEYS
from cnninspect.page.page import Cell, Column, Kind, Table
from cnninspect.page.quantities import ZERO
from cnninspect.page.terminal import cut_end, cut_front, fit, flowed, wrapped

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
    table = table_of(resnet10(), SummaryView(columns=("macs", "output", "type", "parameters")))
    shown = [table.columns[i].name for i in fit(table, 50).shown]
    assert shown == ["path", "macs", "output"]


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


def column_of(table: Table, name: str) -> list[str]:
    (position,) = (i for i, column in enumerate(table.columns) if column.name == name)
    return [row[position].text for row in table.rows]


def added_up(texts: list[str]) -> int:
    return sum(int(text.replace(",", "")) for text in texts if text != ZERO)


@pytest.mark.parametrize("level", [1, 2, 3, None])
@pytest.mark.parametrize("top", [None, 1, 4])
def test_shares_of_a_list_add_up_to_all(level, top):
    report = resnet10()
    table = table_of(report, SummaryView(sort="macs", level=level, top=top))
    assert added_up(column_of(table, "macs")) == report.totals.macs
    assert added_up(column_of(table, "parameters")) == report.totals.parameters


@given(summaries(), st.sampled_from([0, 1, 2, None]), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_lists_of_any_network_add_up(summary, level, top):
    view = SummaryView(top=top, level=level, columns=("parameters", "activation_bytes"))
    table = table_of(replace(summary, uncounted=()), view)
    assert added_up(column_of(table, "parameters")) == summary.totals.parameters
    assert added_up(column_of(table, "activation_bytes")) == summary.totals.activation_bytes


def test_rest_of_a_topped_list_is_in_its_last_row():
    table = table_of(resnet10(), SummaryView(top=3))
    assert column_of(table, "path") == [
        "layer2.0.conv2", "layer2.0.conv1", "conv1", "(24 others)",
    ]  # fmt: skip


@pytest.mark.parametrize("sort", SORT_KEYS)
def test_every_order_holds_every_layer_once(sort):
    in_order = table_of(resnet10(), SummaryView(sort="order", level=None))
    table = table_of(resnet10(), SummaryView(sort=sort, level=None))
    assert sorted(column_of(table, "path")) == sorted(column_of(in_order, "path"))


def test_paths_are_sorted_by_number():
    layers = [plain(path, "ReLU", (1,), (1,)) for path in ("", "b.10", "b.9", "a", "b.9.x")]
    table = table_of(summary_of(layers), SummaryView(sort="path", level=None))
    assert column_of(table, "path") == ["a", "b.9.x", "b.10"]


def test_sorting_by_a_column_shows_it():
    for sort in ("activations", "macs"):
        table = table_of(resnet10(), SummaryView(sort=sort))
        assert [column.name for column in table.columns].count(sort) == 1


def test_a_model_without_layers_or_work_can_be_shown():
    empty = summary_of((replace(resnet10().layers[0], own=Counts(), path=""),))
    text = render(empty)
    assert "parameters   0" in text
    assert "MACs         0 · FLOPs 0" in text


def test_a_long_word_is_cut_in_time_that_grows_with_its_length_alone(monkeypatch):
    measured = []

    def counting(text):
        measured.append(len(text))
        return cell_len(text)

    monkeypatch.setattr(fitting, "cell_len", counting)
    for length in (10_000, 40_000):
        measured.clear()
        lines = wrapped("a" * length + " b", 40)
        assert "".join(lines).count("a") == length
        assert sum(measured) < 8 * length


@given(st.text(alphabet="ab漢é\u0301👍🏽 ", max_size=120), st.integers(2, 30))
def test_a_word_that_is_cut_keeps_all_its_signs(text, width):
    lines = wrapped(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= width for line in lines)
