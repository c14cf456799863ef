"""Connections, as LeCun et al. counted LeNet-5's in 1998.

A connection is one use of a weight, or of a bias.  Subsampling connects each output with its
window.  With the network as printed this gives 340,908, the published number.
"""

from __future__ import annotations

from math import prod

from cnninspect.costs.conventions.convention import Convention, by_call
from cnninspect.costs.conventions.kinds import (
    AVERAGE_POOLS,
    MAX_POOLS,
    bias_elements,
    is_pooling,
    macs,
    read,
    written,
)
from cnninspect.records.operations import Call, Operation
from cnninspect.records.tensors import TensorSpec


def _connections(call: Call) -> int:
    operation = call.operation
    if is_pooling(operation):
        return _subsampling(operation)
    return macs(operation) + bias_elements(call) + _recurrent_biases(operation)


def _subsampling(operation: Operation) -> int:
    """Each output with its window; adaptive windows cover every input once."""
    if operation.name not in AVERAGE_POOLS | MAX_POOLS:
        return read(operation)
    window = operation.argument("kernel_size")
    if isinstance(window, tuple):
        sides = [side for side in window if isinstance(side, int)]
        dimensions = int(operation.name.partition("_pool")[2][0])
        side = prod(sides) if len(sides) > 1 else prod(sides) ** dimensions
        return written(operation) * side
    return 0


def _recurrent_biases(operation: Operation) -> int:
    weights = operation.argument("params")
    if not isinstance(weights, tuple):
        return 0
    biases = [w.numel for w in weights if isinstance(w, TensorSpec) and len(w.shape) == 1]
    return prod(operation.inputs[0].shape[:-1]) * sum(biases)


CONNECTIONS = Convention(
    name="connections",
    unit="connections",
    source="LeCun, Bottou, Bengio, Haffner 1998, Gradient-Based Learning, section II-B",
    counts="each use of a weight and of a bias, and the windows of pooling",
    caution="so one more than the MACs for each output that has a bias; made for networks of the "
    "time: normalisation counts nothing",
    count_layers=by_call(_connections),
)
