"""From models and limits to a comparison or a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Union

from cnninspect.analyses.bounds import limits_of
from cnninspect.analyses.comparing import AXES, check_dtype, compare, limit_texts, select, stored_as
from cnninspect.costs.conventions import find as find_convention
from cnninspect.errors import BadOption, CnnInspectError, Failure, UnknownChoice
from cnninspect.records.comparison import Comparison, Figures, Finding, Unmeasured
from cnninspect.records.limits import QUANTITIES, Limit
from cnninspect.records.models import GraphFile, InputRequest, LoadedModel
from cnninspect.records.traces import Trace
from cnninspect.surveys.measuring import unmeasured, weights_of
from cnninspect.surveys.naming import references_in
from cnninspect.surveys.remembering import Memory
from cnninspect.surveys.surveying import Progress, survey
from cnninspect.surveys.tasks import Outcome, Task

Subject = Union[str, LoadedModel, GraphFile, Trace]
"""A reference, a model that can be built, or a trace that was made before."""
MODES = ("eval", "train")


class BaselineFailed(Failure):
    """The model that others are measured by could not be measured itself."""

    def __init__(self, outcome: Unmeasured) -> None:
        super().__init__(f"the baseline {outcome.reference}: {outcome.error}", outcome.hint)


@dataclass(frozen=True, slots=True)
class Measuring:
    """How models are measured.

    Raises:
        UnknownChoice: there is no such mode or convention.
        BadOption: the number of processes is of no use.
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

    def __post_init__(self) -> None:
        check_dtype(self.dtype)
        find_convention(self.convention)
        if self.mode not in MODES:
            raise UnknownChoice("mode", self.mode, MODES)
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


def compare_models(
    subjects: Sequence[Subject],
    baseline: Subject | None,
    *,
    remember: bool,
    **options: Any,
) -> Comparison:
    """The models side by side; see `cnninspect.compare`."""
    measuring, limits = _taken_apart(options)
    listed = list(subjects)
    if not listed:
        raise BadOption("compare", "of nothing", "given one model or more")
    position = 0 if baseline is None else _position(baseline, listed)
    memory = Memory() if remember else None
    outcomes = _outcomes(listed, measuring, memory)
    first = outcomes[position]
    if isinstance(first, Unmeasured) and any(limit.bound.is_share for limit in limits):
        raise BaselineFailed(first)
    return compare(
        [outcome for outcome in outcomes if isinstance(outcome, Figures)],
        [outcome for outcome in outcomes if isinstance(outcome, Unmeasured)],
        baseline=first if isinstance(first, Figures) else None,
        limits=limits,
        notes=memory.notes if memory else (),
    )


def find_models(
    pattern: str,
    *,
    sources: Sequence[str],
    axes: Sequence[str],
    baseline: str | None,
    remember: bool,
    **options: Any,
) -> Finding:
    """What fits; see `cnninspect.find`."""
    for axis in axes:
        if axis not in AXES:
            raise UnknownChoice("--axes", axis, AXES)
    measuring, limits = _taken_apart({"jobs": None, **options})
    if baseline is None:
        limit_texts(limits, None)  # says at once that a share needs one
    memory = Memory() if remember else None
    references = references_in(sources, pattern, memory)
    outcomes = _outcomes([*references, *filter(None, [baseline])], measuring, memory)
    first = outcomes[-1] if baseline else None
    if isinstance(first, Unmeasured):
        raise BaselineFailed(first)
    found = outcomes[: len(references)]
    return select(
        [outcome for outcome in found if isinstance(outcome, Figures)],
        [outcome for outcome in found if isinstance(outcome, Unmeasured)],
        baseline=first,
        limits=limits,
        axes=axes,
        sources=sources,
        pattern=pattern,
        notes=memory.notes if memory else (),
    )


def _taken_apart(options: Mapping[str, Any]) -> tuple[Measuring, tuple[Limit, ...]]:
    """How to measure, and the limits.

    Raises:
        TypeError: there is no such option.
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    names = [f"{side}_{quantity}" for quantity in QUANTITIES for side in ("max", "min")]
    known = {field.name for field in fields(Measuring)}
    for name in options:
        if name not in known and name not in names:
            raise TypeError(f"there is no option {name!r}; limits are {', '.join(names)}")
    measuring = Measuring(**{name: value for name, value in options.items() if name in known})
    typed = [(name, options[name]) for name in names if options.get(name) is not None]
    return measuring, limits_of((name, str(value)) for name, value in typed)


def _position(baseline: Subject, listed: list[Subject]) -> int:
    """Where the baseline is; it is put first where it is not among the models."""
    for i, subject in enumerate(listed):
        if subject is baseline or (isinstance(subject, str) and subject == baseline):
            return i
    listed.insert(0, baseline)
    return 0


def _outcomes(
    subjects: Sequence[Subject], measuring: Measuring, memory: Memory | None
) -> list[Outcome]:
    """What comes of each: references are measured where it is best, all else here."""
    names = [s for s in subjects if isinstance(s, str) and measuring.can_be_told]
    tasks = [
        Task(name, measuring.requests, measuring.batch, measuring.mode, measuring.convention)
        for name in names
    ]
    surveyed = survey(tasks, jobs=measuring.jobs, memory=memory, progress=measuring.progress)
    known = dict(zip(names, surveyed))
    return [
        _stored(
            known[s] if isinstance(s, str) and s in known else _measured_here(s, measuring),
            measuring.dtype,
        )
        for s in subjects
    ]


def _stored(outcome: Outcome, dtype: str | None) -> Outcome:
    if isinstance(outcome, Unmeasured) or dtype is None:
        return outcome
    return stored_as(outcome, dtype)


def _measured_here(subject: Subject, measuring: Measuring) -> Outcome:
    from cnninspect.analyses.figures import figures_of
    from cnninspect.analyses.weight_figures import figures_of_weights

    if isinstance(subject, Trace):
        return figures_of(subject, measuring.convention)
    from cnninspect.engine.dispatching import trace
    from cnninspect.sources.registry import load, reference_of

    try:
        weights = weights_of(reference_of(subject)) if isinstance(subject, str) else None
        if weights is not None:
            return figures_of_weights(weights, measuring.convention)
        loaded = load(subject) if isinstance(subject, str) else subject
        traced = trace(
            loaded,
            measuring.arguments,
            kwargs=measuring.kwargs,
            mode=measuring.mode,
            batch=measuring.batch,
        )
        return figures_of(traced, measuring.convention)
    except CnnInspectError as problem:
        name = subject if isinstance(subject, str) else subject.info.reference
        return unmeasured(name, problem)
