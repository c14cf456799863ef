"""Why other counts are not ours, in words and to the unit."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.commands.audit.analysis import COUNTERS, RULES, TOOLS, audit_trace
from cnninspect.commands.audit.report import (
    Audit,
    AuditedCounter,
    CounterKind,
    Overlooked,
    ToolPart,
    ToolRun,
)
from cnninspect.costs.conventions import CONVENTIONS
from cnninspect.records.traces import Trace
from cnninspect.zoo import catalogue


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Stacked(nn.Module):
    """Two products of stacks and a softmax, in a layer of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return (x @ x.transpose(1, 2)).softmax(-1) @ x


class AnotherLinear(nn.Linear):
    pass


AnotherLinear.__name__ = "Linear"


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip


NETWORKS = {
    "convolutional": (convolutional, (2, 3, 10, 10)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 6, 3, stride=2), (1, 3, 8, 8)),
    "attention": (Attention, (2, 7, 16)),
    "sequence": (lambda: nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.GELU()), (2, 7, 6)),
    "recurrent": (lambda: nn.LSTM(6, 5, num_layers=2, bidirectional=True), (7, 2, 6)),
    "stacks": (lambda: nn.Sequential(Stacked()), (2, 7, 16)),
    "lines": (lambda: nn.Sequential(nn.Conv1d(4, 4, 3, padding=1), nn.PReLU()), (1, 4, 9)),
}


@cache
def traced(name: str) -> Trace:
    build, shape = NETWORKS[name]
    return cnninspect.trace(build(), shape)


def counter(report: Audit, name: str, kind: CounterKind = CounterKind.RULES) -> AuditedCounter:
    (found,) = [c for c in report.counters if (c.name, c.kind) == (name, kind)]
    return found


def reasons(found: AuditedCounter) -> list[tuple[str, str, int, int]]:
    return [(r.what, r.text, r.amount, r.calls) for r in found.reasons]


@pytest.mark.parametrize("name", NETWORKS)
def test_reasons_add_up_to_each_difference(name: str) -> None:
    report = audit_trace(traced(name))
    assert [c.name for c in report.counters] == list(RULES)
    for found in report.counters:
        assert found.total == CONVENTIONS[found.name].total(traced(name))
        assert found.difference == found.total - report.macs
        assert sum(reason.amount for reason in found.reasons) == found.difference
        assert found.unexplained == 0
        assert not any("something of its own" in reason.text for reason in found.reasons)


def test_what_resnet18_counts_under_fvcore_is_told_as_in_its_documentation() -> None:
    report = audit_trace(cnninspect.trace("resnet18"))
    found = counter(report, "fvcore")
    # 20 batch norms: 2 for each of 2,483,712 elements; 512 maps of 7 x 7 averaged
    assert reasons(found) == [
        ("batch norm", "adds 2 for each element", 2 * 2_483_712, 20),
        ("adaptive average pooling", "adds 1 for each element that it reads", 512 * 49, 1),
    ]
    assert not any(reason.is_gap for reason in found.reasons)


def test_what_is_left_out_is_a_gap_and_says_where() -> None:
    found = counter(audit_trace(traced("attention")), "thop")
    projections, products = 2 * 7 * 16 * 48, 2 * 4 * 7 * 7 * 4 * 2
    assert reasons(found) == [
        (
            "matrix product in MultiheadAttention",
            "leaves it out",
            -projections - 2 * 7 * 16 * 16,
            2,
        ),
        ("attention in MultiheadAttention", "leaves it out", -products, 1),
    ]
    assert all(reason.is_gap for reason in found.reasons)


def test_a_linear_layer_on_a_sequence_is_told_to_be_taken_once() -> None:
    found = counter(audit_trace(traced("sequence")), "torchinfo")
    once, each = 2 * (6 * 5 + 5), 2 * 7 * 6 * 5
    assert reasons(found)[0] == (
        "Linear",
        "takes each weight once for each input, not for each of its positions",
        once - each,
        1,
    )


@pytest.mark.parametrize(
    ("network", "rules", "expected"),
    [
        (
            "transposed",
            "torchinfo",
            "counts it at its output, not at its input, and 1 for the bias",
        ),
        ("transposed", "thop", "counts it at its output, not at its input"),
        ("recurrent", "connections", "adds 8 for each hidden unit at each step"),
        ("attention", "ptflops", "adds 1 for each score and 1 for each element of the queries"),
        ("convolutional", "pycls", "adds 1 for the bias at each output"),
        ("convolutional", "connections", "adds 9 for each element that it writes"),
        ("convolutional", "thop", "adds 1 for each element that it reads or writes"),
        ("convolutional", "torchinfo", "adds each parameter once for each input"),
        ("recurrent", "fvcore", "leaves it out"),
    ],
)
def test_a_difference_is_put_in_words(network: str, rules: str, expected: str) -> None:
    found = counter(audit_trace(traced(network)), rules)
    assert expected in {reason.text for reason in found.reasons}


def test_only_what_is_wanted_is_counted() -> None:
    report = audit_trace(cnninspect.trace("lenet5"), wanted=("thop", "published"))
    assert [c.name for c in report.counters] == ["thop", "published"]


