"""The answer of `cnninspect weights`: what the numbers in a file of weights look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.models import ModelInfo
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


@dataclass(frozen=True, slots=True)
class Reuse:
    """What one layer takes from another."""

    source: str
    """Path of the layer that made the channels."""
    channels: int
    mean_weight: float
    """Mean of the absolute weights on them."""
    relative: float
    """The same as a share of the largest in the block, 0 to 1."""
    of_layer: float
    """The same as a share of the largest that this layer has, as the heat map shows it.  Layers
    that read more begin with smaller weights, so that only this tells which of its sources a layer
    prefers."""


@dataclass(frozen=True, slots=True)
class ReusingLayer:
    """A layer, and from which others it reads."""

    path: str
    reuses: tuple[Reuse, ...]
    """In the order of its input's channels."""


@dataclass(frozen=True, slots=True)
class ReuseBlock:
    """Layers that read from the same sources."""

    name: str
    """The path that its sources have in common."""
    sources: tuple[str, ...]
    """In the order in which they ran; the block's input first."""
    layers: tuple[ReusingLayer, ...]
    """In the order in which they ran: of a dense block also the transition, or the classifier."""


@dataclass(frozen=True, slots=True)
class FeatureReuse(Report):
    """How much of what earlier layers made later ones read, by their weights."""

    schema: ClassVar[str] = "cnninspect.feature-reuse/1"
    rendering: ClassVar[str] = "cnninspect.commands.weights.reuse_rendering"

    model: ModelInfo
    weights: str | None
    """The file that they are from; None: as the network starts, or as a live module has them."""
    blocks: tuple[ReuseBlock, ...]
    notes: tuple[str, ...] = ()
