"""The counters that are compared, each used as its own documentation shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cases import Case


@dataclass(frozen=True)
class Counter:
    """Something that counts multiply-accumulates."""

    title: str
    """As it stands in the tables."""
    imports: tuple[str, ...]
    """What it needs, imported before anything is measured."""
    count: Callable[[Case], int]
    """Builds a case's network and returns its multiply-accumulates."""


def by_cnninspect(case: Case) -> int:
    import torch

    import cnninspect

    with torch.device("meta"):
        model, x = case.build(), torch.empty(case.shape)
    return cnninspect.summarize(model, inputs=(x,), receptive_fields=False).totals.macs


def by_flop_counter_mode(case: Case) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        model, x = case.build(), torch.empty(case.shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return counter.get_total_flops() // 2


def by_fvcore(case: Case) -> int:
    import torch
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(case.build(), torch.rand(case.shape))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return int(analysis.total())


def by_torchinfo(case: Case) -> int:
    import torchinfo

    return torchinfo.summary(case.build(), input_size=case.shape, verbose=0).total_mult_adds


def by_ptflops(case: Case) -> int:
    import torch
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        case.build(),
        case.shape[1:],
        # By itself it takes one image only.
        input_constructor=lambda size: torch.rand(case.shape[0], *size),
        as_strings=False,
        print_per_layer_stat=False,
    )
    return int(macs)


def by_thop(case: Case) -> int:
    import thop
    import torch

    macs, _ = thop.profile(case.build(), inputs=(torch.rand(case.shape),), verbose=False)
    return int(macs)


COUNTERS = {
    counter.title: counter
    for counter in (
        Counter(
            "cnninspect",
            (
                "cnninspect.sources.open",
                "cnninspect.engine.tracing",
                "cnninspect.metrics.summarizing",
            ),
            by_cnninspect,
        ),
        Counter("FlopCounterMode, meta", ("torch.utils.flop_counter",), by_flop_counter_mode),
        Counter("fvcore", ("fvcore.nn",), by_fvcore),
        Counter("torchinfo", ("torchinfo",), by_torchinfo),
        Counter("ptflops", ("ptflops",), by_ptflops),
        Counter("thop", ("thop",), by_thop),
    )
}
