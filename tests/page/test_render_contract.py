from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from hand_built import odd_network, plain, resnet10, summary_of
from report_types import report_types

import cnninspect
from cnninspect.commands.summary.rendering import SummaryView, table_of
from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.metrics.summary import Counts, Published, Uncounted, limit_level
from cnninspect.page.formats import (
    FORMATS,
    Format,
    Renderer,
    render,
    renderer_of,
    write_csv,
    write_json,
)
from cnninspect.records.reports import Report


@pytest.mark.parametrize("kind", report_types(), ids=lambda kind: kind.__name__)
def test_every_report_names_a_renderer_that_is_there(kind):
    assert isinstance(renderer_of(kind), Renderer)


def test_reports_derived_from_a_known_one_are_rendered_like_it():
    class OwnSummary(type(resnet10())):
        __slots__ = ()

    assert renderer_of(OwnSummary) is renderer_of(type(resnet10()))


def test_unknown_reports_are_refused():
    with pytest.raises(TypeError, match="no renderer for Report"):
        render(Report())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"format": "yaml"}, UnknownChoice, "--format 'yaml' is not known"),
        ({"columns": ("path", "marks")}, UnknownChoice, "--columns 'marks' is not known"),
        ({"sort": "colour"}, UnknownChoice, "--sort 'colour' is not known"),
        ({"level": -1}, BadOption, "--level -1 is not possible"),
        ({"top": 0}, BadOption, "--top 0 is not possible"),
        ({"fold": True, "sort": "macs"}, BadOption, "--fold with --sort or --top"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        render(resnet10(), **options)


def test_misspelt_column_is_answered_with_the_nearest():
    with pytest.raises(UnknownChoice) as caught:
        render(resnet10(), columns=("parameter",))
    assert "parameters" in caught.value.hint


def test_json_is_the_report_with_the_layers_chosen():
    report = resnet10()
    assert json.loads(render(report, format="json")) == report.to_dict()
    limited = json.loads(render(report, format="json", level=1))
    assert limited == limit_level(report, 1).to_dict()
    topped = json.loads(render(report, format="json", top=2))
    assert [layer["path"] for layer in topped["layers"]] == ["layer2.0.conv2", "layer2.0.conv1"]
    assert topped["totals"] == report.to_dict()["totals"]


def test_json_writes_what_is_no_number_as_text():
    written = write_json({"norms": [1.5, float("nan"), float("inf"), -float("inf")]})
    assert json.loads(written) == {"norms": [1.5, "NaN", "Infinity", "-Infinity"]}


def test_json_leaves_strings_that_look_like_lists_alone():
    data = {"a": "[\n 1,\n 2\n]", "b": [[1, 2], [-3.5e-9]], "c": []}
    assert json.loads(write_json(data)) == data


def test_csv_has_every_layer_with_exact_integers():
    report = resnet10()
    rows = list(csv.DictReader(io.StringIO(render(report, format="csv"))))
    assert [row["path"] for row in rows] == [layer.path for layer in report.layers]
    assert sum(int(row["own_macs"]) for row in rows) == report.totals.macs
    assert int(rows[0]["total_parameters"]) == report.totals.parameters
    assert rows[1]["output_shapes"] == "1x64x112x112"
    assert rows[1]["matrix_inner"] == "147"
    assert rows[2]["matrix_inner"] == ""


def test_csv_names_are_paths_of_the_json_form():
    report = resnet10()
    data = report.to_dict()["layers"][1]
    header = next(csv.reader(io.StringIO(render(report, format="csv"))))
    for name in header:
        group, _, key = name.partition("_")
        assert name in data or key in data[group]


def test_csv_follows_the_columns_chosen():
    text = render(resnet10(), format="csv", columns=("macs", "kernel", "macs_share"), level=1)
    assert text.splitlines()[:2] == ["path,own_macs,total_macs,kernel", ",0,2918748160,"]


def test_columns_may_be_text_as_after_the_option():
    as_text = render(resnet10(), columns="macs, kernel")
    assert as_text == render(resnet10(), columns=("macs", "kernel"))
    with pytest.raises(UnknownChoice, match="'kernl'"):
        render(resnet10(), columns="macs,kernl")


def test_csv_writes_several_shapes_and_truths():
    text = write_csv(("a", "b"), [(((1, 2), ()), True), (None, 0.5)])
    assert text == "a,b\n1x2 scalar,true\n,0.5\n"


def test_published_number_is_named_as_matching_or_not():
    text = render(odd_network())
    assert "matches torchvision's published 4.8 k" in text
    assert "differs from the published 9.9 MMACs (Table 2 of Doe 2020)" in text


def test_unknown_operations_are_named_with_their_layers():
    text = render(odd_network(), width=None)
    assert "aten.fft_rfft: 3 calls in encoder.mystery\n" in text
    assert "12 calls: 3 counted, 5 free, 4 unknown" in text
    assert "and 4 more" in text


def test_coverage_is_told_in_full():
    assert "71 calls: 11 counted, 60 free, 0 unknown" in render(resnet10())


@pytest.mark.parametrize(
    ("trainable", "said"),
    [(3_434_536, "all trainable"), (0, "none trainable"), (536, "536 trainable, 3,434,000 not")],
)
def test_trainable_share_of_the_parameters_is_said(trainable, said):
    report = resnet10()
    totals = replace(report.totals, trainable_parameters=trainable)
    assert f"· {said} ·" in render(replace(report, totals=totals), width=None)


def test_notebooks_show_the_html_form():
    report = resnet10()
    html = cnninspect.render(report, format="html")
    assert report._repr_html_() == html


def test_another_report_needs_one_module(monkeypatch):
    from cnninspect.page.formats import View
    from cnninspect.page.page import Fact, Facts, Page

    @dataclass(frozen=True, slots=True)
    class Weather(Report):
        rendering: ClassVar[str] = "weather"
        degrees: float

    class WeatherModule:
        RENDERER = Renderer(
            view=View,
            page=lambda report, view: Page("weather", "", (Facts((Fact("°C", "20"),)),)),
            rows=lambda report, view: (("degrees",), [(report.degrees,)]),
        )

    monkeypatch.setitem(__import__("sys").modules, "weather", WeatherModule)
    assert render(Weather(20.0)) == "weather\n\n°C  20\n"
    assert render(Weather(20.0), format="csv") == "degrees\n20.0\n"
    assert json.loads(render(Weather(20.0), format="json"))["degrees"] == 20


def test_another_format_is_one_row(monkeypatch):
    row = Format(lambda renderer, report, view: f"{renderer.page(report, view).title}!\n")
    monkeypatch.setitem(FORMATS, "title", row)
    assert render(resnet10(), format="title") == "resnet10!\n"


def cells_of(report, name: str, **options) -> dict[str, str]:
    """What the column of that name says of each layer."""
    table = table_of(report, SummaryView(**options))
    (position,) = (i for i, column in enumerate(table.columns) if column.name == name)
    return {row[0].full or row[0].text: row[position].text for row in table.rows}


@pytest.mark.parametrize("level", [1, 2])
def test_list_of_modules_is_not_called_idle_when_its_modules_ran(level):
    layers = (
        plain("", "Net", (1,), (1,)),
        plain("blocks", "ModuleList", (), (), calls=0),
        plain("blocks.0", "Linear", (1,), (1,)),
        plain("spare", "ModuleList", (), (), calls=0),
        plain("spare.0", "Linear", (1,), (1,), calls=0),
    )
    outputs = cells_of(summary_of(layers), "output", level=level)
    assert outputs["blocks"] == ""
    assert outputs["spare"] == "not called"


def test_counts_that_hold_an_unknown_operation_are_lower_bounds():
    own = Counts(macs=500, convention=500)
    layers = (
        plain("", "Net", (1,), (1,), own=own),
        plain("a", "Block", (1,), (1,), own=own),
        plain("a.b", "Linear", (1,), (1,), own=own),
    )
    report = replace(summary_of(layers), uncounted=(Uncounted("aten.odd", 1, ("a",)),))
    assert cells_of(report, "macs") == {
        "tiny": "≥ 1,500", "tiny (own)": "500", "a": "≥ 1,000", "a (own)": "≥ 500", "a.b": "500",
    }  # fmt: skip
    assert cells_of(report, "macs", sort="order") == {
        "tiny (own)": "500", "a": "≥ 500", "a.b": "500",
    }  # fmt: skip


def test_list_keeps_a_block_whose_only_work_is_unknown():
    layers = (
        plain("", "Net", (1,), (1,)),
        plain("a", "Block", (1,), (1,)),
        plain("a.b", "Linear", (1,), (1,)),
    )
    report = replace(summary_of(layers), uncounted=(Uncounted("aten.odd", 1, ("a",)),))
    assert cells_of(report, "macs", sort="order") == {"a": "?", "a.b": "—"}


def test_published_numbers_of_one_source_share_a_line():
    numbers = (
        Published("macs", 3.6, "3.6 GMACs", "torchvision", matches=True),
        Published("parameters", 7.0, "7 parameters", "torchvision", matches=True),
    )
    text = render(replace(resnet10(), published=numbers))
    assert "matches torchvision's published 3.6 GMACs and 7 parameters\n" in text


@pytest.mark.parametrize("name", ["a\n::error::b", "a\rb", "=1+1", "\u202ea", "::error::a"])
def test_names_in_the_header_of_csv_are_made_harmless_as_in_its_cells(name):
    header, row = csv.reader(io.StringIO(write_csv((name,), [(name,)])))
    assert header == row != [name]
