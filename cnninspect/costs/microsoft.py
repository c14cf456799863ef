"""What is counted and free among the operators that ONNX Runtime adds (`com.microsoft`).

Files that it has optimised or quantised are full of them.  A weight packed to a few bits per number
shows no shape, so the attributes give it.
Source: onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from math import prod

from cnninspect.costs import laws
from cnninspect.costs.convolutions import convolution_of
from cnninspect.costs.laws import Terms
from cnninspect.costs.products import Formula, multiply, product_of
from cnninspect.records.operations import Operation


def packed_product(operation: Operation) -> Terms:
    """Every row of `A` times a packed weight of (`K`, `N`)."""
    inner, columns = operation.argument("K"), operation.argument("N")
    if not isinstance(inner, int) or not isinstance(columns, int):
        raise TypeError("K or N is missing")
    rows = prod(operation.tensor("A").shape[:-1])
    return laws.matrix_product(rows=rows, inner=inner, columns=columns)


def fused_convolution(operation: Operation) -> Terms:
    """A convolution with an addition and an activation, which are free."""
    return convolution_of(operation.tensor("X"), operation.tensor("W"), operation.output)


def fused_product(operation: Operation) -> Terms:
    """A matrix product, the last two dimensions of either factor exchanged if so said."""
    left, right = operation.tensor("A").shape, operation.tensor("B").shape
    if operation.argument("transA"):
        left = (*left[:-2], left[-1], left[-2])
    if operation.argument("transB"):
        right = (*right[:-2], right[-1], right[-2])
    return multiply(left, right)


def projected_attention(weight: str) -> Formula:
    """A formula: query, key and value are made of one input by one weight, then attention."""

    def formula(operation: Operation) -> Terms:
        batch, length, width = operation.tensor("input").shape
        made = operation.tensor(weight).shape[-1]
        heads, sizes = operation.argument("num_heads"), operation.argument("qkv_hidden_sizes")
        if not isinstance(heads, int):
            raise TypeError("the number of heads is missing")
        query = value = made // 3
        if isinstance(sizes, tuple):
            query, _, value = (size for size in sizes if isinstance(size, int))
        return (
            *laws.matrix_product(rows=batch * length, inner=width, columns=made),
            *laws.attention(
                heads=batch * heads,
                queries=length,
                keys=length,
                key_width=query // heads,
                value_width=value // heads,
            ),
        )

    return formula


def multi_head_attention(operation: Operation) -> Terms:
    """Attention on (batch, length, heads · width), without projections."""
    batch, queries, width = operation.tensor("query").shape
    _, keys, _ = operation.tensor("key").shape
    heads = operation.argument("num_heads")
    if not isinstance(heads, int):
        raise TypeError("the number of heads is missing")
    return laws.attention(
        heads=batch * heads,
        queries=queries,
        keys=keys,
        key_width=width // heads,
        value_width=operation.tensor("value").shape[-1] // heads,
    )


COUNTED: dict[str, Formula] = {
    "com.microsoft.Attention": projected_attention("weights"),
    "com.microsoft.DynamicQuantizeMatMul": product_of("A", "B"),
    "com.microsoft.FusedConv": fused_convolution,
    "com.microsoft.FusedGemm": fused_product,
    "com.microsoft.FusedMatMul": fused_product,
    "com.microsoft.MatMulBnb4": packed_product,
    "com.microsoft.MatMulIntegerToFloat": product_of("A", "B"),
    "com.microsoft.MatMulNBits": packed_product,
    "com.microsoft.MultiHeadAttention": multi_head_attention,
    "com.microsoft.QAttention": projected_attention("weight"),
    "com.microsoft.QGemm": fused_product,
}

REASONS: dict[str, str] = {
    "an activation": "BiasGelu FastGelu Gelu QLinearLeakyRelu QLinearSigmoid QuickGelu",
    "arithmetic element by element": "BiasAdd BiasDropout QLinearAdd QLinearMul RotaryEmbedding",
    "normalisation": """
        EmbedLayerNormalization GroupNorm LayerNormalization SimplifiedLayerNormalization
        SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization""",
    "softmax": "BiasSoftmax QLinearSoftmax",
    "pooling": "NhwcMaxPool QLinearAveragePool QLinearGlobalAveragePool",
    "gathering and scattering by index": "GatherBlockQuantized",
    "a view, a copy or another shape of the same data": "QLinearConcat",
    "quantisation: scaling and rounding": "DequantizeLinear QuantizeLinear",
}
FREE: dict[str, str] = {
    f"com.microsoft.{op}": reason for reason, ops in REASONS.items() for op in ops.split()
}
"""Reason by operation name."""
