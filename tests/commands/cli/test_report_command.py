"""`cnninspect report`, as it is typed."""

from __future__ import annotations

import html
import json
import re
import sys
from importlib import util

import jsonschema
import pytest
from torch import nn

import cnninspect
from cnninspect.commands.report.report import Overview
from cnninspect.commands.report.webpage import plotly_script
from cnninspect.records.reports import schema_of


@pytest.fixture(autouse=True)
def _in_a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_one_file_holds_all_of_it(cnninspect_, tmp_path):
    assert cnninspect_("report", "resnet20", "-o", "r.html") == (0, "", "wrote r.html\n")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    own = text.replace(plotly_script(), "")
    assert not re.findall(r"(?:src|href)=[\"'](?!#)", own)
    assert "url(" not in own.replace("url(#head-", "")
    assert "default-src 'none'" in own.replace("&#x27;", "'")
    for shown in ("layer2.0.conv1", "40,551,040", "269,722", " = 640"):
        assert shown in own
    assert len(own) < 200_000
    assert cnninspect_("report", "resnet20", "-o", "r.html")[0] == 2


def test_a_deep_network_stays_small():
    made = cnninspect.report("resnet152")
    own = cnninspect.render(made, format="html").replace(plotly_script(), "")
    assert len(own.encode()) < 600_000
    assert len(made.models[0].graphs) < 15


def test_several_models_stand_side_by_side():
    made = cnninspect.report(["lenet5", "mlp"])
    assert made.comparison.baseline == "lenet5"
    own = cnninspect.render(made, format="html").replace(plotly_script(), "")
    assert own.count('class="pair"') == 3
    assert "2.12" not in own
    assert "Side by side" in own


def test_what_is_asked_for_is_that_of_the_commands():
    made = cnninspect.report("mlp", parts=["memory", "gradients", "scale"])
    (portrait,) = made.models
    assert portrait.memory == cnninspect.memory("mlp")
    assert made.gradients == cnninspect.gradients(["mlp"])
    assert portrait.scaling == cnninspect.scale("mlp")
    jsonschema.validate(json.loads(cnninspect.render(made, format="json")), schema_of(Overview))


def test_what_a_model_cannot_answer_is_noted():
    made = cnninspect.report(nn.ReLU(), inputs=[(1, 4)], parts=["memory", "gradients"])
    assert made.models[0].memory is None
    assert made.models[0].notes[0].startswith("memory: ")
    assert made.notes[0].startswith("gradients: ")
    page = cnninspect.render(made, format="html")
    assert page.count("Not measured.") == 2
    assert "memory: " in page


def test_all_is_every_part():
    assert cnninspect.report("mlp", parts=["roofline"]).parts == ("roofline",)
    assert cnninspect.report("mlp", parts=["all"]).parts == (
        "gradients", "memory", "roofline", "scale"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nosuchnet", "-o", "r.html"), 2, "no model called 'nosuchnet'"),
        (("mlp", "-o", "r.html", "--with", "taste"), 2, "--with 'taste' is not known"),
        (("mlp", "-o", "nowhere/r.html"), 1, "its folder does not exist"),
        (("mlp",), 2, "--output"),
        (("mlp", "-o", "r.html", "--device-spec", "toaster"), 2, "toaster"),
        (("mlp", "-o", "r.html", "--input", "3x3"), 1, "it got 1×9 and wants …×256"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_wrong_is_said_and_nothing_is_written(cnninspect_, tmp_path, words, code, said):
    found, out, err = cnninspect_("report", *words)
    assert (found, out) == (code, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_without_plotly_it_says_what_to_install(cnninspect_, monkeypatch):
    find = util.find_spec
    monkeypatch.setattr(
        "cnninspect.commands.report.webpage.find_spec",
        lambda name: None if name == "plotly" else find(name),
    )
    code, _, err = cnninspect_("report", "mlp", "-o", "r.html")
    assert code == 2
    assert "pip install 'cnninspect[report]'" in err


def test_plotly_itself_is_not_imported(cnninspect_):
    assert cnninspect_("report", "mlp", "-o", "r.html", "-q") == (0, "", "")
    assert "plotly" not in sys.modules


ODD = ("a\u202eb", "##[error]c", "d\\u202eb", "</script>", "\u2028e")
"""Names of layers; the first and the third look alike once the first is made visible."""


def test_hidden_signs_and_commands_of_logs_are_spelt_everywhere():
    net = nn.Sequential()
    for name in ODD:
        net.add_module(name, nn.Linear(2, 2))
    text = cnninspect.render(cnninspect.report(net, inputs=(1, 2)), format="html")
    own = text.replace(plotly_script(), "")
    assert not re.search("[\u202e\u2028]|##\\[", own)
    data = re.search(r'id="charts">(.*?)</script>', own, re.DOTALL)[1]
    ids = json.loads(data)["icicle-0"]["ids"]
    assert len(set(ids)) == len(ids) == 1 + len(ODD)
    linked = [html.unescape(found) for found in re.findall(r'data-module="([^"]*)"', own)]
    assert sorted(linked) == sorted(ids)
