"""What `cnninspect lint` prints, and what it exits with."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from importlib.metadata import EntryPoint
from pathlib import Path

import jsonschema
import onnx
import pytest
from onnx import TensorProto, helper
from rich.cells import cell_len
from torch import nn

import cnninspect
from cnninspect.commands.application import run
from cnninspect.commands.lint import registry
from cnninspect.commands.lint.report import LintReport, RuleExplanation
from cnninspect.errors import BadBudget, NothingToCheck, UnknownChoice, UnknownKey
from cnninspect.records.reports import schema_of

SARIF = Path(__file__).parents[2] / "data" / "sarif-2.1.0-rtm.5.json"
"""The official schema, as @microsoft/jest-sarif 1.0.0-beta.0 has it (MIT), without line breaks."""
CODE = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1, 2), nn.Flatten())
"""


@pytest.fixture(autouse=True)
def _in_a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(CODE)


@pytest.fixture
def typed(capsys):
    """Types arguments after `cnninspect lint`; returns exit code, output and errors."""

    def type_(*arguments):
        with pytest.raises(SystemExit) as done:
            run(["lint", *arguments])
        printed = capsys.readouterr()
        return int(done.value.code or 0), printed.out, printed.err

    return type_


@pytest.fixture(scope="module")
def vgg():
    return cnninspect.lint("vgg16")


def test_json_has_the_fields_of_the_contract_and_follows_its_schema(typed):
    code, out, err = typed("net.py:Net", "-i", "3x16x16", "--format", "json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    jsonschema.validate(report, schema_of(LintReport))
    fields = {"rule", "name", "severity", "layers", "message", "saving"}
    assert all(fields <= set(finding) for finding in report["findings"])
    by_rule = {finding["rule"]: finding for finding in report["findings"]}
    assert by_rule["W001"]["layers"] == ["0"]
    assert by_rule["W001"]["saving"] == {"parameters": 8, "macs": 0, "bytes": 32, "seconds": 0.0}
    assert {"W001", "S001"} <= set(by_rule)


def test_rules_are_explained_and_follow_their_schema(typed):
    code, out, _ = typed("--explain", "heavy-head")
    assert code == 0
    for part in ("W010", "arXiv:1312.4400", "nn.Flatten()", "why", "mend"):
        assert part in out
    report = json.loads(typed("--explain", "all", "--format", "json")[1])
    jsonschema.validate(report, schema_of(RuleExplanation))
    assert len(report["rules"]) == len(registry.all_rules())
    assert {rule["group"] for rule in report["rules"]} == set(registry.GROUPS.values())
    assert typed("--explain", "heavy-haed")[0] == 2


@pytest.mark.parametrize("width", [48, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(width, vgg):
    lines = cnninspect.render(vgg, width=width).splitlines()
    assert max(cell_len(line) for line in lines) <= width


def test_a_page_says_what_to_do_and_what_it_saves(vgg):
    page = cnninspect.render(vgg, width=200)
    assert "heavy-head: The fully connected layers" in page
    assert "Mend: nn.AdaptiveAvgPool2d(1) before the flattening" in page
    assert "Saves: 100,663,296 parameters, 403 MB, 100,663,296 MACs." in page
    assert "2 warnings, 3 remarks" in page
    assert "| W010 |" in cnninspect.render(vgg, format="markdown")
    assert cnninspect.render(vgg, format="csv").count("\n") == 6


def test_sarif_follows_the_official_schema(typed):
    _, out, _ = typed("net.py:Net", "lenet5", "nothing.onnx", "-i", "3x16x16", "-f", "sarif")
    log = json.loads(out)
    schema = json.loads(SARIF.read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(log)
    run_ = log["runs"][0]
    result = next(r for r in run_["results"] if r["ruleId"] == "W001")
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "net.py"}, "region": {"startLine": 5}}
    rule = run_["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert (rule["id"], rule["name"]) == ("W001", "bias-before-norm")
    assert {r["ruleId"] for r in run_["results"]} >= {"W001", "S001", "unmeasured"}


def test_junit_has_a_case_for_each_rule(typed):
    _, out, _ = typed("net.py:Net", "-i", "3x16x16", "-f", "junit")
    suites = ET.fromstring(out)
    assert len(suites.findall(".//testcase")) == len(registry.chosen_rules())
    failed = [
        case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None
    ]
    assert failed == ["W001", "S001"]


def test_github_gets_a_line_for_each_finding(typed):
    _, out, _ = typed("net.py:Net", "-i", "3x16x16", "-f", "github", "--select", "W001,S001")
    first, second = out.splitlines()
    assert first.startswith("::warning file=net.py,line=5,title=cnninspect lint::net.py:Net: W001")
    assert second.startswith("::warning file=net.py,line=5,title=cnninspect lint::net.py:Net: S001")


def test_nothing_found_is_said(typed):
    code, out, _ = typed("resnet18", "--fail-on", "warning")
    assert code == 0
    assert "nothing found by" in out
    assert typed("resnet18", "-f", "github")[1].startswith("::notice")


# --- choices and exit codes ---


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 0),
        (("--fail-on", "warning"), 3),
        (("--fail-on", "error"), 0),
        (("--fail-on", "warning", "--ignore", "W001,S001"), 0),
        (("--fail-on", "warning", "--select", "waste"), 3),
        (("--fail-on", "warning", "--select", "D"), 0),
        (("--select", "W999"), 2),
        (("--ignore", "all"), 2),
        (("--device-spec", "abacus"), 2),
        (("--explain", "W001"), 2),
    ],
)
def test_the_exit_code_is_what_was_asked_for(typed, arguments, code):
    assert typed("net.py:Net", "-i", "3x16x16", *arguments)[0] == code


