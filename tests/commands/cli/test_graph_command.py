"""`cnninspect graph`, as it is typed."""

from __future__ import annotations

import json
import sys

import jsonschema
import pytest

from cnninspect.metrics.dataflow import Graph
from cnninspect.records.reports import schema_of


@pytest.fixture(autouse=True)
def _in_a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "start"),
    [("n.svg", b"<svg"), ("n.png", b"\x89PNG"), ("n.pdf", b"%PDF"), ("n.html", b"<!DOCTYPE html>")],
)
def test_the_suffix_says_which_picture(cnninspect_, tmp_path, name, start):
    code, out, err = cnninspect_("graph", "lenet5", "-o", name)
    assert (code, out, err) == (0, "", f"wrote {name}\n")
    assert (tmp_path / name).read_bytes().startswith(start)
    assert cnninspect_("graph", "lenet5", "-o", name)[0] == 2
    assert cnninspect_("graph", "lenet5", "-o", name, "--force", "--quiet") == (0, "", "")


def test_json_follows_its_schema_and_names_both_ends(cnninspect_):
    code, out, err = cnninspect_("graph", "resnet20", "--layer", "layer1.0", "--format", "json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    jsonschema.validate(data, schema_of(Graph))
    paths = {node["path"] for node in data["nodes"]}
    assert {edge["from"] for edge in data["edges"]} | {
        edge["to"] for edge in data["edges"]
    } <= paths
    wanted = {"path", "type", "level", "parameters", "macs", "output_shapes"}
    assert all(wanted <= set(node) for node in data["nodes"])


@pytest.mark.parametrize("format_", ["table", "csv", "markdown", "html"])
def test_every_format_is_written(cnninspect_, format_):
    code, out, _ = cnninspect_("graph", "mlp", "--format", format_)
    assert code == 0
    assert "hidden" in out


def test_a_file_of_another_kind_holds_the_format_that_is_asked_for(cnninspect_, tmp_path):
    assert cnninspect_("graph", "mlp", "--format", "json", "-o", "n.json", "-q")[0] == 0
    assert json.loads((tmp_path / "n.json").read_text())["schema"] == "cnninspect.graph/1"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nosuchnet",), 2, "no model called 'nosuchnet'"),
        (("mlp", "--layer", "nosuch"), 2, "has no layer 'nosuch'"),
        (("mlp", "--level", "0"), 2, "--level 0 is not possible"),
        (("mlp", "--device-spec", "toaster"), 2, "toaster"),
        (("mlp", "-o", "nowhere/n.svg"), 1, "its folder does not exist"),
        (("mlp", "--input", "3x3"), 1, "it got 1×9 and wants …×256"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_wrong_is_said(cnninspect_, words, code, said):
    found, out, err = cnninspect_("graph", *words)
    assert found == code
    assert out == ""
    assert said in err


def test_a_picture_that_needs_matplotlib_says_what_to_install(cnninspect_, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = cnninspect_("graph", "mlp", "-o", "n.png")
    assert code == 2
    assert "pip install 'cnninspect[plot]'" in err
    assert cnninspect_("graph", "mlp", "-o", "n.svg", "-q")[0] == 0  # needs nothing


def test_strict_says_no_where_something_is_unknown(cnninspect_, tmp_path):
    (tmp_path / "odd.py").write_text(
        "import torch\nclass Odd(torch.nn.Module):\n"
        "    def forward(self, x):\n        return torch.linalg.eigvals(x).real\n"
    )
    words = ("graph", "odd.py:Odd", "--input", "3x3", "--strict", "-o", "n.svg")
    assert cnninspect_(*words)[0] == 3
    assert "not known" in (tmp_path / "n.svg").read_text()


def test_fields_and_least_times_are_written_where_asked(cnninspect_, tmp_path):
    words = ("--receptive-field", "--device-spec", "a100", "--human", "-o", "n.svg", "-q")
    assert cnninspect_("graph", "lenet5", *words)[0] == 0
    picture = (tmp_path / "n.svg").read_text()
    assert "receptive field" in picture
    assert "least time" in picture
