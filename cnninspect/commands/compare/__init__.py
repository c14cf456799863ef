"""Networks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.commands.compare.report import Comparison, comparison_of
from cnninspect.errors import BadOption
from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.records.models import LoadedModel
from cnninspect.sources.open import Model, as_arguments, as_subject, called, is_model, several
from cnninspect.store.cache import Memory
from cnninspect.store.survey import (
    BaselineFailed,
    Known,
    measuring_and_limits,
    outcomes_of,
    timing_where_limited,
    with_times,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnninspect.store.survey import MeasuringOptions


def compare(
    models: Union[Model, Sequence[Model], Mapping[str, Model]],
    *more: Any,
    inputs: Any = None,
    baseline: Model | None = None,
    remember: bool = False,
    **options: Unpack[MeasuringOptions],
) -> Comparison:
    """Models side by side, with their ratios to the baseline, which is the first unless named.

    Models stand one after the other, in a list, or in a dictionary that names them; what follows
    them and is none is `inputs`, as for `summarize`.
    `options` are limits, such as `max_params="25M"` or `min_macs=10**9`; `kwargs`, `batch`, `mode`
    and `convention`, as for `summarize`; `dtype`, for bytes as if parameters were stored so; and
    `jobs`, the processes that measure references, 1 unless given.  With `latency`, or a limit such
    as `max_latency="20ms"`, each is timed on this machine, for `seconds` on `threads`; with
    `device_spec`, each has the least time on a device, which `max_bound` limits.  `remember` keeps
    what is measured of named architectures in the user's cache folder.  A model that fails is in
    `failed`.

    Raises:
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    if more and inputs is None and not is_model(more[-1]):
        *more, inputs = more  # type: ignore[assignment]
    listed = (*several(models), *more)
    subjects = _told_apart([_subject(model) for model in listed])
    first = None if baseline is None else _subject(baseline)
    given = as_arguments(inputs)
    return compare_models(subjects, first, remember=remember, arguments=given, **options)


def _subject(model: Model) -> Known:
    """What is measured: of a saved report, the figures in it."""
    from cnninspect.metrics.saved import is_saved_report, read_report

    if is_saved_report(model):
        return read_report(model).figures
    return as_subject(model)


def _told_apart(subjects: list[Any]) -> list[Any]:
    """The same models, where live ones of one class are numbered: `Net`, `Net (2)`."""
    seen: dict[str, int] = {}
    named = []
    for subject in subjects:
        if isinstance(subject, LoadedModel) and subject.live and subject.info.source == "module":
            name = subject.info.reference
            seen[name] = seen.get(name, 0) + 1
            subject = called(subject, f"{name} ({seen[name]})") if seen[name] > 1 else subject
        named.append(subject)
    return named


def compare_models(
    subjects: Sequence[Known],
    baseline: Known | None,
    *,
    remember: bool,
    **options: Any,
) -> Comparison:
    """The models side by side; see `cnninspect.compare`."""
    measuring, limits = measuring_and_limits(options)
    listed = list(subjects)
    if not listed:
        raise BadOption("comparison_of", "of nothing", "given one model or more")
    position = 0 if baseline is None else _position(baseline, listed)
    memory = Memory() if remember else None
    measuring = timing_where_limited(measuring, limits)
    outcomes = with_times(listed, outcomes_of(listed, measuring, memory), measuring)
    first = outcomes[position]
    if isinstance(first, Unmeasured) and any(limit.bound.is_share for limit in limits):
        raise BaselineFailed(first)
    return comparison_of(
        [outcome for outcome in outcomes if isinstance(outcome, Figures)],
        [outcome for outcome in outcomes if isinstance(outcome, Unmeasured)],
        baseline=first if isinstance(first, Figures) else None,
        limits=limits,
        notes=memory.told() if memory else (),
    )


def _position(baseline: Known, listed: list[Known]) -> int:
    """Where the baseline is; it is put first where it is not among the models."""
    for i, subject in enumerate(listed):
        if subject is baseline or (isinstance(subject, (str, Figures)) and subject == baseline):
            return i
    listed.insert(0, baseline)
    return 0
