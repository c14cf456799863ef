"""Part `cluster`: what a Dask cluster takes for one model against this machine's processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from typing import Any

from family_tree import processor_seconds
from figures import note
from processes import call_in_process
from tables import table

SPACE = "efficientnet_b0@width=0.5..1.4:0.1,depth=1..1.6:0.2,resolution=128..224:32"
WORKERS = 2
SKIPPED = 16
"""Results before the clock starts: until then processes start and import."""
JOURNEYS = 2_000
TARGET = 1.15


@contextmanager
def cluster() -> Iterator[str]:
    """A scheduler and workers on this machine; gives the scheduler file."""
    dask = str(Path(sys.executable).with_name("dask"))
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "scheduler.json")
        where = ["--scheduler-file", file, "--host", "127.0.0.1", "--no-dashboard"]
        quiet: dict[str, Any] = {
            "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
            "env": {**os.environ, "OMP_NUM_THREADS": "1"},
        }  # fmt: skip
        started = [subprocess.Popen([dask, "scheduler", *where, "--port", "0"], **quiet)]
        worker = [dask, "worker", *where, "--nthreads", "1", "--no-nanny"]
        started += [subprocess.Popen(worker, **quiet) for _ in range(WORKERS)]
        try:
            while not Path(file).exists():  # the scheduler writes it when it has an address
                time.sleep(0.1)
            yield file
        finally:
            for process in started:
                process.kill()
                process.wait()


@dataclass(frozen=True)
class Taken:
    """What one model took, while all workers were at work."""

    seconds: float
    processor_seconds: float


def taken_by(results: Any, expected: int) -> Taken:
    """What models took from the first results to the last one."""
    with closing(results) as arriving:
        for number, _ in enumerate(arriving, start=1):
            if number == SKIPPED:
                begin, before = time.perf_counter(), processor_seconds()
            if number == expected:
                models = expected - SKIPPED
                seconds, taken = time.perf_counter() - begin, processor_seconds() - before
    return Taken(seconds / models, taken / models)


def in_turn(repeats: int) -> dict[str, Any]:
    """In a process of its own: both ways in turn, journeys in a second, and bytes of a result."""
    from cnninspect.commands.sweep.measuring import How, _neighbours
    from cnninspect.commands.sweep.space import choices, parse_space
    from cnninspect.store.cluster import Cluster, measure_on_cluster
    from cnninspect.store.tasks import written_outcome
    from cnninspect.store.worker_pool import measure_side_by_side

    found = choices([parse_space(SPACE)], sample=None, seed=0, sampler="random")
    wanted = {choice.reference: choice for choice in found}
    tasks = [How().task(reference) for reference in _neighbours(list(wanted), wanted)]
    here, there, outcomes, rates = [], [], [], []
    for _ in range(repeats):  # all processes are new, and know no shapes
        here.append(taken_by(measure_side_by_side(tasks, WORKERS), len(tasks)))
        with cluster() as file:
            away = Cluster(file, is_named=True)
            there.append(taken_by(measure_on_cluster(tasks, away), len(tasks)))
            outcomes = [outcome for _, outcome in measure_on_cluster(tasks[:SKIPPED], away)]
            rates.append(journeys_in_a_second(file))
    sizes = [len(written_outcome(outcome)) for outcome in outcomes]
    return {
        "models": len(tasks),
        "here": [(each.seconds, each.processor_seconds) for each in here],
        "there": [(each.seconds, each.processor_seconds) for each in there],
        "journeys": statistics.median(rates),
        "bytes": statistics.mean(sizes),
    }


def journeys_in_a_second(file: str) -> float:
    """How many calls that do nothing a scheduler passes on."""
    from distributed import Client, as_completed

    with Client(scheduler_file=file) as client:
        begin = time.perf_counter()
        for _ in as_completed([client.submit(len, "", pure=False) for _ in range(JOURNEYS)]):
            pass
        return JOURNEYS / (time.perf_counter() - begin)


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: ms for one model both ways, and what a larger cluster is worked out from."""
    progress("local processes and a cluster in turn")
    load = os.getloadavg()[0]
    found = call_in_process("cluster:in_turn", repeats=max(repeats, 3))
    rows = []
    for title, place in (("by the clock", 0), ("of processors, all together", 1)):
        here, there = ([each[place] for each in found[way]] for way in ("here", "there"))
        most = TARGET if place == 0 else None
        ratio = note(f"cluster / processes {title}", map(truediv, there, here), most=most)
        row = [title, *(f"{1e3 * statistics.median(way):.1f}" for way in (here, there))]
        rows.append([*row, f"{ratio:.2f}", f"≤ {TARGET}"])
    header = ["ms for one model", f"{WORKERS} local processes", f"{WORKERS} workers", "ratio", ""]
    return (
        f"{found['models']} points of `{SPACE}`, {max(repeats, 3)} times in turn, once all workers "
        f"were at work:\n\n{table(header, rows)}\n\n"
        f"The scheduler passed on {found['journeys']:,.0f} calls in a second that do nothing; a "
        f"result has {found['bytes']:,.0f} bytes. {load:.1f} processes wanted to run on "
        f"{os.cpu_count()} cores before it began."
    )