def test_a_model_that_fails_is_an_error_and_one_of_several_a_line(typed):
    assert typed("nothing.onnx")[0] == 2
    code, out, _ = typed("mlp", "nothing.onnx")
    assert code == 1
    assert "nothing.onnx" in out


def test_rules_are_chosen_in_every_way():
    ids = {rule.id for rule in registry.chosen_rules(["W"])}
    assert ids == {rule.id for rule in registry.chosen_rules(["waste"])}
    assert [rule.id for rule in registry.chosen_rules(["bias-*"])] == ["W001"]
    assert [rule.id for rule in registry.chosen_rules(["w001"])] == ["W001"]
    assert len(registry.chosen_rules(["all"])) == len(registry.chosen_rules())
    assert not registry.chosen_rules(["W"], ["waste"])
    with pytest.raises(UnknownChoice, match="bias-befor-norm"):
        registry.chosen_rules(["bias-befor-norm"])


def test_a_budget_file_says_what_is_asked(typed):
    Path("budget.toml").write_text(
        'max_params = "1G"\n[lint]\nselect = ["W", "S001"]\nignore = "S001"\nfail_on = "warning"\n'
        '[models."net.py:Net"]\n[models.mlp]\n'
    )
    code, out, _ = typed("--budget", "budget.toml", "-f", "json", "-i", "3x16x16")
    report = json.loads(out)
    assert code == 1  # the other model does not take such inputs
    assert {rule[0] for rule in report["rules"]} == {"W"}
    assert report["budget_line"] == 2
    assert typed("net.py:Net", "--budget", "budget.toml", "-i", "3x16x16")[0] == 3
    with pytest.raises(SystemExit) as done:
        run(["check", "mlp", "--budget", "budget.toml", "-q"])
    assert done.value.code == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[lint]\nselekt = 'W'\n", UnknownKey),
        ("[lint]\nfail_on = 'often'\n", BadBudget),
        ("[lint]\npreview = 'yes'\n", BadBudget),
        ("lint = 3\n", BadBudget),
        ("[lint]\nselect = [3]\n", BadBudget),
        ("[lint]\nselect = 'W'\n", NothingToCheck),
        ("[lint]\nselect = 'W999'\n[models.mlp]\n", UnknownChoice),
    ],
)
def test_a_budget_file_that_cannot_be_used_says_where(text, error):
    Path("budget.toml").write_text(text)
    with pytest.raises(error):
        cnninspect.lint(budget="budget.toml")


