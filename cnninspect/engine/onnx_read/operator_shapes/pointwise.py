"""Shapes of what works element by element, normalises, or only changes the type."""

from __future__ import annotations

from collections.abc import Callable

from onnx import TensorProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.operator_shapes.known_node import (
    KnownNode,
    NotKnown,
    broadcast,
    tensor,
)
from cnninspect.engine.onnx_read.values import Value

Rule = Callable[[KnownNode], list[Value]]

FLOAT, UINT8, INT64, BOOL = 1, 2, 7, 9


def like_first(node: KnownNode) -> list[Value]:
    """A tensor like the first input."""
    value = node.value(0)
    if value.other:
        return [Value(0, None, value.other, items=value.items)]
    return [tensor(value.element, value.dims)]


def truth_like_first(node: KnownNode) -> list[Value]:
    """A truth value for each element."""
    return [tensor(BOOL, node.dims(0))]


def between(node: KnownNode) -> list[Value]:
    """An operation between all inputs, element by element."""
    return [tensor(_element_between(node), _dims_between(node))]


def truth_between(node: KnownNode) -> list[Value]:
    """A comparison between the inputs, element by element."""
    return [tensor(BOOL, _dims_between(node))]


def _element_between(node: KnownNode) -> int:
    return next((node.element(i) for i in range(len(node.inputs)) if node.element(i)), 0)


def _dims_between(node: KnownNode) -> tuple[int | None, ...]:
    if node.version < 7 and len(node.inputs) == 2 and node.op not in ("Max", "Min", "Sum", "Mean"):
        # Of old, the second was spread over the first, and only if so said.
        return node.dims(0)
    return broadcast(*[node.dims(i) for i in range(len(node.inputs))])


def where(node: KnownNode) -> list[Value]:
    """Elements of two tensors, chosen by a third."""
    return [
        tensor(
            node.element(1) or node.element(2),
            broadcast(node.dims(0), node.dims(1), node.dims(2)),
        )
    ]


def first_spread(node: KnownNode) -> list[Value]:
    """A tensor like the first input, over which the second is spread."""
    value = node.value(0)
    if value.dims is None:
        raise NotKnown
    return [tensor(value.element, value.dims)]


def cast(node: KnownNode) -> list[Value]:
    """The same elements in another type."""
    to = node.attributes.get("to", 0)
    if isinstance(to, str):  # of old, types went by name
        to = TensorProto.DataType.Value(to) if to in TensorProto.DataType.keys() else 0  # noqa: SIM118
    if not isinstance(to, int):
        raise Malformed("its attribute to is no type")
    return [tensor(to, node.dims(0))]


def cast_like(node: KnownNode) -> list[Value]:
    """The same elements in the type of the second input."""
    return [tensor(node.element(1), node.dims(0))]


def dropout(node: KnownNode) -> list[Value]:
    """A tensor like the first, and the mask."""
    value = node.value(0)
    mask = BOOL if node.version >= 10 else value.element
    return [tensor(value.element, value.dims), tensor(mask, value.dims)]


def batch_normalization(node: KnownNode) -> list[Value]:
    """A tensor like the first, and statistics like those that were given."""
    value = node.value(0)
    if value.dims is not None and len(value.dims) > 1:
        channels = value.dims[1]
        given = node.inputs[1].dims if node.has(1) else None  # type: ignore[union-attr]
        if None not in (channels, *(given or (None,))) and given != (channels,):
            raise Malformed(f"its scale is for {given[0]} channels, and it has {channels}")  # type: ignore[index]
    statistics = [tensor(node.element(i), node.value(i).dims) for i in (3, 4) if node.has(i)]
    return [tensor(value.element, value.dims), *statistics, *statistics]


def layer_normalization(node: KnownNode) -> list[Value]:
    """A tensor like the first, and the mean and deviation of each group."""
    value, dims = node.value(0), node.dims(0)
    axis = node.whole("axis", -1)
    at = axis + len(dims) if axis < 0 else axis
    kept = (*dims[:at], *[1] * (len(dims) - at))
    stash = node.whole("stash_type", 1)
    return [tensor(value.element, dims), tensor(stash, kept), tensor(stash, kept)]


def quantize(node: KnownNode) -> list[Value]:
    """The same elements as whole numbers, of the type of the zero point."""
    to = node.whole("output_dtype", 0) or node.element(2) or UINT8
    return [tensor(to, node.dims(0))]


def dequantize(node: KnownNode) -> list[Value]:
    """The same elements as floating numbers, of the type of the scale."""
    to = node.whole("output_dtype", 0) or node.element(1) or FLOAT
    return [tensor(to, node.dims(0))]


def dynamic_quantize(node: KnownNode) -> list[Value]:
    """The same elements in 8 bits, a scale and a zero point."""
    return [tensor(UINT8, node.dims(0)), tensor(FLOAT, ()), tensor(UINT8, ())]


SAME = """
    Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Clip Cos Cosh CumProd CumSum Elu Erf
    Exp Floor Gelu GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization
    LRN LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish Neg Not
    RMSNormalization Reciprocal Relu ReverseSequence RotaryEmbedding Round Selu Shrink Sigmoid Sign
    Sin Sinh SimplifiedLayerNormalization Softmax Softplus Softsign Sqrt Swish Tan Tanh
    ThresholdedRelu Trilu ScatterElements Scatter ScatterND TensorScatter"""
BETWEEN = "Add Sub Mul Div Mod Max Min Sum Mean BitShift BitwiseAnd BitwiseOr BitwiseXor Pow"
COMPARING = "And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual"

RULES: dict[str, Rule] = {
    **dict.fromkeys(SAME.split(), like_first),
    **dict.fromkeys(BETWEEN.split(), between),
    **dict.fromkeys(COMPARING.split(), truth_between),
    "IsNaN": truth_like_first,
    "IsInf": truth_like_first,
    "PRelu": first_spread,
    "Where": where,
    "Cast": cast,
    "CastLike": cast_like,
    "Dropout": dropout,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
}
"""Shape of the outputs, by operator of ONNX."""
