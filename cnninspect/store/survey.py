"""Measures many models: what is remembered is not measured again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any, Union

from cnninspect.costs.conventions import find as find_convention
from cnninspect.errors import (
    BadOption,
    CnnInspectError,
    Failure,
    NeedsModules,
    UnknownArgument,
    UnknownChoice,
)
from cnninspect.metrics.figures import Figures, Unmeasured, check_dtype, stored_as
from cnninspect.metrics.limits import QUANTITIES, Limit, LimitOptions, limits_of
from cnninspect.metrics.roofline import parse_device
from cnninspect.records.models import (
    MODES,
    InputRequest,
)
from cnninspect.records.reports import plain
from cnninspect.records.timings import TimeSettings
from cnninspect.records.traces import Trace
from cnninspect.sources.open import check_batch, weights_of
from cnninspect.sources.registry import LISTABLE, reference_of
from cnninspect.store.cache import (
    Memory,
    day_of,
    has_formulas_of_this_process,
    settings_of_libraries,
    versions,
)
from cnninspect.store.cluster import Cluster, cluster_of, measure_on_cluster
from cnninspect.store.measuring import Subject, latency_of, least_seconds, measure, unmeasured
from cnninspect.store.tasks import Outcome, Task, read_outcome, written_outcome
from cnninspect.store.this_machine import datasheet
from cnninspect.store.traces import without_memory
from cnninspect.store.worker_pool import measure_side_by_side

Progress = Callable[[int, int, str], None]
"""Called with the models done, those to do, and the one that was done last."""

MANY = 8
"""Models for which another process is worth its start."""
LASTING = ("BuildFailed", "RunFailed", "ShapeMismatch", "BadInput")
"""Errors that come again; others may be gone when the user has done something."""
SECONDS_BETWEEN = 5.0
"""How often results are written down while others are still measured."""


def survey(
    tasks: Sequence[Task],
    *,
    jobs: int | None = None,
    memory: Memory | None = None,
    progress: Progress | None = None,
    cluster: str | None = None,
) -> tuple[Outcome, ...]:
    """What comes of each task, in their order.

    `cluster` is a Dask cluster to measure on; see `store.cluster`.

    `jobs` processes measure side by side; None: as many as are worth it.  With a `memory`, what
    it holds is not measured, and what was measured of named architectures is put in.
    """
    here = has_formulas_of_this_process()
    distinct = list(dict.fromkeys(tasks))
    keys = {} if memory is None or here else _keys(distinct)
    outcomes = _recalled(memory, keys) if memory is not None else {}
    missing = [task for task in distinct if task not in outcomes]
    if missing:
        processes = 1 if here else jobs or worthwhile_jobs(len(missing))
        measured = _measured(missing, processes, None if here else cluster_of(cluster))
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


def _measured(
    tasks: Sequence[Task], jobs: int, cluster: Cluster | None
) -> Iterator[tuple[Task, Outcome]]:
    if cluster is not None:
        for position, outcome in measure_on_cluster(tasks, cluster):
            yield tasks[position], outcome
        return
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
            text = json.dumps([versions(source), settings_of_libraries(), plain(task)])
            keys[task] = hashlib.sha256(text.encode()).hexdigest()
    return keys


def _recalled(memory: Memory, keys: dict[Task, str]) -> dict[Task, Outcome]:
    texts = memory.recall_dated(list(keys.values())) if keys else {}
    found = {}
    for task, key in keys.items():
        if key in texts:
            text, when = texts[key]
            try:
                day_of(when)
                found[task] = read_outcome(text)
            except (TypeError, KeyError, ValueError, OverflowError, OSError):
                continue  # what cannot be read is measured again
            memory.recalled.append(when)
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
        self.open[self.keys[task]] = written_outcome(_unnoted(outcome))
        if time.monotonic() - self.written > SECONDS_BETWEEN:
            self.close()

    def close(self) -> None:
        """Write down what is open."""
        if self.memory is not None:
            self.memory.keep(self.open)
        self.open, self.written = {}, time.monotonic()


def _unnoted(outcome: Outcome) -> Outcome:
    """The same without a note that its trace was remembered: figures have a date of their own."""
    if isinstance(outcome, Unmeasured):
        return outcome
    notes = without_memory(outcome.engine.notes)
    return replace(outcome, engine=replace(outcome.engine, notes=notes))


Known = Union[Subject, Figures]
"""The same, or figures that were saved before."""


class BaselineFailed(Failure):
    """The model that others are measured by could not be measured itself."""

    def __init__(self, outcome: Unmeasured) -> None:
        super().__init__(f"the baseline {outcome.reference}: {outcome.error}", outcome.hint)


class MeasuringOptions(LimitOptions, total=False):
    """How models are measured, and limits, as keyword arguments: the fields of `Measuring`."""

    kwargs: Mapping[str, Any] | None
    batch: int
    mode: str
    convention: str
    dtype: str | None
    jobs: int | None
    progress: Progress | None
    cluster: str | None
    device_spec: str | None
    latency: bool
    seconds: float
    threads: int | None


@dataclass(frozen=True, slots=True)
class Measuring:
    """How models are measured.

    Raises:
        UnknownChoice: there is no such mode or convention.
        BadOption: the number of processes cannot be used.
    """

    arguments: Sequence[Any] | None = None
    """Positional arguments of `forward`, with requests for tensors to be made; None: defaults."""
    kwargs: Mapping[str, Any] | None = None
    batch: int = 1
    mode: str = "eval"
    convention: str = "macs"
    dtype: str | None = None
    """That bytes are counted in."""
    jobs: int | None = 1
    """Processes; None: as many as are worth it."""
    progress: Progress | None = None
    cluster: str | None = None
    """A Dask cluster: its address, `local`, or a scheduler file; None: as the environment says."""
    device_spec: str | None = None
    """That least times are of; None: none are told."""
    latency: bool = False
    """Whether each model is timed on this machine, one after the other."""
    seconds: float = 1.0
    """For how long."""
    threads: int | None = None
    """On how many threads; None: PyTorch's own choice."""

    def __post_init__(self) -> None:
        TimeSettings(batch=self.batch, seconds=self.seconds, threads=self.threads, mode=self.mode)
        if self.device_spec is not None:
            parse_device(self.device_spec, "float32", datasheet(self.device_spec))
        check_dtype(self.dtype)
        find_convention(self.convention)
        if self.mode not in MODES:
            raise UnknownChoice("mode", self.mode, MODES)
        check_batch(self.batch)
        if self.jobs is not None and self.jobs < 1:
            raise BadOption("--jobs", self.jobs, "1 or more")

    @property
    def requests(self) -> tuple[InputRequest, ...] | None:
        """The inputs that are to be made."""
        if not self.arguments:
            return None
        return tuple(a for a in self.arguments if isinstance(a, InputRequest))

    @property
    def can_be_told(self) -> bool:
        """Whether another process can be told: nobody's own tensors are among the inputs."""
        return not self.kwargs and len(self.requests or ()) == len(self.arguments or ())


