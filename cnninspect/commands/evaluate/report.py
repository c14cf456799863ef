"""The answer of `cnninspect evaluate`: how well labels are predicted, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was predicted for examples whose labels are known."""

    classes: tuple[str, ...]
    """Names, by label."""
    labels: tuple[int, ...]
    predicted: tuple[int, ...]
    scores: tuple[Sequence[float], ...] | None = None
    """Probabilities of all classes for each example; None where only the answer is known."""


@dataclass(frozen=True, slots=True)
class Averages:
    """Precision, recall and F-beta of several classes together."""

    precision: float
    recall: float
    f_beta: float


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class."""

    name: str
    precision: float
    """Of what was taken for it, the share that is it; 0 where nothing was."""
    recall: float
    """Of what is it, the share that was taken for it."""
    f_beta: float
    """(1 + β²)·P·R / (β²·P + R): β above 1 weighs recall more."""
    support: int
    """Examples of it."""
    predicted: int
    """Examples that were taken for it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Between which values a figure lies for 95 of 100 samples drawn from the examples."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often one class was taken for another."""

    label: str
    predicted: str
    count: int
    share: float
    """Of the examples of that label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Report):
    """How well labels are predicted."""

    schema: ClassVar[str] = "cnninspect.evaluate/1"
    rendering: ClassVar[str] = "cnninspect.commands.evaluate.rendering"

    model: ModelInfo | None
    """None where the predictions were given."""
    weights: str | None
    data: str
    part: str
    """`held-out`, `all`, or `given`."""
    examples: int
    skipped: int
    """Files that could not be read."""
    accuracy: float
    balanced_accuracy: float
    """Mean recall of the classes that occur."""
    loss: float | None
    """Cross-entropy; None without scores."""
    beta: float
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Counts: a row for each label, a column for each prediction."""
    macro: Averages
    """Mean over classes, each counting the same."""
    micro: Averages
    """Over all examples together."""
    weighted: Averages
    """Mean over classes by their support."""
    top_k: int | None
    top_k_accuracy: float | None
    """Share of the examples whose label is among the k highest scores."""
    calibration_error: float | None
    """Mean distance of confidence and accuracy over 15 bins of confidence, by examples."""
    intervals: tuple[Interval, ...]
    resamples: int
    """Samples that the intervals come from."""
    worst: tuple[Confusion, ...]
    """The most frequent confusions, the worst first."""
    notes: tuple[str, ...] = ()

    def measures(self) -> dict[str, float | None]:
        """What `--fail-under` can name."""
        return {
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "precision": self.macro.precision,
            "recall": self.macro.recall,
            "f_beta": self.macro.f_beta,
            "top_k_accuracy": self.top_k_accuracy,
        }
