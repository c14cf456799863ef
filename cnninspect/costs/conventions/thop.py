"""How thop's profile counts (version 0.1.1, "pytorch-OpCounter").

It goes by modules: each class that it knows has a rule over the shapes of a call.  Here the rule is
applied to the operator that the module runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from cnninspect.costs.conventions.convention import (
    AVERAGE_POOLS,
    CONVOLUTION_CLASSES,
    CONVOLUTIONS,
    NORMS,
    PRODUCTS,
    Convention,
    by_layer,
    has_weight,
    is_adaptive_average,
    macs,
    read,
    unbatched,
    written,
)
from cnninspect.costs.conventions.recurrence import Network, cell_of, network_of
from cnninspect.records.operations import Operation
from cnninspect.records.traces import Layer

Rule = Callable[[Operation], int]

UPSAMPLING = {
    "aten.upsample_nearest1d": 1,
    "aten.upsample_nearest2d": 1,
    "aten.upsample_nearest3d": 1,
    "aten.upsample_linear1d": 5,
    "aten.upsample_bilinear2d": 11,
    "aten.upsample_bicubic2d": 259,
}
"""Operations per element written."""

OUTSIDE_THE_PRODUCTS = {1: 0, 3: 4, 4: 4}
"""By gates: element-wise operations per hidden unit and step that are in no gate."""


def _convolution(operation: Operation, layer: Layer) -> int:
    """Each output element meets a window of every input channel of its group.

    The channels are taken to be the second size of what goes in, also where there is no batch.
    """
    if operation.name not in CONVOLUTIONS:
        return 0
    groups = operation.argument("groups", 1)
    window = operation.tensor("weight").shape[2:]
    channels = (unbatched(layer, window) or operation.inputs[0].shape)[1]
    return (
        written(operation) * (channels // (groups if isinstance(groups, int) else 1)) * prod(window)
    )


def _norm(operation: Operation) -> int:
    if operation.name not in NORMS:
        return 0
    return read(operation) * (4 if has_weight(operation) else 2)


def _linear(operation: Operation) -> int:
    return macs(operation) if operation.name in PRODUCTS else 0


def _average(operation: Operation) -> int:
    return written(operation) if operation.name in AVERAGE_POOLS else 0


def _adaptive_average(operation: Operation) -> int:
    """Each output: additions over its window, and a division."""
    if not is_adaptive_average(operation):
        return 0
    channels = operation.inputs[0].shape[:2]
    positions = operation.inputs[0].shape[2:]
    return prod(channels) * prod(positions) + written(operation)


def _softmax(operation: Operation) -> int:
    """Exponentials, additions and divisions of each row: 3·features - 1."""
    if operation.name not in ("aten._softmax", "aten.softmax"):
        return 0
    shape, dim = operation.inputs[0].shape, operation.argument("dim")
    features = shape[dim] if isinstance(dim, int) else 1
    return read(operation) // features * (3 * features - 1) if features else 0


def _prelu(operation: Operation) -> int:
    return read(operation) if operation.name in ("aten._prelu_kernel", "aten.prelu") else 0


def _upsampling(operation: Operation) -> int:
    return UPSAMPLING.get(operation.name, 0) * written(operation)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"), _norm),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LayerNorm"), _norm),
    **dict.fromkeys(("AvgPool1d", "AvgPool2d", "AvgPool3d"), _average),
    **dict.fromkeys(
        ("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"), _adaptive_average
    ),
    **dict.fromkeys(("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"), _upsampling),
    "Linear": _linear,
    "Softmax": _softmax,
    "PReLU": _prelu,
}
"""Rule by class; every other class but convolutions and recurrent layers counts nothing."""


def _thop(layer: Layer, operations: Sequence[Operation]) -> int:
    if layer.type in CONVOLUTION_CLASSES:
        return sum(_convolution(operation, layer) for operation in operations)
    if layer.type in RULES:
        return sum(map(RULES[layer.type], operations))
    if layer.type in ("LSTM", "GRU", "RNN"):
        networks = [network_of(operation) for operation in operations]
        return sum(_recurrent(network) for network in networks if network)
    cell = cell_of(layer)
    return _recurrent(cell) if cell else 0


def _recurrent(network: Network) -> int:
    """Each gate: products, one addition, and one for each of two biases, per hidden unit.

    A layer after the first is taken to read the hidden units of all directions, also where the
    state is projected to fewer.
    """
    gates, hidden, directions = network.gates, network.hidden, network.directions
    each = gates * (1 + 2 * network.has_biases) + OUTSIDE_THE_PRODUCTS[gates]
    inputs = (network.inputs, *[hidden * directions] * (network.layers - 1))
    per_step = sum(directions * hidden * (gates * (width + hidden) + each) for width in inputs)
    return network.padded_tokens * per_step


THOP = Convention(
    name="thop",
    unit="MACs",
    source="https://github.com/Lyken17/pytorch-OpCounter, thop/vision/basic_hooks.py",
    counts="multiply-accumulates of convolutions and linear layers; 4 (without weights 2) for each "
    "element of a normalisation; average pooling, softmax and upsampling",
    caution="only modules of the classes that it knows: functional calls, attention, parameters in "
    "no module and subclasses count nothing; a transposed convolution is counted at its output",
    count_layers=by_layer(_thop),
)
