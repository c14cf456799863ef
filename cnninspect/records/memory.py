"""The answer of `cnninspect memory`: what training or inference needs, in bytes and MACs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report
from cnninspect.records.tensors import NamedTensor


@dataclass(frozen=True, slots=True)
class Needs:
    """What a layer needs, by itself (own) or with everything under it (total)."""

    parameter_bytes: int = 0
    """Parameters, each shared one counted once."""
    buffer_bytes: int = 0
    """Buffers."""
    gradient_bytes: int = 0
    """Gradients of the trainable parameters."""
    optimizer_bytes: int = 0
    """What the optimiser keeps for them between steps."""
    saved_bytes: int = 0
    """What the forward pass keeps for the backward pass, each storage at the layer that saves it
    first, the network's inputs among them."""
    forward_macs: int = 0
    """Multiply-accumulates of the forward pass."""
    backward_macs: int = 0
    """Multiply-accumulates of the backward pass; what is run again under checkpointing too."""

    def __add__(self, other: Needs) -> Needs:
        return Needs(
            self.parameter_bytes + other.parameter_bytes,
            self.buffer_bytes + other.buffer_bytes,
            self.gradient_bytes + other.gradient_bytes,
            self.optimizer_bytes + other.optimizer_bytes,
            self.saved_bytes + other.saved_bytes,
            self.forward_macs + other.forward_macs,
            self.backward_macs + other.backward_macs,
        )


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """One row: a layer and what it needs."""

    path: str
    """Names from the model down, joined by dots; `""` is the model itself."""
    type: str
    """Class name."""
    level: int
    """Number of names in the path."""
    own: Needs
    """This layer's alone."""
    total: Needs
    """With everything under it."""


@dataclass(frozen=True, slots=True)
class MemoryTotals:
    """The whole network, and the step's peak."""

    parameter_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    saved_bytes: int
    """What is alive only for the backward pass, the inputs among it."""
    input_bytes: int
    """The inputs."""
    temporary_bytes: int
    """The most that is alive at one time beyond what is named above."""
    update_bytes: int
    """What is alive, everything together, while the optimiser updates the parameters after the
    backward pass; 0 for inference."""
    peak_bytes: int
    """The most that is alive at one time, everything together."""
    trained_tensors: int
    """Parameters that are trained: tensors, not elements."""
    forward_macs: int
    backward_macs: int


@dataclass(frozen=True, slots=True)
class Memory(Report):
    """What one step of training, or of inference, needs."""

    schema: ClassVar[str] = "cnninspect.memory/1"

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    purpose: str
    """`training` or `inference`."""
    optimizer: str
    """Name of the optimiser; empty for inference."""
    dtype: str
    """Of the parameters."""
    amp: str
    """Dtype that autocast computes in; empty without it."""
    totals: MemoryTotals
    layers: tuple[LayerMemory, ...]
    """The model itself first, then every layer, parents before children."""
    timeline: tuple[int, ...]
    """Bytes alive after each call of the step, in order: parameters, buffers, optimiser state,
    inputs, activations, temporaries and gradients; in training, the optimiser's update last."""
    backward_from: int
    """The first entry of the timeline that belongs to the backward pass."""
    notes: tuple[str, ...] = ()
    """What a reader should know."""
