"""How ptflops counts with its `pytorch` backend, the default (version 0.7.5).

It has a rule for each class of module that it knows, and replaces some functions of
`torch.nn.functional` by ones that count.  Where a module calls such a function, as ReLU and pooling
do, the work is counted twice.

A trace does not tell whether `torch.matmul(a, b)`, which ptflops sees, or `a @ b`, which it does
not, led to a product.  Products of stacks of matrices are taken to be the former; products of two
matrices outside of modules are taken to be functional linear layers, and sums and products element
by element to be written with operators, neither of which it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cnninspect.costs.conventions.convention import (
    ATTENTION,
    CONVOLUTION_CLASSES,
    CONVOLUTIONS,
    NORMS,
    PRODUCTS,
    Convention,
    by_layer,
    has_weight,
    is_one_of,
    is_pooling,
    macs,
    read,
    unbatched,
    written,
)
from cnninspect.costs.conventions.recurrence import Network, cell_of, network_of
from cnninspect.records.operations import Operation
from cnninspect.records.traces import Layer

ACTIVATION_CLASSES = frozenset(("ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU"))
POOLING_CLASSES = frozenset(
    f"{kind}Pool{d}d" for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for d in (1, 2, 3)
)
AFFINE_NORM_CLASSES = frozenset(
    (*(f"{kind}Norm{d}d" for kind in ("Batch", "Instance") for d in (1, 2, 3)), "GroupNorm")
)
NORM_CLASSES = AFFINE_NORM_CLASSES | {"LayerNorm"}

ACTIVATIONS = frozenset(
    f"aten.{n}"
    for n in ("relu", "prelu", "_prelu_kernel", "elu", "hardtanh", "relu6", "gelu", "leaky_relu")
)
COUNTED_FUNCTIONS = frozenset(
    f"aten.{n}" for n in ("relu", "prelu", "_prelu_kernel", "elu", "gelu", "silu", "_softmax")
)
"""Functions that are replaced by counting ones; the elements that they read."""

STACKS = frozenset(("aten.bmm", "aten.baddbmm"))
"""Products of stacks of matrices."""

AS_METHODS = {"LocalResponseNorm": frozenset(("aten.mul", "aten.add"))}
"""Classes that write sums and products as methods, which are replaced as well."""
KEPT_BEFORE = frozenset(("TransformerEncoderLayer", "TransformerDecoderLayer"))
"""Classes that keep their activation as an attribute from before it is replaced."""

BETWEEN_STATES = {1: 1, 3: 7, 4: 10}
"""By gates: operations per hidden unit and step besides the products and biases."""


def _ptflops(layer: Layer, operations: Sequence[Operation]) -> int:
    return of_functions(layer, operations) + _module(layer, operations)


def of_functions(layer: Layer, operations: Sequence[Operation]) -> int:
    """The part of a layer's count that comes from replaced functions, not from its own class."""
    if layer.type in KEPT_BEFORE:
        operations = [o for o in operations if not is_one_of(o, ACTIVATIONS)]
    methods = AS_METHODS.get(layer.type, frozenset())
    by_methods = sum(written(o) for o in operations if is_one_of(o, methods))
    return sum(map(_function, operations)) + by_methods


def _function(operation: Operation) -> int:
    """What a replaced function counts."""
    if is_one_of(operation, COUNTED_FUNCTIONS) or is_pooling(operation):
        return read(operation)
    if operation.name.startswith("aten.upsample_"):
        return written(operation)
    if operation.name in STACKS:
        bias = written(operation) if operation.name == "aten.baddbmm" else 0
        return macs(operation) + bias
    return 0


def _module(layer: Layer, operations: Sequence[Operation]) -> int:
    """What the rule of the module's class counts."""
    if layer.type in ("LSTM", "GRU", "RNN"):
        networks = [network_of(operation) for operation in operations]
        return sum(_recurrent(network) for network in networks if network)
    cell = cell_of(layer)
    if cell:
        return _recurrent(cell)
    if layer.type == "MultiheadAttention":
        return _multi_head(layer, operations)
    return sum(_hook(operation, layer) for operation in operations)


