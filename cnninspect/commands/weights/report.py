"""The answer of `cnninspect weights`: what the numbers in a file of weights look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class TensorFigures:
    """One tensor, or all of a file together.  What is not finite is counted and left out of the
    rest.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    elements: int
    l1: float
    """Sum of absolute values."""
    l2: float
    """Square root of the sum of squares."""
    largest: float
    """Largest absolute value."""
    mean: float
    deviation: float
    zeros: int
    """Elements that are exactly 0."""
    small: int
    """Elements of less than a thousandth of the root mean square, zeros among them: what pruning
    would take first."""
    not_a_number: int
    infinite: int
    spectral_norm: float | None
    """Largest singular value of the matrix (outputs, the rest), by power iteration; None for what
    is no matrix."""
    histogram: tuple[int, ...]
    """Elements in bins of one width from −`largest` to `largest`; empty for all together."""


@dataclass(frozen=True, slots=True)
class WeightsFigures:
    """One file, or the start of a network."""

    name: str
    tensors: tuple[TensorFigures, ...]
    total: TensorFigures


@dataclass(frozen=True, slots=True)
class Weights(Report):
    """What the numbers in files of weights look like, or in networks as they start."""

    schema: ClassVar[str] = "cnninspect.weights/1"
    rendering: ClassVar[str] = "cnninspect.commands.weights.rendering"

    seed: int
    """Of the start of networks."""
    files: tuple[WeightsFigures, ...]
