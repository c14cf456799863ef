"""Part `counting`: time and memory to build and count a network, against other counters."""

from __future__ import annotations

import gc
import importlib
import statistics
import time
from collections.abc import Callable

from cases import CASES
from counters import COUNTERS
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
        for counter in COUNTERS:
            progress(f"{counter} on {case}")
            try:
                runs = [call_in_process("counting:count", counter=counter, case=case)
                        for _ in range(repeats)]  # fmt: skip
            except RuntimeError as error:
                progress(f"failed: {error}")
                for row in rows:
                    row.append("fails")
                continue
            rows[0].append(f"{statistics.median(run['seconds'] for run in runs):.2f}")
            rows[1].append(f"{statistics.median(run['bytes'] for run in runs) / 1e6:,.0f}")
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
