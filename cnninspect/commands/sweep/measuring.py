"""Measures the points of design spaces, in this process or in several, and remembers them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from cnninspect.commands.sweep.space import Choice, Space
from cnninspect.commands.sweep.table import (
    FAILED,
    PointTable,
    Result,
    Row,
    read_rows,
    result_of,
    row_of,
    written,
)
from cnninspect.errors import BadSetting, CnnInspectError
from cnninspect.metrics.figures import Unmeasured
from cnninspect.records.models import InputRequest
from cnninspect.records.reports import plain
from cnninspect.sources.registry import LISTABLE, reference_of
from cnninspect.sources.zoo import family_and_arguments
from cnninspect.store.cache import (
    Memory,
    has_formulas_of_this_process,
    settings_of_libraries,
    versions,
)
from cnninspect.store.cluster import cluster_of, measure_on_cluster
from cnninspect.store.survey import LASTING, Progress, worthwhile_jobs
from cnninspect.store.tasks import PointTask
from cnninspect.store.worker_pool import measure_side_by_side

SECONDS_BETWEEN = 2.0
"""How often results are written down: what a kill at any moment can lose at most."""

Arrived = Callable[[Choice, Result], None]
"""Called with each point as soon as it is known."""


@dataclass(frozen=True, slots=True)
class How:
    """How points are measured."""

    inputs: tuple[InputRequest, ...] | None = None
    batch: int = 1
    mode: str = "eval"
    figures: tuple[str, ...] = ()
    device: str | None = None
    jobs: int | None = None
    progress: Progress | None = None
    cluster: str | None = None

    @property
    def is_of_this_machine(self) -> bool:
        """Whether a figure depends on how fast this machine is, which is not remembered."""
        return "latency" in self.figures or (self.device or "").startswith("this")

    def task(self, reference: str) -> PointTask:
        """What is measured of a reference."""
        return PointTask(reference, self.inputs, self.batch, self.mode, self.figures, self.device)


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of the points."""

    table: PointTable
    """Those whose figures are known, in their order."""
    failed: tuple[Unmeasured, ...]
    repeated: int
    """Points that were asked for more than once."""
    recalled: int
    """Points that were known from another time."""


def measured(
    choices: Iterator[Choice], how: How, memory: Memory | None, *, arrived: Arrived | None = None
) -> Measured:
    """The figures of all points; what is remembered is not measured again.

    Results are written down every two seconds, so a sweep that was stopped goes on where it was.
    """
    wanted: dict[str, Choice] = {}
    repeated = 0
    for choice in choices:
        repeated += wanted.setdefault(choice.reference, choice) is not choice
    rows = _recalled(wanted, how, memory)
    recalled = len(rows)
    if arrived is not None:
        for reference, row in rows.items():
            arrived(wanted[reference], result_of(row, reference))
    missing = _neighbours([r for r in wanted if r not in rows], wanted)
    with closing(_Notebook(memory, how)) as notebook:
        for done, (reference, result) in enumerate(_each(missing, how), start=1):
            rows[reference] = row_of(result)
            notebook.note(wanted[reference], result)
            if arrived is not None:
                arrived(wanted[reference], result)
            if how.progress is not None:
                how.progress(done, len(missing), reference)
    known = [reference for reference in wanted if len(rows[reference]) != FAILED]
    table = PointTable.of([wanted[r] for r in known], known, [rows[r] for r in known])
    failed = (reference for reference in wanted if len(rows[reference]) == FAILED)
    return Measured(table, tuple(Unmeasured(r, *rows[r]) for r in failed), repeated, recalled)


def _neighbours(references: Sequence[str], wanted: dict[str, Choice]) -> list[str]:
    """The references, those that differ in the input alone one after the other."""
    inputs: dict[str, tuple[str, ...]] = {}
    groups: dict[tuple[Any, ...], list[str]] = {}
    for reference in references:
        choice = wanted[reference]
        model = choice.space.model
        if model not in inputs:
            parsed = reference_of(model)
            is_zoo = parsed.source == "zoo"
            inputs[model] = family_and_arguments(parsed)[0].input_settings if is_zoo else ()
        names = (axis.name for axis in choice.space.axes)
        rest = tuple(v for name, v in zip(names, choice.values) if name not in inputs[model])
        groups.setdefault((id(choice.space), rest), []).append(reference)
    return [reference for group in groups.values() for reference in group]


