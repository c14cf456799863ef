"""Layers, and one run of a network, or one step of its training, written down."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import Call, NamedTensor, Operation, TensorSpec


@dataclass(frozen=True, slots=True)
class Parameter:
    """A tensor that training may change."""

    name: str
    """Name within its layer: `weight`."""
    spec: TensorSpec
    """Shape and dtype."""
    trainable: bool = True
    """Whether it receives gradients."""
    shared_with: str | None = None
    """Full name under which the same tensor was met first, if it was; it is counted there."""
    stored_bytes: int | None = None
    """Bytes that it takes, where its elements do not say it: sparse, or wrapped and packed."""

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.spec.nbytes if self.stored_bytes is None else self.stored_bytes


@dataclass(frozen=True, slots=True)
class Buffer:
    """A tensor that belongs to a layer and is not trained, such as a running mean."""

    name: str
    """Name within its layer."""
    spec: TensorSpec
    """Shape and dtype."""
    persistent: bool = True
    """Whether a checkpoint holds it."""
    shared_with: str | None = None
    """Full name under which the same tensor was met first, if it was."""
    stored_bytes: int | None = None
    """Bytes that it takes, where its elements do not say it: sparse, or wrapped and packed."""

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.spec.nbytes if self.stored_bytes is None else self.stored_bytes


@dataclass(frozen=True, slots=True)
class Layer:
    """A module: one row of the summary."""

    path: str
    """Names from the model down, joined by dots; `""` is the model itself."""
    type: str
    """Class name."""
    calls: int
    """How often it ran."""
    inputs: tuple[TensorSpec, ...] = ()
    """The tensors given to its first call."""
    outputs: tuple[TensorSpec, ...] = ()
    """The tensors that its first call returned."""
    parameters: tuple[Parameter, ...] = ()
    """What it owns itself, not what its children own."""
    buffers: tuple[Buffer, ...] = ()
    """What it owns itself, not what its children own."""
    rests: bool = False
    """Whether it was in testing mode by itself, in a model that was handed over in training."""

    @property
    def level(self) -> int:
        """Number of names in the path: 0 for the model, 1 for its children."""
        return level_of(self.path)


def level_of(path: str) -> int:
    """Number of names in a layer's path: 0 for `""`, 3 for `layer1.0.conv1`."""
    return path.count(".") + 1 if path else 0


def parent_of(path: str) -> str:
    """Path of the layer that holds this one; the model's own path is its own parent."""
    return path.rpartition(".")[0]


def run_name(first: str, last: str) -> str:
    """One name for a run of siblings.

    >>> run_name("1", "2"), run_name("block_3", "block_11"), run_name("relu", "drop")
    ('1–2', 'block_3–11', 'relu–drop')
    """
    start, end = re.fullmatch(r"(.*?)(\d+)", first), re.fullmatch(r"(.*?)(\d+)", last)
    if start and end and start[1] == end[1]:
        return f"{first}–{end[2]}"
    return f"{first}–{last}"


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
class Dropout:
    """A call of dropout, which is no operation where it lets everything through."""

    layer: str
    """Path of the layer that was running."""
    next_call: int
    """Index of the first call after it."""
    origin: int | None
    """Where what it was given comes from, as in `Call.inputs`; None: weights or constants."""
    p: float
    """The share that it drops in training."""


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
    dropouts: tuple[Dropout, ...] = ()
    """Every call of dropout, in testing too, in order."""

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
    """Bytes of the tensors that were allocated right after each call, forward then backward:
    activations, temporaries and gradients of parameters, and the inputs."""
    input_bytes: int
    """Bytes of the inputs."""
    left_bytes: int
    """Bytes of what is still allocated after the last call: inputs, outputs and gradients."""
    gradient_bytes: int
    """Bytes of the parameters' gradients."""
    reached: frozenset[str] = frozenset()
    """Full names of the parameters that the backward pass gave a gradient."""
