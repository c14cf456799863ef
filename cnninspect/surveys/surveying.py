"""Measures many models: what is remembered is not measured again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from cnninspect.errors import CnnInspectError
from cnninspect.records.comparison import Unmeasured
from cnninspect.records.reports import plain
from cnninspect.sources.registry import LISTABLE, reference_of
from cnninspect.surveys.crew import measure_side_by_side
from cnninspect.surveys.measuring import measure
from cnninspect.surveys.remembering import Memory
from cnninspect.surveys.tasks import Outcome, Task, read_outcome, written_outcome
from cnninspect.surveys.versions import has_formulas_of_this_process, versions

Progress = Callable[[int, int, str], None]
"""Called with the models done, those to do, and the one that was done last."""

MANY = 8
"""Models for which another process is worth its start."""
LASTING = ("BuildFailed", "RunFailed", "ShapeMismatch", "BadInput")
"""Errors that come again; others may be gone when the person has done something."""
SECONDS_BETWEEN = 5.0
"""How often results are written down while others are still measured."""


def survey(
    tasks: Sequence[Task],
    *,
    jobs: int | None = None,
    memory: Memory | None = None,
    progress: Progress | None = None,
) -> tuple[Outcome, ...]:
    """What comes of each task, in their order.

    `jobs` processes measure side by side; None: as many as are worth it.  With a `memory`, what
    it holds is not measured, and what was measured of named architectures is put in.
    """
    here = has_formulas_of_this_process()
    distinct = list(dict.fromkeys(tasks))
    keys = {} if memory is None or here else _keys(distinct)
    outcomes = _recalled(memory, keys) if memory is not None else {}
    missing = [task for task in distinct if task not in outcomes]
    if missing:
        measured = _measured(missing, 1 if here else jobs or worthwhile_jobs(len(missing)))
        with closing(_Notebook(memory, keys)) as notebook:
            for done, (task, outcome) in enumerate(measured, start=1):
                outcomes[task] = outcome
                notebook.note(task, outcome)
                if progress is not None:
                    progress(done, len(missing), task.reference)
    return tuple(outcomes[task] for task in tasks)


def worthwhile_jobs(models: int) -> int:
    """Processes that so many models are worth, at most one for each core that we may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, models // MANY))


def _measured(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Outcome]]:
    if jobs == 1:
        for task in tasks:
            yield task, measure(task)
        return
    for position, outcome in measure_side_by_side(tasks, jobs):
        yield tasks[position], outcome


def _keys(tasks: Sequence[Task]) -> dict[Task, str]:
    """What each task is remembered by; files and people's own code are not, since they change."""
    keys = {}
    for task in tasks:
        try:
            source = reference_of(task.reference).source
        except CnnInspectError:
            continue
        if source in LISTABLE:
            text = json.dumps([versions(source), plain(task)])
            keys[task] = hashlib.sha256(text.encode()).hexdigest()
    return keys


def _recalled(memory: Memory, keys: dict[Task, str]) -> dict[Task, Outcome]:
    texts = memory.recall(list(keys.values())) if keys else {}
    found = {}
    for task, key in keys.items():
        if key in texts:
            try:
                found[task] = read_outcome(texts[key])
            except (TypeError, KeyError, ValueError):
                continue  # what cannot be read is measured again
    return found


class _Notebook:
    """Writes outcomes down, many at a time, and the last ones when it is closed."""

    def __init__(self, memory: Memory | None, keys: dict[Task, str]) -> None:
        self.memory = memory
        self.keys = keys
        self.open: dict[str, str] = {}
        self.written = time.monotonic()

    def note(self, task: Task, outcome: Outcome) -> None:
        """Write an outcome down, sooner or later, if it is worth it."""
        lasts = not isinstance(outcome, Unmeasured) or outcome.kind in LASTING
        if self.memory is None or task not in self.keys or not lasts:
            return
        self.open[self.keys[task]] = written_outcome(outcome)
        if time.monotonic() - self.written > SECONDS_BETWEEN:
            self.close()

    def close(self) -> None:
        """Write down what is open."""
        if self.memory is not None:
            self.memory.keep(self.open)
        self.open, self.written = {}, time.monotonic()
