"""The answer of `cnninspect activations`: what flows through the layers, at the start and later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor
from cnninspect.records.passes import DataUsed, GradientSettings
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class LayerActivations:
    """What one layer gave for a batch, over all its calls."""

    path: str
    type: str
    mean: float
    deviation: float
    """Over all elements."""
    zeros: float
    """Share of the elements that are exactly 0."""
    channels: int
    dead_channels: int
    """Channels that are 0 everywhere, for every example."""
    constant_channels: int
    """Channels whose elements are all alike: nothing can be told from them."""
    saturated: float | None
    """Of a sigmoid or tanh: share of the elements within 5 % of the ends of its range."""
    not_finite: int
    channel_means: tuple[float, ...] = ()
    """Channel by channel, over examples and positions, of the layer's first call."""
    channel_deviations: tuple[float, ...] = ()
    channel_zeros: tuple[float, ...] = ()
    """Share of each channel's elements that are exactly 0: 1 where it is dead."""
    channel_saturated: tuple[float, ...] = ()
    """Of a sigmoid or tanh."""


@dataclass(frozen=True, slots=True)
class BlockChange:
    """How far a residual block moves what passes through it: ‖output − input‖ / ‖input‖.

    Where nothing follows the sum that is ‖F‖/‖x‖ of its branch F.
    """

    path: str
    type: str
    change: float


@dataclass(frozen=True, slots=True)
class GateMeans:
    """How far a gate of a recurrent layer is open, over examples, time and units."""

    path: str
    layer: int
    is_backward: bool
    gate: str
    """`input`, `forget` or `output` of an LSTM, `reset` or `update` of a GRU."""
    mean: float
    closed: float
    """Share below 0.1."""
    open: float
    """Share above 0.9."""


@dataclass(frozen=True, slots=True)
class ShiftChange:
    """How far what a layer gives moves when the images are shifted."""

    path: str
    """Empty for the network's own output."""
    type: str
    changes: tuple[float, ...]
    """‖shifted − as it was‖ / ‖as it was‖, mean over the examples, by pixels from 1 on."""


@dataclass(frozen=True, slots=True)
class ActivationPoint:
    """What was seen after some steps of training."""

    step: int
    """Updates made before it."""
    loss: float | None
    """None where nothing is trained."""
    layers: tuple[LayerActivations, ...]
    blocks: tuple[BlockChange, ...]
    gates: tuple[GateMeans, ...]
    shifts: tuple[ShiftChange, ...] = ()
    """Layer by layer, the network's output last, where that was asked for."""
    same_answers: tuple[float, ...] = ()
    """Share of the examples whose highest score is the same after the shift, by pixels from 1 on;
    empty where the output is no row of scores."""


@dataclass(frozen=True, slots=True)
class ModelActivations:
    """One model."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    data: DataUsed
    points: tuple[ActivationPoint, ...]
    """The start first."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Activations(Report):
    """What flows through the layers of models."""

    schema: ClassVar[str] = "cnninspect.activations/1"
    rendering: ClassVar[str] = "cnninspect.commands.activations.rendering"

    settings: GradientSettings
    models: tuple[ModelActivations, ...]
    shift: int = 0
    """Pixels up to which the images were shifted."""
