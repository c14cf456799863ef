"""The answer of `cnninspect gradients`: how large the gradient is at each depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.gradient_paths import PathLength
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor
from cnninspect.records.passes import DataUsed, GradientSettings, Norms, PathGradient
from cnninspect.records.reports import Report

HEALTHY, VANISHING, EXPLODING = "healthy", "vanishing", "exploding"
DEAD, NOT_FINITE, UNTRAINED = "dead", "not-finite", "nothing-measured"
VERDICTS = (HEALTHY, VANISHING, EXPLODING, DEAD, NOT_FINITE)
"""The words that `--fail-on` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerGradients:
    """One weighted layer over all passes: medians over seeds and batches."""

    path: str
    type: str
    depth: int
    """Place in the order of execution; 1 is nearest the input."""
    calls: int
    """How often it runs in a pass."""
    parameters: int
    trainable: int
    """Parameters that receive gradients."""
    activation_norm: float | None
    """This and what follows is what `Norms` says."""
    activation_rms: float | None
    activation_gradient_norm: float | None
    activation_gradient_rms: float | None
    activation_gradient_zeros: float | None
    gradient_norm: float | None
    gradient_rms: float | None
    gradient_zeros: float | None
    parameter_norm: float | None
    low: Norms
    """Lower quartiles."""
    high: Norms
    """Upper quartiles."""


@dataclass(frozen=True, slots=True)
class Jump:
    """How much the gradient changes between two neighbours, on its way down."""

    orders: float
    """Powers of ten, by which root mean square and L2 norm both change; below 0, it shrinks."""
    above: str
    """Path of the layer above, or number of the later time step."""
    below: str
    """That of the next one below."""


@dataclass(frozen=True, slots=True)
class Trend:
    """How the gradient changes on its way, and what that means."""

    slope: float | None
    """Of log10 of the gradient's root mean square, for each unit of depth or time, as a robust
    fit has it: above 0, the gradient shrinks on its way to the input; None where fewer than two
    sizes are known."""
    orders: float | None
    """Powers of ten between the lowest and the highest layer (the last one, which gives the
    classes, left out), or the first and the last time step: below 0, it shrinks on its way."""
    norm_orders: float | None
    """The same of L2 norms, which do not shrink where a layer has more elements than the next."""
    verdict: str
    """`healthy`, `vanishing`, `exploding`, `dead`, `not-finite`, or `nothing-measured`."""
    fitted_orders: float | None = None
    """Powers of ten over the whole depth or time by the slope."""
    fitted_norm_orders: float | None = None
    """The same of L2 norms."""
    range_orders: float | None = None
    """Powers of ten between the largest and the smallest root mean square."""
    drop: Jump | None = None
    """The largest loss from one layer or time step to the next; None where nothing is lost."""
    rise: Jump | None = None
    """The largest gain likewise."""
    decisive_orders: float | None = None
    """The change that the verdict comes from."""
    reason: str = ""
    """Which one that is: between the `ends`, by the `fit`, or the greatest `fall` or `rise`
    between any two places, smoothed over their neighbours."""
    is_borderline: bool = False
    """Whether it is so near the threshold that other seeds or data may change the verdict."""


@dataclass(frozen=True, slots=True)
class StateGradients:
    """The gradient at one state of a recurrent layer over time, over all passes."""

    path: str
    layer: int
    """Which of the module's stacked layers, from 0."""
    is_backward: bool
    state: str
    """`hidden` or `cell`."""
    norms: tuple[float, ...]
    """Medians of the L2 norm after each time step, in the order of time."""
    low: tuple[float, ...]
    """Lower quartiles."""
    high: tuple[float, ...]
    """Upper quartiles."""
    trend: Trend


@dataclass(frozen=True, slots=True)
class NotFinite:
    """Where a number first was infinite or none."""

    path: str
    """The layer."""
    where: str
    """`activations`, going forward; else `gradient at the output` or `gradient`, coming back."""
    passes: int
    """In how many passes."""


@dataclass(frozen=True, slots=True)
class TrainingPoint:
    """The profile after some steps of training."""

    step: int
    """Updates made before it."""
    loss: float
    """Median over seeds."""
    trend: Trend
    layers: tuple[LayerGradients, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGradients:
    """One model."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    loss: str
    """`cross-entropy`, `mse` or `sum`."""
    loss_value: float
    """Median over seeds and batches."""
    seeds: int
    """Independent starts."""
    passes: int
    """Forward and backward passes behind each median."""
    paths: int
    """Distinct ways of the gradient from the output to the input."""
    path_lengths: tuple[PathLength, ...]
    """How many of each length, shortest first."""
    layers: tuple[LayerGradients, ...]
    """Weighted layers by depth, before any training."""
    slope: float | None
    """This and the next three are those of `trend`."""
    orders: float | None
    norm_orders: float | None
    verdict: str
    trend: Trend
    """How the gradient changes from top to bottom, and all that the verdict uses."""
    predicted_slope: float | None
    """What mean field theory has the slope be, for a plain stack of layers; None for others."""
    dead: tuple[str, ...]
    """Layers whose gradient was exactly 0 everywhere in every pass, and stays 0 when the others
    are updated."""
    asleep: tuple[str, ...]
    """Layers whose gradient was exactly 0 at the start and no longer after an update or two, as
    in residual branches that start at 0."""
    frozen: tuple[str, ...]
    """Layers none of whose parameters is trained."""
    not_finite: NotFinite | None
    data: DataUsed
    states: tuple[StateGradients, ...] = ()
    """With `over="time"`: the recurrent layers step by step."""
    training: tuple[TrainingPoint, ...] = ()
    """With `steps`: the measured ones, the start first."""
    notes: tuple[str, ...] = ()
    decades: float | None = None
    """`orders` by its former name, which other programs read."""
    norm_decades: float | None = None
    """`norm_orders` likewise."""


@dataclass(frozen=True, slots=True)
class GradientProfile(Report):
    """How large the gradient is at each depth of each model."""

    schema: ClassVar[str] = "cnninspect.gradients/1"
    rendering: ClassVar[str] = "cnninspect.commands.gradients.rendering"

    settings: GradientSettings
    models: tuple[ModelGradients, ...]


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """The gradient paths of one model."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    mode: str
    """`train` or `eval`: how it was traced."""
    weighted_layers: int
    paths: int
    """Distinct ways of the gradient from the output to the input."""
    path_lengths: tuple[PathLength, ...]
    """How many of each length, shortest first."""
    gradients: tuple[PathGradient, ...] = ()
    """The gradient along them by the number of residual branches, where that was measured."""


@dataclass(frozen=True, slots=True)
class PathProfile(Report):
    """The gradient paths of each model: counted, nothing run."""

    schema: ClassVar[str] = "cnninspect.gradient-paths/1"
    rendering: ClassVar[str] = "cnninspect.commands.gradients.paths_rendering"

    models: tuple[ModelPaths, ...]
