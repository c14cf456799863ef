"""Limits on the memory of a step and on FLOPs, typed, in files and from Python."""

import pytest
import torch

import cnninspect
from cnninspect.commands.check.budget_file import parse_budget, typed_budget
from cnninspect.errors import (
    BadBudget,
    BadOption,
    BadQuantity,
    Contradiction,
    NeedsModules,
    NothingToCheck,
)

NET = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        ({}, {}),
        ({"optimizer": "adamw"}, {"optimizer": "adamw"}),
        ({"memory_of": "training", "batch": 16}, {"batch": 16}),
        ({"memory_of": "inference"}, {"inference": True}),
    ],
)
def test_the_peak_is_that_of_memory_to_the_byte(rules, asked):
    peak = cnninspect.memory(NET, **asked).totals.peak_bytes
    (limit,) = cnninspect.check(NET, max_memory=peak, **rules).limits
    assert (limit.name, limit.value, limit.limit, limit.ok) == ("max_memory", peak, peak, True)
    report = cnninspect.check(NET, max_memory=peak - 1, **rules)
    assert not report.ok
    assert rules.get("memory_of", "training") in report.limits[0].reason


def test_memory_in_a_budget_file_holds_for_each_model_unless_it_says_otherwise():
    budget = parse_budget(
        'max_memory = "1MiB"\noptimizer = "adam"\n[models.a]\nmemory_of = "inference"\n'
        '[models.b]\nmax_memory = "2kB"\n',
        "budget.toml",
    )
    (_, a), (_, b) = budget.models
    assert (a.memory.bound.value, a.memory_of, a.optimizer) == (2**20, "inference", "adam")
    assert (b.memory.bound.value, b.memory.line, b.memory_of) == (2000, 6, None)
    for line in ('memory_of = "both"', 'optimizer = "adm"'):
        with pytest.raises(BadBudget):
            parse_budget(line, "budget.toml")


@pytest.mark.parametrize(
    ("rules", "kind"),
    [
        ({"max_memory": "50%"}, BadQuantity),
        ({"max_memory": "8Gb"}, BadQuantity),
        ({"max_memory": "1GB", "memory_of": "both"}, BadOption),
        ({"max_memory": "1GB", "optimizer": "adm"}, BadOption),
        ({"max_flops": "1GMACs"}, BadQuantity),
        ({"max_macs": "1GFLOPs"}, BadQuantity),
        ({"max_flops": 1, "min_flops": 2}, Contradiction),
    ],
)
def test_what_cannot_be_is_refused(rules, kind):
    with pytest.raises(kind):
        typed_budget(rules)


def test_an_optimizer_alone_limits_nothing():
    with pytest.raises(NothingToCheck, match="memory"):
        cnninspect.check(NET, [(4,)], optimizer="adam", max_params=100)


def test_a_trace_cannot_be_trained_and_that_is_said():
    with pytest.raises(NeedsModules):
        cnninspect.check(cnninspect.trace(NET, [(4,)]), max_memory="1GB")


def test_flops_are_two_to_a_mac_of_the_whole_and_of_layers():
    macs = cnninspect.summarize(NET, [(4,)]).totals.macs
    rules = {"max_flops": 2 * macs, "min_flops": f"{2 * macs}FLOPs"}
    report = cnninspect.check(NET, [(4,)], layers={"0": {"max_flops": 2 * 4 * 8 - 1}}, **rules)
    assert [(limit.name, limit.value, limit.ok) for limit in report.limits] == [
        ("max_flops", 2 * macs, True),
        ("min_flops", 2 * macs, True),
        ("max_flops", 64, False),
    ]


def test_flops_are_a_column_and_a_limit_wherever_macs_are():
    summary = cnninspect.summarize(NET, [(4,)])
    table = cnninspect.render(summary, format="csv", columns="path,macs,flops", sort="flops")
    assert table.splitlines()[:2] == [
        "path,own_macs,total_macs,own_flops,total_flops",
        "0,32,32,64,64",
    ]
    compared = cnninspect.compare({"net": NET}, inputs=[(4,)], max_flops=95)
    (model,) = compared.models
    assert (model.fits, model.exceeded) == (False, ("max_flops",))
    assert cnninspect.render(compared, format="csv", columns="model,flops").splitlines() == [
        "model,flops",
        "net,96",
    ]
