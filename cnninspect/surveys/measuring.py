"""One model: from a reference to its figures, or to the reason why there are none."""

from __future__ import annotations

from cnninspect.errors import CnnInspectError
from cnninspect.records.checkpoint import Checkpoint
from cnninspect.records.comparison import Accuracy, Figures, Unmeasured
from cnninspect.records.models import Reference
from cnninspect.surveys.tasks import Outcome, Task


def measure(task: Task) -> Outcome:
    """The figures of the model that a task names.  Whatever goes wrong is an outcome, too."""
    try:
        return _figures(task)
    except CnnInspectError as problem:
        return unmeasured(task.reference, problem)
    except MemoryError as problem:
        return Unmeasured(task.reference, "there is not enough memory", "", type(problem).__name__)
    except Exception as problem:  # a defect of ours in one model must not be the end of a survey
        kind = type(problem).__name__
        hint = "this is a defect of cnninspect; cnninspect summary --debug shows where"
        return Unmeasured(task.reference, f"unexpected {kind}: {problem}", hint, "Defect")


def unmeasured(reference: str, problem: CnnInspectError) -> Unmeasured:
    """An error as an outcome."""
    return Unmeasured(reference, str(problem), problem.hint, type(problem).__name__)


def _figures(task: Task) -> Figures:
    from cnninspect.analyses.figures import figures_of
    from cnninspect.analyses.weight_figures import figures_of_weights
    from cnninspect.engine.dispatching import trace
    from cnninspect.sources.registry import load, reference_of

    reference = reference_of(task.reference)
    weights = weights_of(reference)
    if weights is not None:
        return figures_of_weights(weights, task.convention)
    traced = trace(load(task.reference), task.inputs, mode=task.mode, batch=task.batch)
    size = traced.inputs[0].spec.shape[-2:] if traced.inputs else ()
    return figures_of(traced, task.convention, _accuracy(reference, size))


def weights_of(reference: Reference) -> Checkpoint | None:
    """The table of the file of weights that is named; None: it is no such file."""
    if reference.source not in ("checkpoint", "pt"):
        return None
    from cnninspect.sources import checkpoint

    return checkpoint.table(reference)


def _accuracy(reference: Reference, size: tuple[int, ...]) -> Accuracy | None:
    """What the source publishes of this network as its authors built it."""
    if reference.source != "torchvision" or reference.settings:
        return None
    from cnninspect.sources.torchvision_accuracy import published_accuracy

    return published_accuracy(reference.name, size)
