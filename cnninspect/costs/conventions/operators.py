"""Conventions that go by operators, whatever layer they run in: macs, torchvision, pycls."""

from __future__ import annotations

from math import prod

from cnninspect.costs.conventions.convention import (
    ATTENTION,
    AVERAGE_POOLS,
    CONVOLUTIONS,
    MAX_POOLS,
    PRODUCTS,
    Convention,
    bias_elements,
    by_call,
    is_pooling,
    macs,
    read,
    written,
)
from cnninspect.records.operations import Call, Operation
from cnninspect.records.tensors import TensorSpec


def _macs(call: Call) -> int:
    return macs(call.operation)


def _torchvision(call: Call) -> int:
    known = call.operation.name in CONVOLUTIONS | PRODUCTS | ATTENTION
    return macs(call.operation) if known else 0


def _pycls(call: Call) -> int:
    return macs(call.operation) + bias_elements(call)


MACS = Convention(
    name="macs",
    unit="MACs",
    source="docs/counting.md",
    counts="multiply-accumulates of convolutions, matrix products, attention and recurrent gates",
    caution="operations without a formula are left out, and reported",
    count_layers=by_call(_macs),
    knows_graphs=True,
)

TORCHVISION = Convention(
    name="torchvision",
    unit="FLOPs (= MACs)",
    source="torchvision's weights, meta['_ops'], made by a count of operators in dispatch",
    counts="multiply-accumulates of convolutions and matrix products, those of attention included",
    caution="what it calls GFLOPS are 10^9 MACs; deformable convolutions, recurrent layers and "
    "products of the kinds baddbmm, mv and dot are left out",
    count_layers=by_call(_torchvision),
    knows_graphs=True,
)

PYCLS = Convention(
    name="pycls",
    unit="FLOPs (= MACs)",
    source="https://github.com/facebookresearch/pycls, pycls/models/blocks.py, *_cx",
    counts="multiply-accumulates, and one for each bias that is added to an element",
    caution="pycls works it out from the architecture of its own networks for one image and does "
    "not look at a run; before 2021 it added a bias once for a whole map",
    count_layers=by_call(_pycls),
)


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
