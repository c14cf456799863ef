"""What is counted, free or unknown among the operators that ONNX Runtime adds (`com.microsoft`).

Files that it has optimised or quantised are full of them.  A weight packed to a few bits per number
shows no shape, so the attributes give it.  Where channels are kept in blocks
(`com.microsoft.nchwc`), those that fill up the last block are counted only where nothing tells how
many there are in truth.
Source: onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from math import prod

from cnninspect.costs import laws
from cnninspect.costs.convolutions import convolution_of
from cnninspect.costs.distances import all_distances_of
from cnninspect.costs.laws import Terms
from cnninspect.costs.onnx import steps_of
from cnninspect.costs.products import Formula, multiply, product_of
from cnninspect.costs.recurrent import layer_of
from cnninspect.records.operations import Operation, TensorSpec


def packed_product(operation: Operation) -> Terms:
    """Every row of `A` times a packed weight of (`K`, `N`)."""
    inner, columns = operation.argument("K"), operation.argument("N")
    if not isinstance(inner, int) or not isinstance(columns, int):
        raise TypeError("K or N is missing")
    rows = prod(operation.tensor("A").shape[:-1])
    return laws.matrix_product(rows=rows, inner=inner, columns=columns)


def fused_convolution(given: str, weight: str, *, last: bool = False) -> Formula:
    """A formula: a convolution with an addition and an activation, which are free.

    Its channels come last if `last` or its attribute `channels_last` says so.
    """

    def formula(operation: Operation) -> Terms:
        x, w, output = operation.tensor(given), operation.tensor(weight), operation.output
        if last or operation.argument("channels_last"):
            x, output = _channels_first(x), _channels_first(output)
        return convolution_of(x, w, output)

    return formula


def blocked_convolution(operation: Operation) -> Terms:
    """A convolution of blocks of channels, without those that only fill up a block.

    A batch norm that became one multiplies and adds element by element, and counts nothing.
    """
    if operation.argument("normalizes"):
        return ()
    x, channels = operation.tensor("X"), operation.argument("channels")
    w = unfilled(operation.tensor("W"), x, channels=channels, groups=operation.argument("group"))
    return convolution_of(x, w, operation.output)


def unfilled(spec: TensorSpec, x: TensorSpec, *, channels: object, groups: object) -> TensorSpec:
    """The weight or bias of a blocked convolution without what only fills up a block.

    `channels` is how many it gives in truth, where that is known; `x` has as many as it takes.
    """
    shape = list(spec.shape)
    if isinstance(channels, int) and 0 < channels < shape[0]:
        shape[0] = channels
    if len(shape) > 1 and groups in (None, 1) and 0 < x.shape[1] < shape[1]:
        shape[1] = x.shape[1]
    return TensorSpec(tuple(shape), spec.dtype)


def _channels_first(spec: TensorSpec) -> TensorSpec:
    batch, *places, channels = spec.shape
    return TensorSpec((batch, channels, *places), spec.dtype)


def fused_product(operation: Operation) -> Terms:
    """A matrix product; of either factor two dimensions may be exchanged, or the batch be inside.

    With `transBatchA` a factor of (rows, batch, inner) is read as (batch, rows, inner).
    """
    return multiply(_turned(operation, "A"), _turned(operation, "B"))


def _turned(operation: Operation, which: str) -> tuple[int, ...]:
    shape = operation.tensor(which).shape
    if operation.argument(f"transBatch{which}") and len(shape) > 2:
        shape = (*shape[1:-1], shape[0], shape[-1])
    if operation.argument(f"trans{which}") and len(shape) > 1:
        shape = (*shape[:-2], shape[-1], shape[-2])
    return shape


def quantized_lstm(operation: Operation) -> Terms:
    """An LSTM; `W` is (directions, inputs, 4·hidden), `R` (directions, hidden, 4·hidden)."""
    directions, inputs, rows = operation.tensor("W").shape
    _, fed_back, _ = operation.tensor("R").shape
    shapes = [(rows, inputs), (rows, fed_back)] * directions
    return layer_of(steps_of(operation), 4, shapes, directions)


def projected_attention(weight: str) -> Formula:
    """A formula: query, key and value are made of one input by one weight, then attention.

    Keys of the past, which lie as (2, batch, heads, length, width), are attended to as well.
    """

    def formula(operation: Operation) -> Terms:
        batch, length, width = operation.tensor("input").shape
        made = operation.tensor(weight).shape[-1]
        heads, sizes = _heads(operation), operation.argument("qkv_hidden_sizes")
        query = value = made // 3
        if isinstance(sizes, tuple):
            query, _, value = (size for size in sizes if isinstance(size, int))
        return (
            *laws.matrix_product(rows=batch * length, inner=width, columns=made),
            *laws.attention(
                heads=batch * heads,
                queries=length,
                keys=length + _past(operation, "past"),
                key_width=query // heads,
                value_width=value // heads,
            ),
        )

    return formula


def multi_head_attention(operation: Operation) -> Terms:
    """Attention on (batch, length, heads · width), without projections.

    Keys and values may be (batch, heads, length, width) already; a packed query of five axes,
    (batch, length, heads, 3, width), holds all three.
    """
    shape, heads = operation.tensor("query").shape, _heads(operation)
    past = _past(operation, "past_key")
    if len(shape) == 5:
        batch, queries, _, _, width = shape
        return laws.attention(
            heads=batch * heads, queries=queries, keys=queries + past, key_width=width,
            value_width=width,
        )  # fmt: skip
    batch, queries, width = shape
    key = operation.tensor("key").shape
    if len(key) == 5:  # key and value side by side
        keys, value_width = key[1], key[4]
    else:
        value = operation.tensor("value").shape
        keys = key[2] if len(key) == 4 else key[1]
        value_width = value[3] if len(value) == 4 else value[2] // heads
    return laws.attention(
        heads=batch * heads,
        queries=queries,
        keys=keys + past,
        key_width=width // heads,
        value_width=value_width,
    )


def grouped_attention(operation: Operation) -> Terms:
    """Attention whose heads share keys; without a key, the query holds all three side by side.

    Every query is counted with every key, those of the past included.
    """
    batch, queries, width = operation.tensor("query").shape
    heads, shared = _heads(operation), operation.argument("kv_num_heads")
    if not isinstance(shared, int):
        raise TypeError("kv_num_heads is missing")
    is_packed = operation.argument("key") is None
    head = width // (heads + 2 * shared if is_packed else heads)
    keys = queries if is_packed else operation.tensor("key").shape[1]
    return laws.attention(
        heads=batch * heads,
        queries=queries,
        keys=keys + _past(operation, "past_key"),
        key_width=head,
        value_width=head,
    )


def _heads(operation: Operation) -> int:
    heads = operation.argument("num_heads")
    if not isinstance(heads, int):
        raise TypeError("the number of heads is missing")
    return heads


def _past(operation: Operation, name: str) -> int:
    """Length of the keys of the past; 0 where there are none."""
    return 0 if operation.argument(name) is None else operation.tensor(name).shape[-2]


COUNTED: dict[str, Formula] = {
    "com.microsoft.Attention": projected_attention("weights"),
    "com.microsoft.CDist": all_distances_of("A", "B"),  # Euclidean ones are all that it knows
    "com.microsoft.DecoderMaskedMultiHeadAttention": multi_head_attention,
    "com.microsoft.DynamicQuantizeLSTM": quantized_lstm,
    "com.microsoft.DynamicQuantizeMatMul": product_of("A", "B"),
    "com.microsoft.FusedConv": fused_convolution("X", "W"),
    "com.microsoft.FusedGemm": fused_product,
    "com.microsoft.FusedMatMul": fused_product,
    "com.microsoft.FusedMatMulActivation": fused_product,
    "com.microsoft.GemmFastGelu": product_of("A", "B"),
    "com.microsoft.GroupQueryAttention": grouped_attention,
    "com.microsoft.MatMulBnb4": packed_product,
    "com.microsoft.MatMulInteger16": product_of("A", "B"),
    "com.microsoft.MatMulIntegerToFloat": product_of("A", "B"),
    "com.microsoft.MatMulNBits": packed_product,
    "com.microsoft.MultiHeadAttention": multi_head_attention,
    "com.microsoft.NhwcConv": fused_convolution("X", "W", last=True),
    "com.microsoft.NhwcFusedConv": fused_convolution("X", "W", last=True),
    "com.microsoft.QAttention": projected_attention("weight"),
    "com.microsoft.QGemm": fused_product,
    "com.microsoft.QLinearConv": fused_convolution("x", "w"),
    "com.microsoft.TransposeMatMul": fused_product,
    "com.microsoft.nchwc.Conv": blocked_convolution,
}

REASONS: dict[str, str] = {
    "an activation": """
        BiasGelu BiasSplitGelu FastGelu Gelu QLinearLeakyRelu QLinearSigmoid QuickGelu""",
    "arithmetic element by element": """
        BiasAdd BiasDropout BitmaskBiasDropout GemmaRotaryEmbedding QLinearAdd QLinearMul
        QLinearWhere RotaryEmbedding""",
    "a sum, a norm or another statistic over elements": "QLinearReduceMean",
    "normalisation": """
        EmbedLayerNormalization GroupNorm LayerNormalization SimplifiedLayerNormalization
        SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization""",
    "softmax": "BiasSoftmax QLinearSoftmax",
    "pooling": """
        NhwcMaxPool QLinearAveragePool QLinearGlobalAveragePool nchwc.AveragePool
        nchwc.GlobalAveragePool nchwc.GlobalMaxPool nchwc.MaxPool""",
    "resampling by a fixed rule of interpolation": "nchwc.Upsample",
    "gathering and scattering by index": "GatherBlockQuantized GatherND Unique",
    "a view, a copy or another shape of the same data": """
        ExpandDims Pad QLinearConcat Trilu UnfoldTensor nchwc.ReorderInput nchwc.ReorderOutput""",
    "tensor creation": "Range",
    "quantisation: scaling and rounding": "DequantizeLinear QuantizeLinear",
}
FREE: dict[str, str] = {
    "onnx.SimplifiedLayerNormalization": "normalisation",  # ONNX Runtime's, in ONNX's own domain
    **{f"com.microsoft.{op}": reason for reason, ops in REASONS.items() for op in ops.split()},
}
"""Reason by operation name."""
UNKNOWN: dict[str, str] = {
    "com.microsoft.Inverse": "a matrix inversion: its work depends on the algorithm",
    **dict.fromkeys(
        ("com.microsoft.Rfft", "com.microsoft.Irfft"),
        "a fast Fourier transform: its work depends on the factors of the length",
    ),
    **dict.fromkeys(
        ("com.microsoft.PackedAttention", "com.microsoft.PackedMultiHeadAttention"),
        "attention over packed sequences: their lengths are values, not shapes",
    ),
    **dict.fromkeys(
        ("com.microsoft.LongformerAttention", "com.microsoft.SparseAttention"),
        "attention over some of the keys: which, values tell",
    ),
    **dict.fromkeys(
        ("com.microsoft.MoE", "com.microsoft.QMoE"),
        "experts of which the router chooses: how many tokens each gets depends on data",
    ),
    **dict.fromkeys(
        (
            "com.microsoft.BeamSearch", "com.microsoft.GreedySearch", "com.microsoft.Sampling",
            "com.microsoft.WhisperBeamSearch",
        ),
        "a search that runs a decoder again and again: how often depends on data",
    ),
}  # fmt: skip
"""Why nobody can say, by operation name."""
