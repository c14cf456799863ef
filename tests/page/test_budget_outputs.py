"""Whole outputs about budgets, compared with files that somebody has read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import jsonschema
import pytest
from hand_built_budgets import (
    broken_budget,
    changed_network,
    found_models,
    odd_weights,
    quadratic_law,
    small_grid,
    three_models,
)
from rich.cells import cell_len

import cnninspect
from cnninspect.commands.check.ci_formats import rule_of
from cnninspect.commands.scale.report import LayerShare, Rational, Term
from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.page.formats import render
from cnninspect.records.reports import schema_of

CASES = {
    "compare_at_80.txt": (three_models, {"width": 80}),
    "compare_at_120.txt": (three_models, {"width": 120}),
    "compare_at_160.txt": (three_models, {"width": 160}),
    "compare_in_colour.txt": (three_models, {"width": 100, "color": True, "sort": "macs"}),
    "compare_by_stage.txt": (three_models, {"width": 80, "by": "stage"}),
    "compare.md": (three_models, {"format": "markdown"}),
    "compare.csv": (three_models, {"format": "csv"}),
    "compare_columns.csv": (three_models, {"format": "csv", "columns": ("macs", "fits")}),
    "compare_by_stage.csv": (three_models, {"format": "csv", "by": "stage"}),
    "find_at_100.txt": (found_models, {"width": 100}),
    "find_frontier.txt": (found_models, {"width": 100, "frontier_only": True, "human": True}),
    "find.csv": (found_models, {"format": "csv", "columns": ("parameters", "macs")}),
    "check_at_80.txt": (broken_budget, {"width": 80}),
    "check_at_120.txt": (broken_budget, {"width": 120}),
    "check.md": (broken_budget, {"format": "markdown"}),
    "check.csv": (broken_budget, {"format": "csv"}),
    "check.xml": (broken_budget, {"format": "junit"}),
    "check.sarif": (broken_budget, {"format": "sarif"}),
    "check_github.txt": (broken_budget, {"format": "github"}),
    "diff_at_80.txt": (changed_network, {"width": 80}),
    "diff_in_colour.txt": (changed_network, {"width": 100, "color": True, "every": True}),
    "diff.md": (changed_network, {"format": "markdown"}),
    "diff.csv": (changed_network, {"format": "csv"}),
    "weights_at_80.txt": (odd_weights, {"width": 80}),
    "weights.csv": (odd_weights, {"format": "csv"}),
    "scale_at_80.txt": (quadratic_law, {"width": 80}),
    "scale.csv": (quadratic_law, {"format": "csv"}),
    "grid_at_80.txt": (small_grid, {"width": 80}),
}
REPORTS = (
    three_models, found_models, broken_budget, changed_network, odd_weights, quadratic_law,
    small_grid,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _fixed_version(monkeypatch):
    monkeypatch.setattr("cnninspect.page.ci_formats.installed_version", lambda package: "1.2.3")


@pytest.mark.parametrize("name", CASES)
def test_output_is_the_one_on_file(name, check_golden, fixed_versions):
    make, options = CASES[name]
    check_golden(render(make(), **options), name)


@pytest.mark.parametrize("make", REPORTS)
def test_json_follows_its_schema(make):
    report = make()
    jsonschema.validate(json.loads(render(report, format="json")), schema_of(type(report)))


@pytest.mark.parametrize("make", REPORTS)
@pytest.mark.parametrize("width", [48, 60, 80, 100, 130, 160])
def test_no_line_is_wider_than_the_terminal(make, width):
    lines = render(make(), width=width).splitlines()
    numbers_only = 64  # what cannot be cut: numbers, and signs of a formula
    assert max(cell_len(line) for line in lines) <= max(width, numbers_only)


@pytest.mark.parametrize("make", REPORTS)
def test_notebooks_show_every_report(make):
    report = make()
    html = cnninspect.render(report, format="html")
    assert report._repr_html_() == html


def test_junit_is_xml_with_a_case_for_each_limit():
    report = broken_budget()
    tree = ET.fromstring(render(report, format="junit"))
    assert len(tree.findall(".//testcase")) == len(report.limits) + len(report.failed)
    assert len(tree.findall(".//failure")) == int(tree.get("failures")) == 4
    assert len(tree.findall(".//error")) == int(tree.get("errors")) == 1
    assert {suite.get("name") for suite in tree} == {"net.py:make", "other.py:make"}


def test_every_limit_of_a_model_has_a_name_of_its_own():
    report = broken_budget()
    growth = next(x for x in report.limits if x.name == "max_growth")
    others = [replace(growth, subject=f"{what}, growth") for what in ("MACs", "parameters")]
    forbidden = next(x for x in report.limits if x.name == "forbid")
    kinds = [replace(forbidden, subject=f"layers of type {what}") for what in ("Tanh", "R*")]
    limits = [replace(x, model="resnet34") for x in (*others, *kinds)]
    names = [rule_of(limit) for limit in limits]
    assert names == ["max_growth:MACs", "max_growth:parameters", "forbid:Tanh", "forbid:R*"]


def test_ratios_are_explained_where_there_are_some():
    explained = "× is the ratio to"
    assert explained in render(three_models())
    assert explained in render(three_models(), columns=("macs", "macs_ratio"))
    assert explained not in render(three_models(), columns=("macs",))
    assert explained not in render(three_models(), by="stage")


def test_one_model_fits():
    found = found_models()
    assert "1 model fits" in render(replace(found, models=found.models[:1]))


def test_sarif_has_a_result_for_each_broken_limit_with_its_line():
    run = json.loads(render(broken_budget(), format="sarif"))["runs"][0]
    assert [result["ruleId"] for result in run["results"]] == [
        "max_macs", "max_params:layer4.*", "forbid:Drop*", "min_coverage", "unmeasured",
    ]  # fmt: skip
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    places = [r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in run["results"]]
    assert places == [4, 9, 6, 1, 1]


def test_sarif_without_a_file_names_the_model():
    run = json.loads(render(replace(broken_budget(), budget=None), format="sarif"))["runs"][0]
    (place,) = run["results"][0]["locations"]
    assert place == {"logicalLocations": [{"fullyQualifiedName": "net.py:make", "kind": "module"}]}


def test_annotations_stay_on_their_line():
    lines = render(broken_budget(), format="github").splitlines()
    assert len(lines) == 5
    assert all(line.startswith("::error file=budget.toml,line=") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_signs_that_end_a_property_of_an_annotation_are_escaped():
    text = render(replace(broken_budget(), budget="a,line=1:b%c.toml"), format="github")
    for line in text.splitlines():
        assert line.startswith("::error file=a%2Cline=1%3Ab%25c.toml,line=")


def test_annotations_of_a_kept_budget_say_so():
    report = replace(broken_budget(), limits=broken_budget().limits[:1], failed=(), ok=True)
    assert render(report, format="github").startswith("::notice file=budget.toml")


def test_only_checks_have_formats_for_continuous_integration():
    with pytest.raises(UnknownChoice, match="junit"):
        render(three_models(), format="junit")


@pytest.mark.parametrize(
    ("make", "options", "error"),
    [
        (three_models, {"columns": ("mac",)}, UnknownChoice),
        (three_models, {"sort": "beauty"}, UnknownChoice),
        (three_models, {"top": 0}, BadOption),
        (three_models, {"by": "stage", "columns": ("macs",)}, BadOption),
        (three_models, {"by": "family"}, UnknownChoice),
        (odd_weights, {"top": 0}, BadOption),
        (small_grid, {"top": 0}, BadOption),
    ],
)
def test_bad_options_are_refused(make, options, error):
    with pytest.raises(error):
        render(make(), **options)


def test_sorting_and_top_choose_models():
    data = json.loads(render(three_models(), format="json", sort="macs", top=2))
    assert [model["model"]["name"] for model in data["models"]] == ["vgg16", "torchvision:swin_v9"]
    by_name = json.loads(render(three_models(), format="json", sort="model"))
    assert by_name["models"][0]["model"]["name"] == "resnet18"


def test_a_term_that_layers_add_to_and_take_from_names_amounts():
    law = quadratic_law()
    shares = (LayerShare("conv1", Rational(9, 1)), LayerShare("layer1", Rational(-4, 1)))
    macs = replace(law.laws[0], terms=(Term(1, Rational(5, 1), shares),))
    text = render(replace(law, laws=(macs, *law.laws[1:])))
    assert "conv1 +9, layer1 -4" in text
    assert "fc 100.0%" in render(law)  # all of it takes away


def test_a_term_that_takes_away_has_a_negative_share():
    law = quadratic_law()
    minus = Term(0, Rational(-21_000_000, 1), (LayerShare("fc", Rational(-21_000_000, 1)),))
    macs = replace(law.laws[0], terms=(minus,))
    row = next(
        line
        for line in render(replace(law, laws=(macs, *law.laws[1:]))).splitlines()
        if line.endswith("fc 100.0%")
    )
    assert row.split() == ["-21,000,000", "-21,000,000", "-5.4", "fc", "100.0%"]


@pytest.mark.parametrize(
    ("points", "why"),
    [
        (1, "a law takes 3 sizes or more, two of them to confirm it"),
        (2, "a law takes 3 sizes or more, two of them to confirm it"),
        (3, "no polynomial goes through all 3 points with two to spare"),
    ],
)
def test_why_there_is_no_law(points, why):
    law = quadratic_law()
    no_law = replace(law.laws[0], terms=(), fitted_on=(), checked_on=())
    report = replace(law, points=law.points[:points], laws=(no_law, *law.laws[1:]))
    assert why in render(report).splitlines()