def test_every_tool_stands_for_one_that_can_be_run() -> None:
    from cnninspect.commands.audit.measuring.tools import TOOLS as RUN

    assert tuple(RUN) == TOOLS
    assert set(RULES) <= set(COUNTERS)


# --- layers ---


def test_layers_add_up_to_the_totals_of_every_counter() -> None:
    report = audit_trace(traced("convolutional"), by_layer=True)
    assert sum(layer.macs for layer in report.layers) == report.macs
    for found in report.counters:
        by_layer = [
            c.count for layer in report.layers for c in layer.counts if c.counter == found.name
        ]
        assert sum(by_layer) == found.total
    assert [layer.path for layer in report.layers] == ["0", "1", "2", "3", "4", "6"]
    assert audit_trace(traced("convolutional")).layers == ()


# --- tools that were run ---


def run(name: str, total: int | None, **facts: object) -> ToolRun:
    return ToolRun(name, "1.2.3.post4", "cpu", total, **facts)  # type: ignore[arg-type]


def test_a_tool_that_agrees_with_its_rules_is_explained_by_them() -> None:
    trace = traced("convolutional")
    expected = CONVENTIONS["fvcore"].total(trace)
    found = counter(audit_trace(trace, [run("fvcore", expected)]), "fvcore", CounterKind.TOOL)
    assert found.about == "fvcore 1.2.3, run on the CPU"
    assert found.unexplained == 0
    assert found.reasons == counter(audit_trace(trace), "fvcore").reasons


def test_what_a_tool_has_beyond_its_rules_stays_unexplained_and_is_placed() -> None:
    trace = traced("convolutional")
    counts = CONVENTIONS["fvcore"].count(trace)
    parts = [ToolPart(path, "conv", n + 7 * (path == "0")) for path, n in counts.items()]
    tool = run("fvcore", sum(counts.values()) + 7, parts=tuple(parts))
    report = audit_trace(trace, [tool], by_layer=True)
    found = counter(report, "fvcore", CounterKind.TOOL)
    assert (found.unexplained, found.unexplained_in) == (7, ("0",))
    assert report.unexplained == (found,)
    (first, *_) = report.layers
    assert {c.counter: c.count for c in first.counts}["fvcore"] == counts["0"] + 7


def test_a_tool_that_failed_says_why_and_explains_nothing() -> None:
    tool = ToolRun("thop", "", "", None, "not installed: pip install thop")
    found = counter(audit_trace(traced("stacks"), [tool]), "thop", CounterKind.TOOL)
    assert (found.total, found.difference, found.unexplained) == (None, None, 0)
    assert found.problem == "not installed: pip install thop"
    assert found.about == "thop"


def test_what_a_tool_was_seen_to_pass_over_explains_it() -> None:
    trace = traced("attention")
    macs = CONVENTIONS["macs"].total(trace)
    missed = Overlooked("aten._native_multi_head_attention", 1, macs)
    tool = run("flop_counter_cpu", 0, overlooked=(missed,))
    found = counter(audit_trace(trace, [tool]), "flop_counter_cpu", CounterKind.TOOL)
    assert reasons(found) == [
        (
            "attention",
            "leaves it out, having no rule for aten._native_multi_head_attention",
            -macs,
            1,
        )
    ]
    assert found.unexplained == 0
    assert found.reasons[0].is_gap


def test_einsum_that_fvcore_rounds_is_told_to_be_rounded() -> None:
    left, right = torch.rand(3, 49, 31), torch.rand(3, 31, 49)

    class Product(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return torch.einsum("bij,bjk->bik", a, b)

    trace = cnninspect.trace(Product(), (left, right))
    macs = 3 * 49 * 31 * 49
    rounded = int(float(f"{2 * macs:.3e}") / 2)
    assert rounded != macs
    tool = run("fvcore", rounded, parts=(ToolPart("", "einsum", rounded),))
    found = counter(audit_trace(trace, [tool]), "fvcore", CounterKind.TOOL)
    assert reasons(found) == [("einsum", "rounds it to four digits", rounded - macs, 1)]
    assert found.unexplained == 0


def test_products_that_ptflops_does_not_see_are_found_by_their_size() -> None:
    trace = traced("stacks")
    product = 2 * 7 * 16 * 7
    for total, left_out in ((product, 1), (0, 2)):
        seen_softmax = 2 * 7 * 7
        tool = run("ptflops", total + seen_softmax)
        found = counter(audit_trace(trace, [tool]), "ptflops", CounterKind.TOOL)
        gaps = [reason for reason in found.reasons if reason.is_gap]
        assert len(gaps) == left_out
        assert gaps[0].text == "leaves it out, written as a @ b or einsum"
        assert gaps[0].what == "matrix product in Stacked"
        assert found.unexplained == 0
    tool = run("ptflops", product + 3)  # no set of products is missing
    found = counter(audit_trace(trace, [tool]), "ptflops", CounterKind.TOOL)
    assert found.unexplained != 0


def test_a_class_that_only_has_the_name_of_a_known_one_is_not_known() -> None:
    net = nn.Sequential(AnotherLinear(6, 5), nn.Linear(5, 4))
    trace = cnninspect.trace(net, (2, 6))
    tool = run("thop", 2 * 5 * 4, look_alikes=("0",))
    found = counter(audit_trace(trace, [tool]), "thop", CounterKind.TOOL)
    assert reasons(found) == [("matrix product in another Linear", "leaves it out", -2 * 6 * 5, 1)]
    assert found.unexplained == 0


def test_a_module_that_ptflops_counts_as_a_whole_hides_the_layers_in_it() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(6, 5)), nn.Linear(5, 4))
    trace = cnninspect.trace(net, (2, 6))
    inner, outer = 2 * 5 * (6 + 1), 2 * 4 * (5 + 1)
    parts = (ToolPart("0", "modules", 1000), ToolPart("1", "modules", outer))
    found = counter(
        audit_trace(trace, [run("ptflops", 1000 + outer, parts=parts)]), "ptflops", CounterKind.TOOL
    )
    text = "counts it by a rule of its own, and nothing of the layers in it"
    assert ("Sequential", text, 1000 - inner, 1) in reasons(found)
    assert found.unexplained == 0


