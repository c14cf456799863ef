"""`cnninspect audit`, as it is typed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import jsonschema
import pytest

import cnninspect
from cnninspect.commands.audit.report import Audit
from cnninspect.errors import UnknownChoice
from cnninspect.records.reports import schema_of


def test_by_rules_alone_everything_is_explained(cnninspect_: Callable) -> None:
    code, out, err = cnninspect_("audit", "lenet5_modern", "--no-run", "--strict")
    assert (code, err) == (0, "")
    assert "every difference is explained to the unit" in out
    assert "adds 1 for the bias at each output" in out


def test_a_tool_is_run_for_real(cnninspect_: Callable) -> None:
    code, out, _ = cnninspect_("audit", "lenet5_modern", "-c", "fvcore", "-c", "flop_counter")
    assert code == 0
    for expected in ("FlopCounterMode of torch", "run on the CPU", "the rules of fvcore give the"):
        assert expected in out
    assert "thop" not in out


def test_json_follows_its_schema(cnninspect_: Callable) -> None:
    code, out, _ = cnninspect_("audit", "resnet18", "--no-run", "--by-layer", "-f", "json")
    report = json.loads(out)
    assert code == 0
    jsonschema.validate(report, schema_of(Audit))
    assert report["schema"] == "cnninspect.audit/1"
    assert report["macs"] == 1_814_073_344
    fvcore = next(c for c in report["counters"] if c["name"] == "fvcore")
    assert fvcore["difference"] == sum(r["amount"] for r in fvcore["reasons"]) == 4_992_512
    first = report["layers"][0]
    assert (first["path"], first["macs"]) == ("conv1", 118_013_952)


def test_csv_has_counters_or_layers(cnninspect_: Callable) -> None:
    _, out, _ = cnninspect_("audit", "mlp", "--no-run", "-f", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["counter"] for row in rows][:2] == ["torchvision", "fvcore"]
    assert all(row["unexplained"] == "0" for row in rows)
    _, out, _ = cnninspect_("audit", "mlp", "--no-run", "-f", "csv", "--by-layer", "--level", "1")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert sum(int(row["macs"]) for row in rows) == cnninspect.summarize("mlp").totals.macs
    assert {"path", "type", "macs", "pycls"} <= rows[0].keys()


def test_strict_exits_with_3_where_a_difference_stays_unexplained(cnninspect_: Callable) -> None:
    arguments = ("audit", "efficientnet_b1", "--no-run", "-c", "published")
    code, out, err = cnninspect_(*arguments)
    assert (code, err) == (0, "")
    assert "unexplained" in out
    code, strict_out, err = cnninspect_(*arguments, "--strict")
    assert code == 3
    assert strict_out == out
    assert "published has a difference that nothing explains" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("resnt18",), "there is no model called 'resnt18'"),
        (("mlp", "-c", "fvcor"), "--counter 'fvcor' is not known"),
        (("mlp", "--no-run", "--by-layer", "--top", "0"), "--top 0 is not possible"),
        (("mlp", "--no-run", "--by-layer", "--level", "-1"), "greater than or equal to 0"),
    ],
)
def test_a_mistake_exits_with_2(cnninspect_: Callable, arguments: tuple, expected: str) -> None:
    code, _, err = cnninspect_("audit", *arguments)
    assert code == 2
    assert expected in err


def test_from_python_a_trace_is_compared_by_rules_and_tools_say_why_not() -> None:
    trace = cnninspect.trace("mlp")
    report = cnninspect.audit(trace)
    problems = {c.problem for c in report.counters if c.total is None}
    assert problems == {"it needs modules, and this is a graph"}
    assert len([c for c in report.counters if c.total is not None]) == 7
    with pytest.raises(UnknownChoice):
        cnninspect.audit(trace, counters=("nothing",))


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, str]] = []
    cnninspect.audit("mlp", counters=("flop_counter",), progress=lambda *state: told.append(state))
    assert told == [(0, 1, "flop_counter")]


def test_long_recurrences_are_not_taken_apart_unless_asked() -> None:
    from torch import nn

    found = {c.name: c for c in cnninspect.audit(nn.LSTM(2, 3), (400, 1, 2)).counters if c.problem}
    assert "step by step" in found["flop_counter"].problem


@pytest.mark.slow
def test_the_graph_of_an_export_has_the_same_count(cnninspect_: Callable) -> None:
    code, out, _ = cnninspect_("audit", "lenet5_modern", "--no-run", "-c", "onnx", "-f", "json")
    (onnx,) = json.loads(out)["counters"]
    assert code == 0
    assert (onnx["kind"], onnx["total"], onnx["unexplained"]) == ("graph", 416_520, 0)
    (onnx,) = cnninspect.audit(cnninspect.trace("mlp"), counters=("onnx",)).counters
    assert onnx.problem == "it needs modules, and this is a graph"
