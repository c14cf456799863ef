"""One training step of a network, written down: forward, what it keeps, backward."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.records.operations import Call
from cnninspect.records.traces import Trace


@dataclass(frozen=True, slots=True)
class SavedStorage:
    """Memory that the forward pass keeps for the backward pass; each storage comes once."""

    layer: str
    """Path of the layer that was running when it was first saved."""
    nbytes: int
    """Bytes of the whole storage, however small a part of it is needed."""
    is_input: bool = False
    """Whether it is an input of the network, which is there anyway."""


@dataclass(frozen=True, slots=True)
class TrainingTrace:
    """What a network did in one step of training.

    Parameters and buffers are in none of the byte counts.
    """

    forward: Trace
    """The forward pass; its attention is in the form that can be differentiated."""
    backward: tuple[Call, ...]
    """The calls of the backward pass, indices going on from the forward ones; each has the layer
    whose forward call it is the gradient of."""
    saved: tuple[SavedStorage, ...]
    """What autograd kept, in the order in which it was saved."""
    live_bytes: tuple[int, ...]
    """Bytes of the tensors that were alive right after each call, forward then backward:
    activations, temporaries and gradients of parameters, and the inputs."""
    input_bytes: int
    """Bytes of the inputs."""
    left_bytes: int
    """Bytes of what is still alive after the last call: inputs, outputs and gradients."""
    gradient_bytes: int
    """Bytes of the parameters' gradients."""