def measuring_and_limits(options: Mapping[str, Any]) -> tuple[Measuring, tuple[Limit, ...]]:
    """How to measure, and the limits.

    Raises:
        UnknownArgument: there is no such option.
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    names = [f"{side}_{quantity}" for quantity in QUANTITIES for side in ("max", "min")]
    known = {field.name for field in fields(Measuring)}
    for name in options:
        if name not in known and name not in names:
            raise UnknownArgument("compare", name, (*sorted(known), *names))
    measuring = Measuring(**{name: value for name, value in options.items() if name in known})
    typed = [(name, options[name]) for name in names if options.get(name) is not None]
    limits = limits_of((name, str(value)) for name, value in typed)
    if any(limit.quantity == "bound" for limit in limits) and measuring.device_spec is None:
        raise BadOption("--max-bound", "without --device-spec", "of a device: --device-spec a100")
    return measuring, limits


def outcomes_of(
    subjects: Sequence[Known], measuring: Measuring, memory: Memory | None
) -> list[Outcome]:
    """What comes of each: references are measured where it is best, all else here."""
    names = [s for s in subjects if isinstance(s, str) and measuring.can_be_told]
    tasks = [
        Task(name, measuring.requests, measuring.batch, measuring.mode, measuring.convention)
        for name in names
    ]
    surveyed = survey(
        tasks,
        jobs=measuring.jobs,
        memory=memory,
        progress=measuring.progress,
        cluster=measuring.cluster,
    )
    known = dict(zip(names, surveyed))
    return [
        _stored_as(
            known[s] if isinstance(s, str) and s in known else _measured_here(s, measuring),
            measuring.dtype,
        )
        for s in subjects
    ]


def timing_where_limited(measuring: Measuring, limits: Sequence[Limit]) -> Measuring:
    """The same, with models timed where a limit is on how long they take."""
    is_limited = any(limit.quantity == "latency" for limit in limits)
    return replace(measuring, latency=True) if is_limited else measuring


def with_times(
    subjects: Sequence[Known],
    outcomes: Sequence[Outcome],
    measuring: Measuring,
    *,
    is_wanted: Callable[[Figures], bool] = lambda _: True,
) -> list[Outcome]:
    """The same outcomes with least times and latencies, where they are asked for.

    Models are timed one after the other, in this process; of those that are not wanted nothing is
    measured.  One that cannot be timed has failed.
    """
    found, wanted = list(outcomes), []
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, Figures) and outcome.has_work and is_wanted(outcome):
            wanted.append(place)
    if not measuring.latency and measuring.device_spec is None:
        return found
    for done, place in enumerate(wanted):
        outcome, subject = found[place], subjects[place]
        assert isinstance(outcome, Figures)
        if measuring.progress is not None:
            measuring.progress(done, len(wanted), f"timing {outcome.model.name}")
        try:
            found[place] = _timed_figures(outcome, subject, measuring)
        except CnnInspectError as problem:
            found[place] = unmeasured(outcome.model.reference, problem)
    return found


def _timed_figures(figures: Figures, subject: Known, measuring: Measuring) -> Figures:
    from cnninspect.sources.open import trace

    if isinstance(subject, Figures):
        raise NeedsModules(subject.model.reference, "a saved report", "a time")
    traced = subject
    if not isinstance(traced, Trace):
        traced = trace(
            subject, measuring.arguments, kwargs=measuring.kwargs, mode=measuring.mode,
            batch=measuring.batch,
        )  # fmt: skip
    changes: dict[str, Any] = {}
    if measuring.device_spec is not None:
        changes["bound_s"] = least_seconds(traced, measuring.device_spec)
    if measuring.latency:
        settings = TimeSettings(
            batch=measuring.batch, mode=measuring.mode, seconds=measuring.seconds,
            threads=measuring.threads,
        )  # fmt: skip
        changes["latency"] = latency_of(
            subject, traced, measuring.arguments, kwargs=measuring.kwargs, settings=settings
        )
    return replace(figures, **changes)


def _stored_as(outcome: Outcome, dtype: str | None) -> Outcome:
    if isinstance(outcome, Unmeasured) or dtype is None:
        return outcome
    return stored_as(outcome, dtype)


def _measured_here(subject: Known, measuring: Measuring) -> Outcome:
    from cnninspect.metrics.figures import figures_of
    from cnninspect.metrics.saved import check_convention
    from cnninspect.metrics.weights import figures_of_weights

    if isinstance(subject, Figures):  # saved before
        check_convention(subject, measuring.convention)
        return subject
    if isinstance(subject, Trace):
        return figures_of(subject, measuring.convention)
    from cnninspect.sources.open import trace
    from cnninspect.sources.registry import reference_of

    try:
        weights = weights_of(reference_of(subject)) if isinstance(subject, str) else None
        if weights is not None:
            return figures_of_weights(weights, measuring.convention)
        traced = trace(
            subject,
            measuring.arguments,
            kwargs=measuring.kwargs,
            mode=measuring.mode,
            batch=measuring.batch,
        )
        return figures_of(traced, measuring.convention)
    except CnnInspectError as problem:
        name = subject if isinstance(subject, str) else subject.info.reference
        return unmeasured(name, problem)
