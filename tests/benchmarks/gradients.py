"""Part `gradients`: what it costs to measure gradients, against the bare forward and backward."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from figures import note
from processes import call_in_process, peak_bytes
from tables import table

from cnninspect.sources.torchvision_schemas import import_torchvision

SHAPE = (8, 3, 224, 224)
TIME_TARGET, MEMORY_TARGET = 1.15, 1.0
"""Ratios to the bare run that measuring may take."""


def network() -> Any:
    """ResNet-34 with weights, as in training."""
    import torch

    torch.manual_seed(0)
    torchvision, _ = import_torchvision()
    return torchvision.models.resnet34(weights=None).train()


def bare(model: Any, x: Any, labels: Any) -> None:
    """Forward and back, as in a training step without the update."""
    import torch.nn.functional as F

    model.zero_grad(set_to_none=True)
    F.cross_entropy(model(x), labels).backward()


def measured(model: Any, x: Any, labels: Any) -> None:
    """The same pass with all norms taken: what `cnninspect gradients` does."""
    import cnninspect

    cnninspect.gradients(model, inputs=(x,), targets=labels)


RUNS = {"bare": bare, "measured": measured}
CLOCKS = {"seconds": time.perf_counter, "seconds of the processor": time.process_time}


def seconds_in_turn(pairs: int) -> list[dict[str, dict[str, float]]]:
    """In a process of its own: bare and measured runs in turn, after one of each.

    For each run, seconds on the wall clock and of the processor.
    """
    import torch

    model, x, labels = network(), torch.randn(SHAPE), torch.randint(1000, SHAPE[:1])
    results = []
    for _ in range(pairs + 1):
        taken = {}
        for name, run in RUNS.items():
            gc.collect()
            start = {clock: read() for clock, read in CLOCKS.items()}
            run(model, x, labels)
            taken[name] = {clock: read() - start[clock] for clock, read in CLOCKS.items()}
        results.append(taken)
    return results[1:]


def peak(run: str) -> dict[str, int]:
    """In a process of its own: peak memory before and after one run."""
    import torch

    model, x, labels = network(), torch.randn(SHAPE), torch.randint(1000, SHAPE[:1])
    gc.collect()
    before = peak_bytes()
    RUNS[run](model, x, labels)
    return {"before": before, "after": peak_bytes()}


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: seconds and memory of both, and their ratios beside the targets."""
    progress("gradients: time")
    pairs = call_in_process("gradients:seconds_in_turn", pairs=2 * repeats)
    rows = [time_row(clock, pairs) for clock in CLOCKS]
    peaks: dict[str, list[dict[str, int]]] = {name: [] for name in RUNS}
    for _ in range(repeats):
        for name in RUNS:
            progress(f"gradients: memory of {name}")
            peaks[name].append(call_in_process("gradients:peak", run=name))
    bare_bytes, measured_bytes = (
        statistics.median(each["after"] - each["before"] for each in runs)
        for runs in peaks.values()
    )
    ratio = note("memory / bare", [measured_bytes / bare_bytes], most=MEMORY_TARGET)
    rows.append([
        "peak memory over that before, MB",
        f"{bare_bytes / 1e6:,.0f}", f"{measured_bytes / 1e6:,.0f}",
        f"{ratio:.2f}", f"≤ {MEMORY_TARGET}",
    ])  # fmt: skip
    return table(["ResNet-34, batch 8", "bare", "measured", "ratio", "target"], rows)


def time_row(clock: str, pairs: list[dict[str, dict[str, float]]]) -> list[str]:
    """One clock's cells."""
    seconds = [statistics.median(pair[name][clock] for pair in pairs) for name in RUNS]
    ratios = (pair["measured"][clock] / pair["bare"][clock] for pair in pairs)
    ratio = note(f"{clock} / bare", ratios, most=TIME_TARGET)
    return [clock, *(f"{value:.2f}" for value in seconds), f"{ratio:.2f}", f"≤ {TIME_TARGET}"]
