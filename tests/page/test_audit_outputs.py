"""How audits look, compared with files that somebody has read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_built import image

from cnninspect.commands.audit.rendering import percent_text, signed
from cnninspect.commands.audit.report import (
    Audit,
    AuditedCounter,
    AuditedLayer,
    CounterKind,
    LayerCount,
    Reason,
)
from cnninspect.errors import BadOption
from cnninspect.metrics.summary import EngineInfo, Uncounted
from cnninspect.page.formats import render
from cnninspect.records.models import ModelInfo

NORM = Reason("batch norm", "adds 2 for each element", 2_000_000, 20, is_gap=False)
POOL = Reason("max pooling", "adds 9 for each element that it writes", 90_000, 1, is_gap=False)
GAP = Reason("attention in Block", "leaves it out", -400_000_000, 12, is_gap=True)
OURS = 1_000_000_000


def counted(name: str, kind: CounterKind, *reasons: Reason, **facts: object) -> AuditedCounter:
    difference = sum(reason.amount for reason in reasons) + int(facts.get("unexplained", 0))  # type: ignore[call-overload]
    made = AuditedCounter(
        name=name,
        kind=kind,
        about=f"{name} 1.2, run on the CPU",
        unit="MACs",
        total=OURS + difference,
        difference=difference,
        percent=100 * difference / OURS,
        reasons=reasons,
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def layer(path: str, kind: str, macs: int, fvcore: int, pycls: int) -> AuditedLayer:
    return AuditedLayer(
        path, kind, macs, (LayerCount("fvcore", fvcore), LayerCount("pycls", pycls))
    )


def odd_audit() -> Audit:
    """Every kind of row: agreement, gaps, failures, print, what nobody can explain."""
    tool, rules, printed = CounterKind.TOOL, CounterKind.RULES, CounterKind.PUBLISHED
    failed = AuditedCounter(
        "thop", tool, "thop", "MACs", None, problem="not installed: pip install thop"
    )
    as_printed = Reason("printed number", "agrees as far as it is printed", -12, 0, is_gap=False)
    return Audit(
        model=ModelInfo("odd@width=3", "zoo", "odd@width=3"),
        inputs=image(1, 3, 32, 32),
        engine=EngineInfo("meta", "abstract", 40, 12, ("input worked out from the first layers",)),
        mode="eval",
        macs=OURS,
        counters=(
            counted("flop_counter", tool, unit="FLOPs, halved"),
            counted("fvcore", tool, NORM, GAP, caution="attention counts nothing"),
            failed,
            counted("ptflops", tool, POOL, unexplained=7, unexplained_in=("layer1.\x1b[31m", "")),
            counted("fvcore", rules, NORM, GAP),
            counted("pycls", rules, NORM, POOL),
            counted("connections", rules, NORM, POOL),
            counted("published", printed, as_printed, about="1.0G, Somebody 2015, Table 1"),
            counted("published", printed, as_printed, about="1.0B, Another 2016"),
            counted(
                "published", printed, about="1.2G, A paper", unexplained=200_000_000,
                caution="doubtful",
            ),
        ),
        layers=(
            layer("stem", "Conv2d", 600_000_000, 600_000_000, 600_000_000),
            layer("layer1.0.norm", "BatchNorm2d", 0, 2_000_000, 2_000_000),
            layer("layer1.0.attention", "Block", 400_000_000, 0, 400_000_000),
            layer("layer1.0", "Stage", 0, 0, 90_000),
        ),
        uncounted=(Uncounted("mylib.scan", 2, ("layer1",)),),
    )  # fmt: skip


CASES = {
    "audit_at_80.txt": {"width": 80},
    "audit_at_120.txt": {"width": 120},
    "audit_in_colour.txt": {"width": 100, "color": True},
    "audit_human.txt": {"width": 100, "human": True, "level": 1},
    "audit_top.txt": {"width": 100, "top": 1},
    "audit.md": {"format": "markdown"},
    "audit.csv": {"format": "csv", "level": 2},
    "audit.json": {"format": "json"},
}


@pytest.mark.parametrize("name", CASES)
def test_an_audit_is_the_one_on_file(name, check_golden, fixed_versions):
    check_golden(render(odd_audit(), **CASES[name]), name)


def test_counters_are_rows_of_csv_where_no_layers_are_asked_for(check_golden):
    check_golden(render(replace(odd_audit(), layers=()), format="csv"), "audit_counters.csv")


def test_without_differences_there_is_nothing_to_explain():
    agreed = counted("torchvision", CounterKind.RULES)
    text = render(replace(odd_audit(), counters=(agreed,), layers=(), uncounted=()))
    assert "why they differ" not in text
    assert "every difference is explained to the unit" in text


def test_counters_that_failed_for_one_reason_are_one_line():
    counters = [
        AuditedCounter(name, CounterKind.TOOL, name, "MACs", None, problem="it needs modules")
        for name in ("fvcore", "thop", "ptflops")
    ]
    text = render(replace(odd_audit(), counters=tuple(counters), layers=()))
    assert "failed" not in text
    assert "no answer from fvcore, thop and ptflops: it needs modules" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (None, ""), (0.55, "+0.55"), (-99.014, "-99.01"), (0.001, "+<0.01"),
        (-0.004, "-<0.01"),
    ],
)  # fmt: skip
def test_per_cent_has_a_sign_and_says_when_it_is_tiny(value, text):
    assert percent_text(value) == text


def test_a_difference_has_a_sign():
    assert [signed(n, human=False) for n in (1200, -1200, 0)] == ["+1,200", "-1,200", "0"]
    assert signed(-1_200_000, human=True) == "-1.20 M"


@pytest.mark.parametrize("options", [{"level": -1}, {"top": 0}])
def test_what_is_of_no_use_is_refused(options):
    with pytest.raises(BadOption):
        render(odd_audit(), **options)
