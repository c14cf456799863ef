"""What a convention is, which operators belong to which kind of layer, and rules on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from cnninspect.costs import aten
from cnninspect.costs.registry import cost_of, names_of
from cnninspect.errors import BadOption
from cnninspect.records.operations import Argument, Call, Operation, TensorSpec
from cnninspect.records.traces import Layer, Trace

CountCall = Callable[[Call], int]
"""What one call counts."""
CountLayer = Callable[[Layer, Sequence[Operation]], int]
"""What a layer counts by itself, given what it ran, in order."""
EXPECTED_OF_GRAPHS = "macs or torchvision for a graph in a file; other rules are for modules"
"""What may be asked for instead of rules that do not fit."""


@dataclass(frozen=True, slots=True)
class Convention:
    """Somebody's rules for the size of a network's work, over the same trace as all others."""

    name: str
    """What one types after `--count-as`."""
    unit: str
    """What its authors call the number."""
    source: str
    """Where the rules are written down."""
    counts: str
    """What goes into the number, in a sentence."""
    caution: str
    """Where the number is not what one would think."""
    count_layers: Callable[[Trace], dict[str, int]]
    """Counts by layer path, each layer's own."""
    knows_graphs: bool = False
    """Whether the rules speak of the operators of a graph in a file, not only of PyTorch's."""

    def fits(self, trace: Trace) -> bool:
        """Whether the rules can be applied to a trace: most know PyTorch's modules and names."""
        return self.knows_graphs or trace.how.build != "file"

    def count(self, trace: Trace) -> dict[str, int]:
        """What every layer counts by itself, by path; the sum is the network's count.

        Raises:
            BadOption: the rules know nothing of a graph in a file.
        """
        if not self.fits(trace):
            raise BadOption("--count-as", self.name, EXPECTED_OF_GRAPHS)
        return self.count_layers(trace)

    def total(self, trace: Trace) -> int:
        """The network's count; raises as `count` does."""
        return sum(self.count(trace).values())


def by_layer(count: CountLayer) -> Callable[[Trace], dict[str, int]]:
    """Counts layer by layer."""

    def count_layers(trace: Trace) -> dict[str, int]:
        ran_in: dict[str, list[Operation]] = {layer.path: [] for layer in trace.layers}
        for call in trace.calls:
            ran_in[call.layer].append(call.operation)
        return {layer.path: count(layer, ran_in[layer.path]) for layer in trace.layers}

    return count_layers


def by_call(count: CountCall) -> Callable[[Trace], dict[str, int]]:
    """Counts call by call, in whatever layer it was made."""

    def count_layers(trace: Trace) -> dict[str, int]:
        counts = {layer.path: 0 for layer in trace.layers}
        for call in trace.calls:
            counts[call.layer] += count(call)
        return counts

    return count_layers


CONVOLUTIONS = frozenset(aten.CONVOLUTIONS) - {"torchvision.deform_conv2d"} | {
    "onnx.Conv",
    "onnx.ConvTranspose",
}
CONVOLUTION_CLASSES = frozenset(
    f"Conv{transposed}{d}d" for transposed in ("", "Transpose") for d in (1, 2, 3)
)
PRODUCTS = frozenset(
    {"aten.mm", "aten.addmm", "aten.bmm", "aten.matmul", "aten.linear", "onnx.MatMul", "onnx.Gemm"}
)
"""Matrix products that all counters of operators know."""
ATTENTION = frozenset(aten.ATTENTION) | {"onnx.Attention"}

BATCH_NORMS = frozenset(
    f"aten.{name}"
    for name in (
        "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
        "_native_batch_norm_legit_functional", "cudnn_batch_norm", "miopen_batch_norm",
        "_batch_norm_with_update", "_batch_norm_no_update", "batch_norm",
    )
)  # fmt: skip
LAYER_NORMS = frozenset({"aten.native_layer_norm", "aten.layer_norm"})
GROUP_NORMS = frozenset({"aten.native_group_norm", "aten.group_norm"})
NORMS = BATCH_NORMS | LAYER_NORMS | GROUP_NORMS

MAX_POOLS = frozenset(
    f"aten.{name}"
    for name in (
        "max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices",
        "max_pool2d_with_indices", "max_pool3d_with_indices",
    )
)  # fmt: skip
AVERAGE_POOLS = frozenset({"aten.avg_pool1d", "aten.avg_pool2d", "aten.avg_pool3d"})
ADAPTIVE_MAX_POOLS = frozenset(f"aten.adaptive_max_pool{d}d" for d in (1, 2, 3))
ADAPTIVE_AVERAGE_POOLS = frozenset(
    f"aten.{prefix}adaptive_avg_pool{d}d" for d in (1, 2, 3) for prefix in ("", "_")
)

POSITIONS = ((-1, -2), (-1, -2, -3))
"""The dimensions of positions, as PyTorch's own pooling writes them."""


def is_one_of(operation: Operation, names: frozenset[str]) -> bool:
    """Whether its name, or the one that is not in place, is among these."""
    return any(name in names for name in names_of(operation))


def is_adaptive_average(operation: Operation) -> bool:
    """Whether it averages over adaptive windows.

    Pooling to a single position reaches dispatch as a mean over the last two or three dimensions,
    counted from the end and kept, which is not how people write a mean themselves.
    """
    if operation.name == "aten.mean":
        return operation.argument("dim") in POSITIONS and bool(operation.argument("keepdim"))
    return operation.name in ADAPTIVE_AVERAGE_POOLS


def is_pooling(operation: Operation) -> bool:
    """Whether it pools, in whatever way."""
    windows = MAX_POOLS | AVERAGE_POOLS | ADAPTIVE_MAX_POOLS
    return operation.name in windows or is_adaptive_average(operation)


def has_weight(operation: Operation) -> bool:
    """Whether a normalisation scales by a weight."""
    return isinstance(operation.argument("weight"), TensorSpec)


def unbatched(layer: Layer, window: Sequence[int]) -> tuple[int, ...]:
    """What goes into a convolution that was called without a batch; empty where there is one."""
    shape = layer.inputs[0].shape if layer.inputs else ()
    return shape if len(shape) == len(window) + 1 else ()


def macs(operation: Operation) -> int:
    """Its multiply-accumulates, 0 where they are unknown."""
    return cost_of(operation).cost.macs


def written(operation: Operation) -> int:
    """Elements of its first output."""
    return operation.output.numel if operation.outputs else 0


def read(operation: Operation) -> int:
    """Elements of its first input."""
    return operation.inputs[0].numel if operation.inputs else 0


BIASES = {
    **dict.fromkeys(CONVOLUTIONS | {"aten.linear"}, "bias"),
    "aten.addmm": "self",
    "onnx.Conv": "B",
    "onnx.ConvTranspose": "B",
    "onnx.Gemm": "C",
}
"""The argument that is a bias, by operator."""


def bias_elements(call: Call) -> int:
    """Elements that a bias is added to, one by one: all that the call writes, or 0 without a bias.

    A parameter called so that is added by itself counts too: that is what a linear layer does with
    a tensor that is not contiguous.
    """
    operation = call.operation
    if is_one_of(operation, frozenset({"aten.add"})):
        named = any(name.endswith("bias") for name in call.parameters)
        has_bias = named and _is_vector(operation.argument("other"))
    else:
        has_bias = _is_vector(operation.argument(BIASES.get(operation.name, "")))
    return written(operation) if has_bias else 0


def _is_vector(value: Argument) -> bool:
    return isinstance(value, TensorSpec) and len(value.shape) == 1


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
