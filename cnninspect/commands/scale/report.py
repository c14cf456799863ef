"""The answers of `cnninspect scale`: how a network grows with one of its sizes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from cnninspect.metrics.summary import Uncounted
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class Rational:
    """An exact fraction."""

    numerator: int
    denominator: int

    @property
    def fraction(self) -> Fraction:
        """As Python's own."""
        return Fraction(self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class LayerShare:
    """What one layer brings to a term."""

    path: str
    coefficient: Rational


@dataclass(frozen=True, slots=True)
class Term:
    """A power of the size with what it is multiplied by."""

    power: int
    coefficient: Rational
    layers: tuple[LayerShare, ...]
    """The layers that bring it, the most first; their coefficients add up to the term's."""


@dataclass(frozen=True, slots=True)
class Law:
    """How a quantity depends on the size."""

    quantity: str
    """`macs`, `parameters` or `activations`."""
    terms: tuple[Term, ...]
    """The highest power first; empty where no polynomial fits."""
    fitted_on: tuple[Rational, ...]
    """Sizes that determine the polynomial."""
    checked_on: tuple[Rational, ...]
    """Further sizes at which it is exact."""
    exponent: float | None
    """Slope between the smallest and the largest size on logarithmic axes."""

    @property
    def is_exact(self) -> bool:
        """Whether a polynomial goes through every point."""
        return bool(self.checked_on)


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """The network at one size."""

    size: Rational
    parameters: int
    macs: int
    activations: int


@dataclass(frozen=True, slots=True)
class Scaling(Report):
    """A network at several sizes, and the laws behind it."""

    schema: ClassVar[str] = "cnninspect.scale/1"
    rendering: ClassVar[str] = "cnninspect.commands.scale.rendering"

    model: ModelInfo
    over: str
    """What is scaled: `resolution`, `batch`, `width`, `depth`, `sequence`, or a setting."""
    variable: str
    """The letter in the laws."""
    how: str
    """What was changed: `the input`, `resolution=…`, `depths=…`."""
    step: Rational | None
    """The laws hold for sizes that differ from `start` by a multiple of this; None: for all."""
    start: Rational
    points: tuple[ScalingPoint, ...]
    laws: tuple[Law, ...]
    notes: tuple[str, ...] = ()
    uncounted: tuple[Uncounted, ...] = ()
    """Operations without a formula, in the network as it is: MACs are then a lower bound."""


@dataclass(frozen=True, slots=True)
class GridPoint:
    """A way to scale depth, width and resolution together."""

    alpha: float
    """Depth is multiplied by it."""
    beta: float
    """Width is multiplied by it."""
    gamma: float
    """Resolution is multiplied by it."""
    product: float
    """α·β²·γ²."""
    resolution: int
    parameters: int
    macs: int
    ratio: float
    """MACs divided by those of the network itself."""
    published: bool
    """Whether these are the values of the EfficientNet paper."""


@dataclass(frozen=True, slots=True)
class CompoundGrid(Report):
    """Ways to scale a network to about twice its work."""

    schema: ClassVar[str] = "cnninspect.scale-grid/1"
    rendering: ClassVar[str] = "cnninspect.commands.scale.grid_rendering"

    model: ModelInfo
    parameters: int
    """Of the network itself."""
    macs: int
    """Of the network itself."""
    target: float
    """What α·β²·γ² is to be about."""
    tolerance: float
    """How far from it a product may be."""
    points: tuple[GridPoint, ...]
    """Those whose work is the nearest to the target first."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedError:
    """A test error in print."""

    data: str
    """What it was measured on."""
    percent: float


@dataclass(frozen=True, slots=True)
class DepthWidthPoint:
    """One depth with one width."""

    depth: int
    width: float
    reference: str
    """What to type for it."""
    parameters: int
    macs: int
    errors: tuple[PublishedError, ...]
    is_own: bool
    """Whether it is the network that was named."""


@dataclass(frozen=True, slots=True)
class DepthWidthGrid(Report):
    """A family of networks at every depth with every width."""

    schema: ClassVar[str] = "cnninspect.scale-depth-width/1"
    rendering: ClassVar[str] = "cnninspect.commands.scale.depth_width_rendering"

    model: ModelInfo
    depths: tuple[int, ...]
    widths: tuple[float, ...]
    points: tuple[DepthWidthPoint, ...]
    """Depth by depth; those that cannot be built are left out."""
    source: str
    """Where the errors are from."""
    notes: tuple[str, ...] = ()
