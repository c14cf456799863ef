"""Part `depth`: whether time stays linear in the number of calls, from 20 to 1,202 layers."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

from figures import note
from processes import call_in_process
from tables import table

SERIES = (
    ("resnet20", "resnet56", "resnet110", "resnet1202"),
    ("preresnet110", "preresnet164", "preresnet1001"),
    ("densenet40_k12", "densenet_bc100_k12", "densenet_bc250_k24"),
)
"""Networks of one kind, each series from the smallest to the largest."""
TARGET = 2
"""How many times the smallest network's time for a call the others' may be."""


def trace_and_summarize(reference: str) -> dict[str, float]:
    """In a process of its own: seconds to build and trace, seconds to summarise, and calls."""
    import cnninspect

    cnninspect.summarize("lenet5")  # so that imports and first calls are not measured
    gc.collect()
    start = time.perf_counter()
    trace = cnninspect.trace(reference)
    traced = time.perf_counter()
    cnninspect.summarize(trace)
    summarized = time.perf_counter()
    return {
        "trace": traced - start,
        "summary": summarized - traced,
        "calls": len(trace.calls),
    }


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: microseconds for each call of each network, and ratios to its series' smallest."""
    rows = []
    for series in SERIES:
        runs: dict[str, list[dict[str, float]]] = {reference: [] for reference in series}
        for _ in range(repeats):
            for reference in series:  # in turn, so that all meet the same weather
                progress(f"tracing {reference}")
                result = call_in_process("depth:trace_and_summarize", reference=reference)
                runs[reference].append(result)
        smallest = runs[series[0]]
        rows += [row(reference, runs[reference], smallest) for reference in series]
    header = [
        "", "calls", "trace, ms", "µs per call", "ratio", "summary, ms", "µs per call", "ratio",
        "target",
    ]  # fmt: skip
    return table(header, rows)


def row(
    reference: str, runs: list[dict[str, float]], smallest: list[dict[str, float]]
) -> list[str]:
    """One network's cells: medians, and ratios of the medians."""
    cells = [f"`{reference}`", f"{runs[0]['calls']:,.0f}"]
    for what in ("trace", "summary"):
        ours, least = (
            statistics.median(run[what] for run in each) / each[0]["calls"]
            for each in (runs, smallest)
        )
        cells += [f"{ours * runs[0]['calls'] * 1e3:.0f}", f"{ours * 1e6:.0f}"]
        note(f"{reference}: {what} of a call", [ours], unit="s")
        ratio = note(f"{reference}: {what} of a call / smallest", [ours / least], most=TARGET)
        cells.append(f"{ratio:.2f}")
    return [*cells, f"≤ {TARGET}"]
