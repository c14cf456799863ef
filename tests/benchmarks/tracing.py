"""Part `tracing`: running a network without computing, against PyTorch's own counter on meta."""

from __future__ import annotations

import gc
import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any

from cases import CASES
from counters import COUNTERS
from figures import note
from processes import call_in_process
from tables import table

OURS, THEIRS = "cnninspect", "FlopCounterMode, meta"
NTH = ("first", "second")
TARGETS = (0.25, 0.15)
"""Geometric mean of the time ratios, for the first and for the second trace in a process."""


def trace_twice(counter: str, case: str) -> list[float]:
    """In a process of its own: seconds of the first and the second trace of a built network."""
    import torch

    for name in COUNTERS[counter].imports:
        importlib.import_module(name)
    with torch.device("meta"):
        model, x = CASES[case].build(), torch.empty(CASES[case].shape)
    seconds = []
    for _ in range(2):
        gc.collect()
        start = time.perf_counter()
        TRACERS[counter](model, x)
        seconds.append(time.perf_counter() - start)
    return seconds


def by_cnninspect(model: Any, x: Any) -> None:
    import cnninspect

    cnninspect.trace(model, inputs=(x,))


def by_flop_counter_mode(model: Any, x: Any) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False), torch.no_grad():
        model(x)


TRACERS = {OURS: by_cnninspect, THEIRS: by_flop_counter_mode}


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: milliseconds and ratios of first and second traces, with their means."""
    rows: list[list[str]] = []
    ratios: tuple[list[float], list[float]] = ([], [])
    for case in CASES:
        progress(f"tracing {case}")
        runs: dict[str, list[list[float]]] = {OURS: [], THEIRS: []}
        for _ in range(repeats):
            for counter, results in runs.items():  # in turn, so that both meet the same weather
                results.append(call_in_process("tracing:trace_twice", counter=counter, case=case))
        row = [case]
        for nth in (0, 1):
            ours, theirs = (
                note(f"{case}: {counter}, {NTH[nth]}", (run[nth] for run in results), unit="s")
                for counter, results in runs.items()
            )
            ratios[nth].append(ours / theirs)
            row += [f"{ours * 1e3:.1f}", f"{theirs * 1e3:.1f}", f"{ours / theirs:.2f}"]
        rows.append(row)
    means = [statistics.geometric_mean(values) for values in ratios]
    for nth, mean in enumerate(means):
        note(f"{NTH[nth]} traces / {THEIRS}, geometric mean", [mean], most=TARGETS[nth])
    rows.append(["geometric mean", "", "", f"{means[0]:.2f}", "", "", f"{means[1]:.2f}"])
    rows.append(["target", "", "", f"≤ {TARGETS[0]}", "", "", f"≤ {TARGETS[1]}"])
    header = [
        "", "first: cnninspect, ms", "FlopCounterMode, ms", "ratio",
        "second: cnninspect, ms", "FlopCounterMode, ms", "ratio",
    ]  # fmt: skip
    return table(header, rows)
