"""Operators of ONNX Runtime's own domain (`com.microsoft`), of which ONNX has no schemas.

Optimised and quantised files are full of them.  Here stand those whose output follows from a rule
of a line; what others give is not known, which the report then says.
Source: onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onnx import NodeProto, helper

from cnninspect.engine.onnx_read.values import Dims, Value

Given = Sequence["Value | None"]

INPUTS: dict[str, tuple[str, ...]] = {
    "Attention": ("input", "weights", "bias", "mask_index", "past", "attention_bias"),
    "DynamicQuantizeMatMul": ("A", "B", "b_scale", "b_zero_point", "bias"),
    "FusedConv": ("X", "W", "B", "Z"),
    "FusedGemm": ("A", "B", "C"),
    "FusedMatMul": ("A", "B"),
    "GroupQueryAttention": ("query", "key", "value", "past_key", "past_value", "seqlens_k"),
    "MatMulBnb4": ("A", "B", "absmax"),
    "MatMulIntegerToFloat": ("A", "B", "a_scale", "b_scale", "a_zero_point", "b_zero_point"),
    "MatMulNBits": ("A", "B", "scales", "zero_points", "g_idx", "bias"),
    "MultiHeadAttention": ("query", "key", "value", "bias", "key_padding_mask", "attention_bias"),
    "QAttention": ("input", "weight", "bias", "input_scale", "weight_scale", "mask_index"),
    "QGemm": ("A", "a_scale", "a_zero_point", "B", "b_scale", "b_zero_point", "C"),
}
"""Names of inputs, where costs need them."""

SAME = frozenset(
    [
        "BiasDropout",
        "BiasGelu",
        "BiasSoftmax",
        "FastGelu",
        "Gelu",
        "GroupNorm",
        "LayerNormalization",
        "QLinearLeakyRelu",
        "QLinearSigmoid",
        "QLinearSoftmax",
        "QuickGelu",
        "RotaryEmbedding",
        "SimplifiedLayerNormalization",
        "SkipGroupNorm",
        "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization",
    ]
)
"""What gives a tensor like its first input."""


def outputs_of(node: NodeProto, inputs: Given) -> list[Value]:
    """The outputs of an operator without a schema, as far as they are known."""
    outputs = [Value(0, None) for _ in node.output]
    first = next((value for value in inputs if value is not None), None)
    if first is None or not outputs:
        return outputs
    if node.op_type in SAME:
        outputs[0] = Value(first.element, first.dims)
    elif node.op_type in RULES:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        try:
            dims = RULES[node.op_type](inputs, attributes)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return outputs  # an input is missing, or its shape
        outputs[0] = Value(first.element if first.element not in (2, 3) else 1, dims)
    return outputs


def _dims(inputs: Given, index: int) -> tuple[int, ...]:
    value = inputs[index]
    if value is None or value.dims is None or None in value.dims:
        raise ValueError("the shape is not known")
    return value.dims  # type: ignore[return-value]


def _product(left: int = 0, right: int = 1) -> Callable[[Given, dict[str, Any]], Dims]:
    def rule(inputs: Given, attributes: dict[str, Any]) -> Dims:
        a, b = _dims(inputs, left), _dims(inputs, right)
        if attributes.get("transA"):
            a = (*a[:-2], a[-1], a[-2])
        if attributes.get("transB"):
            b = (*b[:-2], b[-1], b[-2])
        batch = a[:-2] if len(a) >= len(b) else b[:-2]
        return (*batch, a[-2], b[-1])

    return rule


def _packed_product(inputs: Given, attributes: dict[str, Any]) -> Dims:
    return (*_dims(inputs, 0)[:-1], int(attributes["N"]))


def _convolution(inputs: Given, attributes: dict[str, Any]) -> Dims:
    """Source: ONNX, Conv, without `auto_pad`."""
    x, weight = _dims(inputs, 0), _dims(inputs, 1)
    window = weight[2:]
    ones, zeros = [1] * len(window), [0] * 2 * len(window)
    strides, dilations = attributes.get("strides", ones), attributes.get("dilations", ones)
    pads = attributes.get("pads", zeros)
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ValueError("auto_pad")
    positions = (
        (size + pads[i] + pads[i + len(window)] - dilations[i] * (window[i] - 1) - 1) // strides[i]
        + 1
        for i, size in enumerate(x[2:])
    )
    return (x[0], weight[0], *positions)


def _attention(inputs: Given, attributes: dict[str, Any]) -> Dims:
    batch, length, _ = _dims(inputs, 0)
    sizes = attributes.get("qkv_hidden_sizes")
    return batch, length, sizes[2] if sizes else _dims(inputs, 1)[-1] // 3


def _query(inputs: Given, _: dict[str, Any]) -> Dims:
    query = _dims(inputs, 0)
    if len(query) != 3:
        raise ValueError("packed")
    return query


RULES: dict[str, Callable[[Given, dict[str, Any]], Dims]] = {
    "Attention": _attention,
    "DynamicQuantizeMatMul": _product(),
    "FusedConv": _convolution,
    "FusedGemm": _product(),
    "FusedMatMul": _product(),
    "GroupQueryAttention": _query,
    "MatMulBnb4": _packed_product,
    "MatMulIntegerToFloat": _product(),
    "MatMulNBits": _packed_product,
    "MultiHeadAttention": _query,
    "QAttention": _attention,
    "QGemm": _product(0, 3),
}
"""Shape of the first output, from the inputs and attributes."""