def _each(references: Sequence[str], how: How) -> Iterator[tuple[str, Result]]:
    """What comes of each reference, as it comes."""
    if not references:
        return
    tasks = [how.task(reference) for reference in references]
    cluster = cluster_of(how.cluster)
    if cluster is not None and not has_formulas_of_this_process():
        with closing(measure_on_cluster(tasks, cluster)) as results:
            for position, result in results:
                yield references[position], result
        return
    jobs = how.jobs or (1 if "latency" in how.figures else worthwhile_jobs(len(tasks)))
    if jobs == 1 or has_formulas_of_this_process():
        from cnninspect.store.points import measure_point

        for task in tasks:
            yield task.reference, measure_point(task)
        return
    with closing(measure_side_by_side(tasks, jobs)) as results:
        for position, result in results:
            yield references[position], result


# --- what is remembered ---


def space_key(space: Space, how: How) -> str | None:
    """What all points of a space share; None: they are not remembered, being somebody's code."""
    try:
        source = reference_of(space.model).source
    except CnnInspectError:
        return None
    if source not in LISTABLE or has_formulas_of_this_process():
        return None
    facts = [
        versions(source),
        settings_of_libraries(),
        space.model,
        plain(how.inputs),
        how.batch,
        how.mode,
        sorted(how.figures),
        how.device,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _recalled(wanted: dict[str, Choice], how: How, memory: Memory | None) -> dict[str, Row]:
    if memory is None or how.is_of_this_machine:
        return {}
    by_space: dict[int, tuple[Space, dict[str, str]]] = {}
    for space, pairs in groupby(wanted.items(), key=lambda item: item[1].space):
        _, points = by_space.setdefault(id(space), (space, {}))
        points.update((choice.key, reference) for reference, choice in pairs)
    found: dict[str, Row] = {}
    for space, points in by_space.values():
        key = space_key(space, how)
        texts = memory.recall_points(key, list(points)) if key else {}
        known = [point for point in points if point in texts]
        for point, row in zip(known, read_rows([texts[point] for point in known])):
            if row is not None:
                found[points[point]] = row
    return found


class _Notebook:
    """Writes results down every few seconds, and the last ones when it is closed."""

    def __init__(self, memory: Memory | None, how: How) -> None:
        self.memory = memory
        self.how = how
        self.open: dict[str, dict[str, str]] = {}
        self.keys: dict[int, str | None] = {}
        self.written = time.monotonic()

    def note(self, choice: Choice, result: Result) -> None:
        """Write a result down, sooner or later, if it is worth it."""
        lasts = not isinstance(result, Unmeasured) or result.kind in (*LASTING, *WRONG)
        if self.memory is None or not lasts or self.how.is_of_this_machine:
            return
        if id(choice.space) not in self.keys:
            self.keys[id(choice.space)] = space_key(choice.space, self.how)
        key = self.keys[id(choice.space)]
        if key is not None:
            self.open.setdefault(key, {})[choice.key] = written(result)
        if time.monotonic() - self.written > SECONDS_BETWEEN:
            self.close()

    def close(self) -> None:
        """Write down what is open."""
        if self.memory is not None:
            for space, texts in self.open.items():
                self.memory.keep_points(space, texts)
        self.open, self.written = {}, time.monotonic()


WRONG = ("BadSetting", "UnknownSetting")
"""Errors of settings, which come again as well."""


def check_spaces(spaces: Sequence[Space]) -> None:
    """See that models can be named, and that those of the zoo are there and have these settings.

    Raises:
        BadReference, UnknownModel, UnknownSetting: one cannot, is not, or has not.
    """
    for space in spaces:
        reference = reference_of(space.choice(0).reference)
        if reference.source != "zoo":
            continue
        family_and_arguments(replace(reference, settings=()))
        for setting in reference.settings:
            with suppress(BadSetting):  # other values may do
                family_and_arguments(replace(reference, settings=(setting,)))
