"""The sizes of a recurrent network, for conventions that have rules of their own for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from cnninspect.records.operations import Operation, TensorSpec
from cnninspect.records.traces import Layer

GATES = {"aten.lstm": 4, "aten.gru": 3, "aten.rnn_tanh": 1, "aten.rnn_relu": 1}
CELLS = {"LSTMCell": 4, "GRUCell": 3, "RNNCell": 1}


@dataclass(frozen=True, slots=True)
class Network:
    """A recurrent network or a single cell."""

    gates: int
    """4 for an LSTM, 3 for a GRU, 1 for a plain cell."""
    hidden: int
    """Hidden units."""
    inputs: int
    """Width of what enters the first layer."""
    layers: int
    """Layers, one after the other."""
    directions: int
    """2 if it runs both ways."""
    has_biases: bool
    """Whether each gate has two biases."""
    padded_tokens: int
    """Steps of all sequences, the short ones filled up to the longest."""
    weights: tuple[tuple[int, ...], ...]
    """Shapes of the two matrices of each layer, of inputs and of the state, in one direction."""


def network_of(operation: Operation) -> Network | None:
    """The network that a fused operation runs, or None if it is not one."""
    gates = GATES.get(operation.name)
    weights, layers = operation.argument("params"), operation.argument("num_layers")
    if gates is None or not isinstance(weights, tuple) or not isinstance(layers, int):
        return None
    directions = 1 + bool(operation.argument("bidirectional"))
    shapes = [w.shape for w in weights if isinstance(w, TensorSpec)]
    matrices = [shape for shape in shapes if len(shape) == 2]
    each = len(matrices) // (layers * directions)
    starts = range(0, len(matrices), directions * each)
    return Network(
        gates=gates,
        hidden=matrices[0][0] // gates,
        inputs=matrices[0][1],
        layers=layers,
        directions=directions,
        has_biases=len(matrices) < len(shapes),
        padded_tokens=_padded_tokens(operation),
        weights=tuple(shape for start in starts for shape in matrices[start : start + 2]),
    )


def cell_of(layer: Layer) -> Network | None:
    """The cell that a module is, with the steps of all its calls; None if it is not one.

    Every call is taken to have the batch of the first.
    """
    gates = CELLS.get(layer.type)
    shapes = {parameter.name: parameter.spec.shape for parameter in layer.parameters}
    if gates is None or "weight_ih" not in shapes or not layer.inputs:
        return None
    rows, inputs = shapes["weight_ih"]
    return Network(
        gates=gates,
        hidden=rows // gates,
        inputs=inputs,
        layers=1,
        directions=1,
        has_biases="bias_ih" in shapes,
        padded_tokens=layer.calls * prod(layer.inputs[0].shape[:-1]),
        weights=(shapes["weight_ih"], shapes["weight_hh"]),
    )


def _padded_tokens(operation: Operation) -> int:
    steps = operation.argument("batch_sizes")
    if not isinstance(steps, TensorSpec):
        return prod(operation.tensor("input").shape[:-1])
    # Packed: the state tells the number of sequences, and each step has one entry.
    state = operation.argument("hx")
    first = state[0] if isinstance(state, tuple) else state
    return steps.numel * (first.shape[-2] if isinstance(first, TensorSpec) else 1)
