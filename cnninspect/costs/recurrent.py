"""Recurrent networks, from the fused operation to its law.

The weights come as one flat list: for each layer, and within it for each direction, the weight of
the inputs (gates·hidden, inputs), the weight of the state (gates·hidden, fed back), two biases if
there are any, and (projection, hidden) if the state is projected.  So every size follows from the
matrices among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from cnninspect.costs import laws
from cnninspect.costs.laws import Terms
from cnninspect.costs.products import Formula
from cnninspect.records.operations import Argument, Operation, TensorSpec

CUDNN_GATES = (1, 1, 4, 3)
"""Gates by the number that cuDNN gives a mode: ReLU, tanh, LSTM, GRU."""


def layers_of(gates: int, weights: str = "params") -> Formula:
    """A formula: a whole recurrent network, all layers and directions.

    The sequences are `input`, (length, batch, inputs) in either order or without the batch, or
    `data`, (sum of the lengths, inputs), where they are packed.
    """

    def network(operation: Operation) -> Terms:
        return _network(operation, gates, weights)

    return network


def cudnn_network(operation: Operation) -> Terms:
    """The same as cuDNN has it: the kind of cell is a number, the weights are called `weight`."""
    mode = operation.argument("mode")
    if not isinstance(mode, int):
        raise TypeError("the mode is not a number")
    return _network(operation, CUDNN_GATES[mode], "weight")


def onednn_layer(operation: Operation) -> Terms:
    """One layer in one direction, as oneDNN runs it; its modes are numbered as cuDNN's."""
    mode = operation.argument("mode")
    if not isinstance(mode, int):
        raise TypeError("the mode is not a number")
    shapes = [operation.tensor(name).shape for name in ("weight0", "weight1")]
    return layer_of(prod(operation.tensor("input").shape[:-1]), CUDNN_GATES[mode], shapes, 1)


def cell_of(gates: int) -> Formula:
    """A formula: one step of one cell."""

    def cell(operation: Operation) -> Terms:
        shapes = [operation.tensor(name).shape for name in ("w_ih", "w_hh")]
        return layer_of(prod(operation.tensor("input").shape[:-1]), gates, shapes, 1)

    return cell


def packed_recurrence(operation: Operation) -> Terms:
    """Every step of every sequence times each matrix, of a quantised layer or cell."""
    given, *_ = operation.inputs
    weights = (operation.argument(name) for name in ("params", "w_ih", "w_hh"))
    shapes = [spec.shape for weight in weights for spec in _matrices(weight)]
    if not shapes:
        raise ValueError("its weights are packed and show no shape")
    tokens = prod(given.shape[:-1])
    return tuple(t for rows, columns in shapes for t in _of_matrix(tokens, rows, columns))


def _of_matrix(tokens: int, rows: int, columns: int) -> Terms:
    return laws.matrix_product(rows=tokens, inner=columns, columns=rows)


def _matrices(value: Argument) -> Iterator[TensorSpec]:
    if isinstance(value, TensorSpec) and len(value.shape) == 2:
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _matrices(item)


def _network(operation: Operation, gates: int, weights: str) -> Terms:
    packed = operation.argument("data")
    sequences = packed if isinstance(packed, TensorSpec) else operation.tensor("input")
    given = operation.argument(weights)
    if not isinstance(given, tuple):
        raise TypeError(f"{weights} is not a list of tensors")
    shapes = [w.shape for w in given if isinstance(w, TensorSpec) and len(w.shape) == 2]
    layers, directions = (
        operation.argument("num_layers"),
        1 + bool(operation.argument("bidirectional")),
    )
    if not isinstance(layers, int) or not shapes or len(shapes) % (layers * directions):
        raise ValueError("the weights do not fit the number of layers")
    each = len(shapes) // layers
    tokens = prod(sequences.shape[:-1])
    return tuple(
        term
        for i in range(layers)
        for term in layer_of(tokens, gates, shapes[i * each : (i + 1) * each], directions)
    )


def layer_of(tokens: int, gates: int, shapes: Sequence[tuple[int, ...]], directions: int) -> Terms:
    """One layer from its matrices: those of the first direction tell all, the others are alike."""
    (rows, inputs), (_, fed_back), *projected = shapes[: len(shapes) // directions]
    return laws.recurrent(
        tokens=tokens,
        directions=directions,
        gates=gates,
        hidden=rows // gates,
        inputs=inputs,
        fed_back=fed_back,
        projection=projected[0][0] if projected else 0,
    )
