"""Part `design_space`: 10,000 configurations of EfficientNet on two cores, once, from nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from family_tree import processor_seconds, watching
from figures import note
from remembered import own_folder
from tables import table

SPACE = "efficientnet_b0@width=0.5..1.74:0.05,depth=1..2.9:0.1,resolution=128..280:8"
JOBS = 2
TARGET = 25


def report(repeats: int, progress: Callable[[str], None], *, space: str = SPACE) -> str:
    """Markdown: models in a second by the clock and by the processors, and memory over time."""
    progress(space)
    load = os.getloadavg()[0]
    command = [sys.executable, "-m", "cnninspect", "sweep", space, "--jobs", str(JOBS), "--quiet"]
    with own_folder() as folder:
        out = Path(folder) / "sweep.json"
        before, begin = processor_seconds(), time.perf_counter()
        with watching() as watch:
            subprocess.run([*command, "--format", "json", "-o", str(out)], check=True)
        seconds, taken = time.perf_counter() - begin, processor_seconds() - before
        found = json.loads(out.read_text())
        begin = time.perf_counter()
        subprocess.run([*command, "--format", "json", "-o", str(out), "--force"], check=True)
        again = time.perf_counter() - begin
    measured = found["measured"]
    name = "of processors for a configuration of EfficientNet"
    note(name, [1e3 * taken / measured], unit="ms", most=1e3 * JOBS / TARGET)
    note("a sweep for a configuration of EfficientNet", [1e3 * seconds / measured], unit="ms")
    megabytes = [watch.at(share) / 1e6 for share in (0.2, 0.6, 1.0)]
    header = [
        "configurations", "s", "models/s", "processor ms for one", "models/s by the processors",
        "MB of a process after 20 %", "60 %", "all", "again, s",
    ]  # fmt: skip
    row = [
        f"{measured:,}", f"{seconds:.0f}", f"{measured / seconds:.1f}",
        f"{1e3 * taken / measured:.1f}", f"{JOBS * measured / taken:.1f}",
        *(f"{each:.0f}" for each in megabytes), f"{again:.1f}",
    ]  # fmt: skip
    return (
        f"`cnninspect sweep '{space}' --jobs {JOBS}`, at least {TARGET} models/s:\n\n"
        f"{table(header, [row])}\n\n"
        f"{found['networks']:,} distinct networks, {len(found['failed'])} failed. "
        f"{load:.1f} processes wanted to run on {os.cpu_count()} cores before it began. By the "
        f"processors: what {JOBS} of them would do that had nothing else to do."
    )