# --- the exported graph ---


def test_another_graph_is_compared_by_its_own_operations() -> None:
    trace = traced("sequence")
    same = counter(audit_trace(trace, graph=trace), "onnx", CounterKind.GRAPH)
    assert (same.difference, same.unexplained) == (0, 0)
    shorter = replace(trace, calls=())
    found = counter(audit_trace(trace, graph=shorter), "onnx", CounterKind.GRAPH)
    assert found.unexplained == -CONVENTIONS["macs"].total(trace)
    assert found.unexplained_in == ("0",)
    missing = counter(audit_trace(trace, graph="it is too odd"), "onnx", CounterKind.GRAPH)
    assert (missing.total, missing.problem) == (None, "it is too odd")


# --- numbers in print ---


def published(reference: str) -> list[AuditedCounter]:
    report = audit_trace(cnninspect.trace(reference), wanted=("published",))
    return list(report.counters)


def test_a_number_that_is_printed_as_ours_agrees() -> None:
    (torchvision, *papers) = published("resnet50")
    assert torchvision.about == "4.089 GMACs, torchvision's weights"
    assert {c.total for c in papers} == {4_100_000_000}
    assert all(c.unexplained == 0 for c in (torchvision, *papers))
    assert torchvision.reasons[0].text == "agrees as far as it is printed"


def test_a_number_that_counts_otherwise_is_explained_by_those_rules() -> None:
    (found,) = published("lenet5")
    assert found.about == "340,908 connections, LeCun et al. 1998, section II-B"
    assert {r.text for r in found.reasons} == {"adds 1 for the bias at each output"}
    (found,) = published("lstm_lm")
    assert reasons(found)[-1][:2] == (
        "printed number",
        "agrees with connections as far as it is printed",
    )


def test_a_number_in_print_that_nothing_gives_stays_unexplained() -> None:
    (_, paper) = published("efficientnet_b1")
    paper_macs = cnninspect.summarize("efficientnet_b1").totals.macs
    assert paper.about == "0.70B, Tan, Le 2019, arXiv:1905.11946, Table 2"
    assert paper.unexplained == 700_000_000 - paper_macs
    assert "torchvision publishes 0.687G" in paper.caution


def test_settings_in_another_order_name_the_same_printed_network() -> None:
    one = published("se_resnet50@se_bias=false,stride_in=1x1,se_stages=2")
    assert [c.about for c in one] == ["3.86G, Hu et al. 2017, arXiv:1709.01507v4, Table 13"]
    assert published("se_resnet50@stride_in=1x1,se_bias=false,se_stages=5") == []


def test_a_batch_multiplies_what_is_printed_for_one() -> None:
    report = audit_trace(cnninspect.trace("resnet18", batch=3), wanted=("published",))
    assert [c.total for c in report.counters] == [3 * 1_814_000_000, 3 * 1_800_000_000]
    assert not report.unexplained


ROWS = json.loads(files("cnninspect.metrics").joinpath("published_papers.json").read_text("utf-8"))[
    "rows"
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['model']}-{row['printed']}")
def test_every_printed_number_is_of_a_network_of_the_zoo(row: dict) -> None:
    name, _, settings = row["model"].partition("@")
    family, _ = catalogue.find(name)
    known = {setting.name for setting in family.settings}
    assert {part.partition("=")[0] for part in settings.split(",") if part} <= known
    assert row["precision"] >= 1
    assert row["source"]
    assert row["note"] or not row["explains"]
    assert row["counts"] in ("", *RULES)


@pytest.mark.slow
@pytest.mark.parametrize("model", dict.fromkeys(row["model"] for row in ROWS))
def test_a_printed_number_is_found_for_its_network_and_explained_or_doubted(model: str) -> None:
    papers = [c for c in published(model) if "torchvision's weights" not in c.about]
    printed = [f"{row['printed']}, {row['source']}" for row in ROWS if row["model"] == model]
    assert [c.about for c in papers] == printed
    assert all(c.caution for c in papers if c.unexplained)