def _hook(operation: Operation, layer: Layer) -> int:
    if layer.type in CONVOLUTION_CLASSES | {"Linear"}:
        if operation.name not in CONVOLUTIONS | PRODUCTS:
            return 0
        has_bias = any(parameter.name == "bias" for parameter in layer.parameters)
        if layer.type in CONVOLUTION_CLASSES and operation.name in CONVOLUTIONS:
            weight = operation.tensor("weight").shape
            if unbatched(layer, weight[2:]) and layer.outputs:
                return _without_batch(operation, layer, has_bias=has_bias)
        return macs(operation) + (written(operation) if has_bias else 0)
    if layer.type in ACTIVATION_CLASSES:
        return written(operation) if is_one_of(operation, ACTIVATIONS) else 0
    if layer.type in POOLING_CLASSES:
        return read(operation) if is_pooling(operation) else 0
    if layer.type in NORM_CLASSES:
        if operation.name not in NORMS:
            return 0
        doubled = layer.type in AFFINE_NORM_CLASSES and has_weight(operation)
        return read(operation) * (2 if doubled else 1)
    if layer.type == "Upsample":
        return written(operation) if operation.name.startswith("aten.upsample_") else 0
    return 0


def _without_batch(operation: Operation, layer: Layer, *, has_bias: bool) -> int:
    """A convolution whose channels are taken for a batch, and its first positions for channels."""
    into, out = layer.inputs[0].shape, layer.outputs[0].shape
    weight, groups = operation.tensor("weight").shape, operation.argument("groups", 1)
    is_transposed = operation.argument("transposed") is True
    channels = into[0] * out[0] // (groups if isinstance(groups, int) else 1)
    positions = into[0] * prod((into if is_transposed else out)[2:])
    bias = into[0] * prod(out[1:]) if has_bias else 0
    return prod(weight[2:]) * channels * positions + bias


def _multi_head(layer: Layer, operations: Sequence[Operation]) -> int:
    """Projections with their biases, scaling of the query, softmax, and the two products."""
    has_biases = any(parameter.name == "in_proj_bias" for parameter in layer.parameters)
    projections = [o for o in operations if o.name in ("aten.mm", "aten.addmm")]
    total = 0
    for projection in projections:
        # The bias of the last one, the output's, is always counted.
        has_bias = has_biases or projection is projections[-1]
        total += macs(projection) + (written(projection) if has_bias else 0)
    stacks = [o for o in operations if o.name in STACKS]
    for first in stacks[::2]:
        query = first.tensor("self" if first.name == "aten.bmm" else "batch1")
        total += query.numel + written(first)
    total += sum(map(macs, stacks))
    return total + sum(_fused(o) for o in operations if o.name in ATTENTION)


def _fused(operation: Operation) -> int:
    query, key = operation.tensor("query"), operation.tensor("key")
    scores = query.numel // query.shape[-1] * key.shape[-2] if query.shape[-1] else 0
    return macs(operation) + scores + query.numel


def _recurrent(network: Network) -> int:
    weights = sum(rows * columns for rows, columns in network.weights)
    biases = 2 * network.gates * network.hidden * network.has_biases
    others = BETWEEN_STATES[network.gates] * network.hidden + biases
    return network.padded_tokens * network.directions * (weights + network.layers * others)


PTFLOPS = Convention(
    name="ptflops",
    unit="MACs",
    source="https://github.com/sovrasov/flops-counter.pytorch, ptflops/pytorch_ops.py",
    counts="multiply-accumulates and biases of convolutions and linear layers; 2 for each element "
    "of a batch norm; activations and pooling",
    caution="the modules ReLU, GELU, pooling and some more count twice, since they call functions "
    "that count as well; fused attention outside of MultiheadAttention counts nothing; of a batch "
    "it reports what modules do for one input, where this is for all",
    count_layers=by_layer(_ptflops),
)
