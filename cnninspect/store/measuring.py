"""Measures one model: its figures, its least time and its latency; an error is an outcome, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Union

from cnninspect import errors
from cnninspect.errors import CnnInspectError, Failure
from cnninspect.metrics.figures import Figures, Unmeasured, figures_of
from cnninspect.metrics.roofline import device_for, rooflines
from cnninspect.metrics.weights import figures_of_weights
from cnninspect.records.models import Accuracy, GraphFile, LoadedModel, Reference
from cnninspect.records.timings import Latency, TimeSettings
from cnninspect.records.traces import Trace
from cnninspect.sources.open import load, timed, trace, weights_of
from cnninspect.sources.registry import reference_of
from cnninspect.store.tasks import Outcome, Task
from cnninspect.store.this_machine import datasheet

Measured = TypeVar("Measured")
Subject = Union[str, LoadedModel, GraphFile, Trace]
"""A reference, a model that can be built, or a trace that was made before."""


def measure(task: Task) -> Outcome:
    """The figures of the model that a task names.  Whatever goes wrong is an outcome, too."""
    return as_outcome(task.reference, lambda: _figures(task))


def as_outcome(reference: str, work: Callable[[], Measured]) -> Measured | Unmeasured:
    """What `work` returns, or what went wrong in it."""
    try:
        return work()
    except CnnInspectError as problem:
        return unmeasured(reference, problem)
    except MemoryError as problem:
        return Unmeasured(reference, "there is not enough memory", "", type(problem).__name__)
    except Exception as problem:  # a defect of ours in one model must not be the end of a survey
        kind = type(problem).__name__
        hint = "this is a defect of cnninspect; cnninspect summary --debug shows where"
        return Unmeasured(reference, f"unexpected {kind}: {problem}", hint, "Defect")


def unmeasured(reference: str, problem: CnnInspectError) -> Unmeasured:
    """An error as an outcome."""
    return Unmeasured(reference, str(problem), problem.hint, type(problem).__name__)


def error_of(outcome: Unmeasured) -> CnnInspectError:
    """The error that an outcome was, of the same class, so that it counts as if it were here."""
    kind = getattr(errors, outcome.kind, Failure)
    if not (isinstance(kind, type) and issubclass(kind, CnnInspectError)):
        kind = Failure
    problem: CnnInspectError = kind.__new__(kind)
    CnnInspectError.__init__(problem, outcome.error, outcome.hint)
    return problem


def _figures(task: Task) -> Figures:
    reference = reference_of(task.reference)
    weights = weights_of(reference)
    if weights is not None:
        return figures_of_weights(weights, task.convention)
    traced = trace(task.reference, task.inputs, mode=task.mode, batch=task.batch)
    size = traced.inputs[0].spec.shape[-2:] if traced.inputs else ()
    return figures_of(traced, task.convention, _accuracy(reference, size))


def _accuracy(reference: Reference, size: tuple[int, ...]) -> Accuracy | None:
    """What the source publishes of this network as its authors built it."""
    if reference.source != "torchvision" or reference.settings:
        return None
    from cnninspect.sources.torchvision import published_accuracy

    return published_accuracy(reference.name, size)


def least_seconds(traced: Trace, device_spec: str) -> float:
    """The least time of a forward pass on a device, call by call."""
    device = device_for(traced, device_spec, this=datasheet(device_spec))
    return sum(each.seconds for each in rooflines(traced.calls, (), device).values())


def latency_of(
    subject: Subject,
    traced: Trace,
    arguments: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    settings: TimeSettings,
) -> Latency:
    """How long a model takes on this machine: in torch, or in onnxruntime where it is a file.

    Raises:
        CnnInspectError: see `sources.open.timed`.
    """
    loaded = subject if isinstance(subject, Trace) else load(subject)
    if isinstance(loaded, GraphFile):
        settings = settings.on(backend="onnxruntime")
    found = timed(loaded, traced, arguments, kwargs=kwargs, settings=settings, by_layer=False)
    spread = found.spread
    return Latency(
        spread.median_s, spread.iqr_s, spread.runs, settings.batch, settings.backend,
        found.device, found.threads,
    )  # fmt: skip
