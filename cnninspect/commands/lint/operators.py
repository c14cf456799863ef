"""What an operation is, in words that PyTorch's operators and ONNX's have in common."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from cnninspect.records.operations import Operation, TensorSpec

_NAMES: dict[str, str] = {
    "convolution": """
        aten.convolution aten._convolution aten.conv1d aten.conv2d aten.conv3d onnx.Conv
        onnx.ConvTranspose""",
    "linear": "aten.addmm aten.mm aten.linear onnx.Gemm onnx.MatMul",
    "batch norm": """
        aten.native_batch_norm aten._native_batch_norm_legit aten.cudnn_batch_norm
        aten._native_batch_norm_legit_no_training aten.batch_norm onnx.BatchNormalization""",
    "instance norm": "aten.instance_norm onnx.InstanceNormalization",
    "group norm": "aten.native_group_norm aten.group_norm onnx.GroupNormalization",
    "layer norm": """
        aten.native_layer_norm aten.layer_norm aten._fused_rms_norm aten.rms_norm
        onnx.LayerNormalization onnx.RMSNormalization onnx.LpNormalization
        onnx.MeanVarianceNormalization""",
    "other norm": "aten.rsqrt aten.var_mean aten.linalg_vector_norm aten.std_mean onnx.LRN",
    "relu": "aten.relu onnx.Relu",
    "relu6": "aten.relu6",
    "leaky relu": "aten.leaky_relu aten._prelu_kernel aten.prelu onnx.LeakyRelu onnx.PRelu",
    "sigmoid": "aten.sigmoid onnx.Sigmoid",
    "hard sigmoid": "aten.hardsigmoid onnx.HardSigmoid",
    "tanh": "aten.tanh onnx.Tanh",
    "softmax": "aten._softmax aten.softmax onnx.Softmax",
    "log softmax": "aten._log_softmax aten.log_softmax onnx.LogSoftmax",
    "other activation": """
        aten.gelu aten.silu aten.mish aten.hardswish aten.elu aten.selu aten.celu aten.softplus
        aten.glu aten.log_sigmoid_forward aten.threshold onnx.Gelu onnx.Swish onnx.Mish
        onnx.HardSwish onnx.Elu onnx.Selu onnx.Celu onnx.Softplus onnx.Softsign""",
    "max pool": """
        aten.max_pool2d_with_indices aten.max_pool2d aten.max_pool1d aten.max_pool3d
        aten.max_pool3d_with_indices onnx.MaxPool""",
    "average pool": "aten.avg_pool1d aten.avg_pool2d aten.avg_pool3d onnx.AveragePool",
    "adaptive average pool": """
        aten._adaptive_avg_pool2d aten._adaptive_avg_pool3d aten.adaptive_avg_pool1d
        aten.adaptive_avg_pool2d""",
    "adaptive max pool": "aten.adaptive_max_pool2d aten.adaptive_max_pool3d",
    "global pool": "onnx.GlobalAveragePool onnx.GlobalMaxPool",
    "mean": "aten.mean onnx.ReduceMean",
    "add": "aten.add onnx.Add",
    "multiply": "aten.mul onnx.Mul",
    "join": "aten.cat aten.stack onnx.Concat",
    "pad": """
        aten.constant_pad_nd aten.reflection_pad2d aten.reflection_pad1d aten.replication_pad2d
        aten.replication_pad1d onnx.Pad""",
    "attention": "aten.scaled_dot_product_attention onnx.Attention",
    "recurrent": """
        aten.lstm aten.gru aten.rnn_tanh aten.rnn_relu onnx.LSTM onnx.GRU onnx.RNN""",
    "product": "aten.bmm aten.baddbmm aten.matmul aten.einsum onnx.Einsum",
    "reshape": """
        aten.view aten._unsafe_view aten.reshape aten.flatten aten.squeeze aten.unsqueeze
        aten.unflatten onnx.Reshape onnx.Flatten onnx.Squeeze onnx.Unsqueeze""",
    "copy": """
        aten.clone aten.contiguous aten.alias aten.detach aten.lift_fresh aten.view_as
        onnx.Identity onnx.Dropout""",
    "moving": "aten.permute aten.transpose aten.t onnx.Transpose",
    "dropout": "aten.native_dropout aten.dropout",
}
KINDS: dict[str, str] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
"""What an operation is, by its name without the underscore of variants in place."""

NORMS = frozenset(("batch norm", "instance norm", "group norm", "layer norm", "other norm"))
SATURATING = frozenset(("sigmoid", "tanh", "hard sigmoid"))
NOT_NEGATIVE = frozenset(("relu", "relu6", "sigmoid", "hard sigmoid", "softmax"))
"""Activations whose results are 0 or more."""
ACTIVATIONS = frozenset(
    (*NOT_NEGATIVE, *SATURATING, "leaky relu", "log softmax", "other activation", "hard tanh")
)
SAME_SHAPE = frozenset(("copy", "reshape"))
"""Kinds that give the same values in the same order."""


def plain_name(operation: Operation) -> str:
    """The operation's name without the underscore of a variant in place."""
    name = operation.name
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def is_in_place(operation: Operation) -> bool:
    """Whether it writes over the tensor that it is given."""
    return operation.name.endswith("_") and operation.name.startswith("aten.")


