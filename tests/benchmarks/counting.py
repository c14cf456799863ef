"""Part `counting`: time and memory to build and count a network, against other counters."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable

from cases import CASES
from counters import COUNTERS
from figures import note
from processes import call_in_process, peak_bytes
from tables import table

from cnninspect.sources.torchvision_schemas import import_torchvision

MEMORY_TARGET = 30e6
"""Bytes over those of the imports that cnninspect may take for any model."""


def count(counter: str, case: str) -> dict[str, float]:
    """In a process of its own: seconds, peak bytes over those of the imports, and MACs."""
    import_torchvision()
    for name in COUNTERS[counter].imports:
        importlib.import_module(name)
    gc.collect()
    before, start = peak_bytes(), time.perf_counter()
    macs = COUNTERS[counter].count(CASES[case])
    return {"seconds": time.perf_counter() - start, "bytes": peak_bytes() - before, "macs": macs}


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: seconds, peak memory and MACs of every case by every counter."""
    seconds, memory, macs = [], [], []
    for case in CASES:
        rows: tuple[list[str], ...] = ([case], [case], [case])
        for counter, runs in runs_in_turn(case, repeats, progress).items():
            if not runs:
                for row in rows:
                    row.append("fails")
                continue
            name, most = f"{counter} on {case}", MEMORY_TARGET if counter == "cnninspect" else None
            took = note(f"{name}: seconds", (run["seconds"] for run in runs), unit="s")
            size = note(f"{name}: memory", (run["bytes"] for run in runs), unit="bytes", most=most)
            rows[0].append(f"{took:.2f}")
            rows[1].append(f"{size / 1e6:,.0f}")
            rows[2].append(f"{runs[0]['macs'] / 1e9:,.3f}")
        for rows_so_far, row in zip((seconds, memory, macs), rows):
            rows_so_far.append(row)
    return "\n\n".join(
        (
            "Seconds to build and count:",
            table(["", *COUNTERS], seconds),
            f"Peak memory over that of the imports, in MB (target for cnninspect: under "
            f"{MEMORY_TARGET / 1e6:.0f}):",
            table(["", *COUNTERS], memory),
            "What each calls the multiply-accumulates, in units of 10^9:",
            table(["", *COUNTERS], macs),
        )
    )


def runs_in_turn(
    case: str, repeats: int, progress: Callable[[str], None]
) -> dict[str, list[dict[str, float]]]:
    """What each counter takes, one after the other and that again; nothing of one that fails."""
    found: dict[str, list[dict[str, float]]] = {counter: [] for counter in COUNTERS}
    failed = set()
    for _ in range(repeats):
        for counter in COUNTERS:
            if counter in failed:
                continue
            progress(f"{counter} on {case}")
            try:
                found[counter].append(call_in_process("counting:count", counter=counter, case=case))
            except RuntimeError as error:
                progress(f"failed: {error}")
                failed.add(counter)
                found[counter].clear()
    return found
