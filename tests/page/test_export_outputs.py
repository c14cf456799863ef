"""Whole outputs of exports, compared with files that somebody has read."""

from __future__ import annotations

import jsonschema
import pytest
from hand_built_export import large_file, resnet_file, wrong_file
from rich.cells import cell_len

from cnninspect.commands.export.report import ExportReport
from cnninspect.page.formats import render
from cnninspect.records.reports import schema_of

CASES = {
    "export_at_80.txt": (resnet_file, {"width": 80}),
    "export_at_100.txt": (resnet_file, {"width": 100}),
    "export_at_160_human.txt": (resnet_file, {"width": 160, "human": True}),
    "export_wrong_at_100.txt": (wrong_file, {"width": 100}),
    "export_wrong_in_colour.txt": (wrong_file, {"width": 80, "color": True}),
    "export_large_at_80.txt": (large_file, {"width": 80}),
    "export.md": (wrong_file, {"format": "markdown"}),
    "export.csv": (wrong_file, {"format": "csv"}),
    "export.json": (resnet_file, {"format": "json"}),
}


@pytest.mark.parametrize("name", CASES)
def test_an_export_is_written_as_on_file(name, check_golden, fixed_versions):
    report, options = CASES[name]
    check_golden(render(report(), **options), name)


@pytest.mark.parametrize("report", [resnet_file, wrong_file, large_file])
@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_of_an_export_is_too_wide(report, width):
    text = render(report(), width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("report", [resnet_file, wrong_file, large_file])
def test_an_export_follows_its_schema(report):
    jsonschema.validate(report().to_dict(), schema_of(ExportReport))


def test_a_report_is_right_only_if_nothing_differs():
    assert resnet_file().is_right
    assert not wrong_file().is_right