def kind_of(operation: Operation) -> str:
    """What an operation is; empty where no rule asks for it."""
    name = plain_name(operation)
    if name in ("aten.hardtanh", "onnx.Clip", "aten.clamp"):
        return _clip_kind(operation)
    if name in ("aten.clamp_min", "aten.clamp_max"):
        return ""
    return KINDS.get(name, "")


def _clip_kind(operation: Operation) -> str:
    low = operation.argument("min_val", operation.argument("min"))
    high = operation.argument("max_val", operation.argument("max"))
    if plain_name(operation) != "aten.hardtanh" or isinstance(low, TensorSpec):
        return ""  # limits that are tensors are not on record, and others are no activation
    return "relu6" if low == 0 and isinstance(high, (int, float)) and high > 0 else "hard tanh"


@dataclass(frozen=True, slots=True)
class Window:
    """A convolution or pooling: a window that moves over positions."""

    sizes: tuple[int, ...]
    """Positions of the input, by spatial dimension."""
    out: tuple[int, ...]
    """Positions of the output."""
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    """Padding before the first position."""
    after: tuple[int, ...]
    """Padding after the last position."""
    dilation: tuple[int, ...]
    transposed: bool = False
    groups: int = 1

    @property
    def is_pointwise(self) -> bool:
        """Whether it looks at one position alone."""
        return all(size == 1 for size in self.kernel)

    def taps(self, dim: int) -> int:
        """Of a row of windows along a dimension, how many taps lie on the input, not on padding."""
        n, step, d = self.sizes[dim], self.stride[dim], self.dilation[dim]
        inside = 0
        for tap in range(self.kernel[dim]):
            first = tap * d - self.before[dim]  # position that the first window puts this tap on
            low = max(0, ceil(-first / step))
            high = min(self.out[dim] - 1, (n - 1 - first) // step)
            inside += max(0, high - low + 1)
        return inside

    def used_taps(self, dim: int) -> int:
        """How many taps along a dimension ever lie on the input."""
        n, step, d = self.sizes[dim], self.stride[dim], self.dilation[dim]
        used = 0
        for tap in range(self.kernel[dim]):
            first = tap * d - self.before[dim]
            low = max(0, ceil(-first / step))
            used += low <= min(self.out[dim] - 1, (n - 1 - first) // step)
        return used

    def seen(self, dim: int) -> frozenset[int]:
        """The positions of the input that some window looks at, along a dimension."""
        n = self.sizes[dim]
        if self.stride[dim] == 1 and self.dilation[dim] == 1:
            return frozenset(range(n))
        return frozenset(
            place
            for window in range(self.out[dim])
            for tap in range(self.kernel[dim])
            for place in (window * self.stride[dim] + tap * self.dilation[dim] - self.before[dim],)
            if 0 <= place < n
        )


def window_of(operation: Operation) -> Window | None:
    """The window of a convolution or pooling; None: it is none, or its sizes are not known."""
    kind = kind_of(operation)
    if kind not in ("convolution", "max pool", "average pool") or not operation.outputs:
        return None
    given = next(iter(operation.inputs), None)
    if given is None:
        return None
    weight = operation.argument("weight", operation.argument("W"))
    if kind == "convolution":
        if not isinstance(weight, TensorSpec):
            return None
        kernel: tuple[int, ...] | None = weight.shape[2:]
    else:
        kernel = _ints(operation, "kernel_size", "kernel_shape")
    if not kernel or len(given.shape) < len(kernel):
        return None
    rank, sizes, out = len(kernel), given.shape, operation.output.shape
    stride = _spread(_ints(operation, "stride", "strides"), rank)
    if stride is None:
        stride = kernel if operation.name.startswith("aten.") else (1,) * rank
    pads = _pads(operation, rank)
    if pads is None:
        return None
    groups = operation.argument("groups", operation.argument("group", 1))
    return Window(
        sizes=sizes[len(sizes) - rank :],
        out=out[len(out) - rank :],
        kernel=kernel,
        stride=stride,
        before=pads[0],
        after=pads[1],
        dilation=_spread(_ints(operation, "dilation", "dilations"), rank) or (1,) * rank,
        transposed=operation.argument("transposed") is True or "Transpose" in operation.name,
        groups=groups if isinstance(groups, int) else 1,
    )


def _pads(operation: Operation, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    if operation.name.startswith("aten."):
        padding = operation.argument("padding")
        if isinstance(padding, str):
            return None
        both = _spread(_ints(operation, "padding"), rank) or (0,) * rank
        return both, both
    if operation.argument("auto_pad", "NOTSET") not in (None, "", "NOTSET", "VALID"):
        return None
    pads = _ints(operation, "pads") or (0,) * (2 * rank)
    return (pads[:rank], pads[rank:]) if len(pads) == 2 * rank else None


def _ints(operation: Operation, *names: str) -> tuple[int, ...] | None:
    for name in names:
        value = operation.argument(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return (value,)
        if isinstance(value, tuple) and value and all(isinstance(item, int) for item in value):
            return tuple(item for item in value if isinstance(item, int))
    return None


def _spread(values: tuple[int, ...] | None, rank: int) -> tuple[int, ...] | None:
    """One number for each dimension."""
    if values is None:
        return None
    return values * rank if len(values) == 1 else values if len(values) == rank else None
