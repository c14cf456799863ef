"""Networks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Union

from cnninspect.commands import question
from cnninspect.commands.compare.report import Comparison, comparison_of
from cnninspect.errors import BadOption
from cnninspect.metrics.figures import Figures, MeasuredAccuracy, Unmeasured
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.sources.open import (
    Model,
    as_arguments,
    as_subject,
    called,
    is_model,
    load,
    several,
)
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
    from os import PathLike

    from typing_extensions import Unpack

    from cnninspect.store.survey import MeasuringOptions


def compare(
    models: Union[Model, Sequence[Model], Mapping[str, Model]],
    *more: Any,
    inputs: Any = None,
    baseline: Model | None = None,
    data: str | PathLike[str] | None = None,
    weights: Union[
        Sequence[str | PathLike[str] | None], Mapping[str, str | PathLike[str]], None
    ] = None,
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

    With `data`, as for `evaluate`, each has its accuracy beside its cost: with the file of
    `weights` that stands in its place, or under its name; live modules and ONNX files have their
    own.

    Raises:
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    if more and inputs is None and not is_model(more[-1]):
        *more, inputs = more  # type: ignore[assignment]
    listed = (*several(models), *more)
    subjects = _told_apart([_subject(model) for model in listed])
    measured, notes = _accuracies(listed, inputs, data, weights)
    first = None if baseline is None else _subject(baseline)
    given = as_arguments(inputs)
    report = compare_models(
        subjects, first, remember=remember, measured=measured, arguments=given, **options
    )
    return replace(report, notes=(*report.notes, *notes)) if notes else report


def _accuracies(
    models: Sequence[Model],
    inputs: Any,
    data: str | PathLike[str] | None,
    weights: Sequence[str | PathLike[str] | None] | Mapping[str, str | PathLike[str]] | None,
) -> tuple[tuple[MeasuredAccuracy | None, ...], tuple[str, ...]]:
    """How well each model does on data, and for which there was nothing to measure.

    Raises:
        BadOption: there are weights and no data, or weights for no model.
    """
    if data is None:
        if weights:
            raise BadOption("--weights", _first_of(weights), "used with --data")
        return (), ()
    files = _files_for(models, weights)
    found: list[MeasuredAccuracy | None] = []
    without: list[str] = []
    notes: dict[str, None] = {}
    for model, file in zip(models, files):
        if file is None and not _has_weights(model):
            found.append(None)
            without.append(str(model))
            continue
        accuracy, told = _accuracy(model, inputs, data, file)
        found.append(accuracy)
        notes.update(dict.fromkeys(told))
    if without:
        names = ", ".join(without)
        notes[f"no --weights for {names}: no accuracy is measured of an untrained network"] = None
    return tuple(found), tuple(notes)


def _first_of(weights: Any) -> Any:
    return next(iter(weights.values() if isinstance(weights, Mapping) else weights))


def _files_for(models: Sequence[Model], weights: Any) -> list[str | PathLike[str] | None]:
    if not weights:
        return [None] * len(models)
    if isinstance(weights, Mapping):
        for name, file in weights.items():
            if name not in models:
                raise BadOption("--weights", f"{name}={file}", "the file of one of the models")
        return [weights.get(model) if isinstance(model, str) else None for model in models]
    if len(weights) != len(models):
        wanted = f"one file for each of the {len(models)} models in order, or MODEL=FILE"
        raise BadOption("--weights", f"{len(weights)} files", wanted)
    return list(weights)


def _has_weights(model: Model) -> bool:
    """Whether it comes with weights of its own: a live module, or a file that holds both."""
    from cnninspect.metrics.saved import is_saved_report

    if is_saved_report(model):
        return False
    loaded = as_subject(model)
    loaded = load(loaded) if isinstance(loaded, str) else loaded
    if isinstance(loaded, LoadedModel):
        return loaded.live or loaded.info.source in ("pt", "pt2")
    return isinstance(loaded, GraphFile)


def _accuracy(
    model: Any, inputs: Any, data: str | PathLike[str], file: str | PathLike[str] | None
) -> tuple[MeasuredAccuracy, tuple[str, ...]]:
    """How well a model does, and what a reader should know of it."""
    found = question("evaluate")(model, inputs, data=data, weights=file)
    (interval,) = (each for each in found.intervals if each.name == "accuracy")
    measured = MeasuredAccuracy(
        accuracy=found.accuracy,
        low=interval.low,
        high=interval.high,
        loss=found.loss,
        data=found.data,
        part=found.part,
        examples=found.examples,
        weights=None if file is None else str(file),
    )
    return measured, found.notes


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
    measured: Sequence[MeasuredAccuracy | None] = (),
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
    if measured:  # the baseline may have been put before those that were named
        beside = [None] * (len(listed) - len(measured)) + list(measured)
        outcomes = [
            replace(outcome, measured=accuracy) if isinstance(outcome, Figures) else outcome
            for outcome, accuracy in zip(outcomes, beside)
        ]
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
