"""One run of a network, or one step of its training, written down."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.records.layers import Layer
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import Call, Operation
from cnninspect.records.tensors import NamedTensor


@dataclass(frozen=True, slots=True)
class HowTraced:
    """The rungs of the ladder that a trace was obtained on."""

    build: str
    """`meta`: without memory for weights; `real`: with it; `file`: read from a graph."""
    run: str
    """`abstract`: nothing computed; `real`: computed on the CPU; `graph`: read from a graph."""
    notes: tuple[str, ...] = ()
    """What a reader should know, such as why a higher rung failed."""


@dataclass(frozen=True, slots=True)
class Routing:
    """A choice of some of several, such as the experts that a token is sent to."""

    layer: str
    """Path of the layer that chose."""
    experts: int
    """Of how many."""
    chosen: int
    """How many, for each row."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a network did with one input.

    Holds no tensors and no modules, so it can be kept, compared and sent elsewhere.  `calls` is a
    dataflow graph in the order of execution; `layers` a tree in first-call order.
    """

    model: ModelInfo
    """What was traced."""
    inputs: tuple[NamedTensor, ...]
    """What went in."""
    outputs: tuple[NamedTensor, ...]
    """What came out."""
    layers: tuple[Layer, ...]
    """Every module, parents before children, siblings in first-call order, those that never ran
    last and with 0 calls.  The first is the model itself."""
    calls: tuple[Call, ...]
    """Every operation that ran, in order."""
    how: HowTraced
    """How it was obtained."""
    mode: str = "eval"
    """`eval` or `train`."""
    origins: tuple[int, ...] = ()
    """Which call each output comes from, or `-1 - i` where it is input `i`, as in `Call.inputs`;
    constants are left out."""
    routings: tuple[Routing, ...] = ()
    """The distinct choices of the largest of several, in order."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The distinct operations, in the order of their first call."""
        return tuple({id(call.operation): call.operation for call in self.calls}.values())


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
    reached: frozenset[str] = frozenset()
    """Full names of the parameters that the backward pass gave a gradient."""