def test_no_model_is_nothing_to_check():
    with pytest.raises(NothingToCheck):
        cnninspect.lint()


# --- ONNX, and rules of others ---


def small_onnx(path):
    """A file with a convolution with a bias, then normalisation, a doubled ReLU and a pooling."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, (4, 3, 3, 3), [0.1] * 108)
    vectors = [helper.make_tensor(n, TensorProto.FLOAT, (4,), [1.0] * 4) for n in "bsom"]
    var = helper.make_tensor("v", TensorProto.FLOAT, (4,), [1.0] * 4)
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("BatchNormalization", ["c", "s", "o", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Relu", ["r"], ["q"]),
        helper.make_node("MaxPool", ["q"], ["y"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 13, 13))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4, 6, 6))
    graph = helper.make_graph(nodes, "small", [x], [y], [weight, *vectors, var])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


def test_onnx_files_are_read_by_the_same_rules():
    small_onnx("small.onnx")
    found = {f.rule: f for f in cnninspect.lint("small.onnx").findings}
    assert set(found) == {"W001", "W008", "S002"}
    assert found["W001"].saving.parameters == 4
    assert "the last row and the last column of a map of 13×13" in found["S002"].message


def test_what_was_folded_in_a_file_is_not_missed():
    nodes = [helper.make_node("Conv", [f"x{i}", "w"], [f"x{i + 1}"], f"c{i}") for i in range(12)]
    weight = helper.make_tensor("w", TensorProto.FLOAT, (1, 1, 1, 1), [0.5])
    x = helper.make_tensor_value_info("x0", TensorProto.FLOAT, (1, 1, 4, 4))
    y = helper.make_tensor_value_info("x12", TensorProto.FLOAT, (1, 1, 4, 4))
    graph = helper.make_graph(nodes, "folded", [x], [y], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "folded.onnx")
    assert "T005" not in {f.rule for f in cnninspect.lint("folded.onnx").findings}
    layers = [nn.Conv2d(1, 1, 1, bias=False) for _ in range(12)]
    found = cnninspect.lint(nn.Sequential(*layers), (1, 1, 4, 4)).findings
    assert "T005" in {f.rule for f in found}


def test_another_package_adds_a_rule(tmp_path, monkeypatch):
    (tmp_path / "house_rules.py").write_text(
        "from cnninspect.commands.lint.registry import Found, rule\n\n"
        '@rule("HOUSE001", severity="error", group="house")\n'
        "def no_linear(net):\n"
        '    """Our networks have no linear layers.\n\n'
        "    Why: We say so.\n\n    Source: us.\n\n    Mend: a convolution.\n"
        '    """\n'
        "    for call in net.of_kind('linear'):\n"
        "        yield Found((net.layer(call),), f'{net.layer(call)} is linear.')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("house", "house_rules:no_linear", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    registry.all_rules.cache_clear()
    try:
        report = cnninspect.lint(nn.Linear(3, 3), (1, 3), select=["house"])
        assert [f.rule for f in report.findings] == ["HOUSE001"]
        assert report.findings[0].mend == "a convolution."
        assert registry.rules_called("no-linear")[0].card().why == "We say so."
    finally:
        registry.all_rules.cache_clear()


@pytest.mark.parametrize("bad", ["1", "w001", "W1"])
def test_an_id_is_letters_and_three_digits(bad):
    with pytest.raises(ValueError, match="no id"):
        registry.rule(bad)
