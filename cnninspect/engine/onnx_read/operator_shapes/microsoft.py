"""Shapes of ONNX Runtime's own operators (`com.microsoft`), of which ONNX has no definitions.

Optimised and quantised files are full of them.  Where the channels of a picture are kept in blocks
(`com.microsoft.nchwc`), axes still mean the same, with channels filled up to whole blocks.
Source: onnxruntime, docs/ContribOperators.md and core/graph/contrib_ops.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from onnx import GraphProto, NodeProto, TensorProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.operator_shapes import (
    indexing,
    moving,
    pointwise,
    products,
    windows,
)
from cnninspect.engine.onnx_read.operator_shapes.known_node import (
    KnownNode,
    NotKnown,
    axis_in,
    broadcast,
    tensor,
)
from cnninspect.engine.onnx_read.operator_shapes.moving import joined
from cnninspect.engine.onnx_read.operator_shapes.products import multiplied
from cnninspect.engine.onnx_read.operator_shapes.windows import positions
from cnninspect.engine.onnx_read.values import Dims, Value

Rule = Callable[[KnownNode], list[Value]]
FLOAT, INT32 = 1, 6
BYTES = (2, 3)

INPUTS: dict[str, tuple[str, ...]] = {
    "Attention": ("input", "weights", "bias", "mask_index", "past", "attention_bias"),
    "DecoderMaskedMultiHeadAttention": (
        "query", "key", "value", "mask_index", "attention_bias", "past_key", "past_value",
    ),
    "DynamicQuantizeLSTM": (
        "X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P", "W_scale",
        "W_zero_point", "R_scale", "R_zero_point",
    ),
    "DynamicQuantizeMatMul": ("A", "B", "b_scale", "b_zero_point", "bias"),
    "FusedConv": ("X", "W", "B", "Z"),
    "FusedGemm": ("A", "B", "C"),
    "FusedMatMul": ("A", "B"),
    "FusedMatMulActivation": ("A", "B"),
    "GatherBlockQuantized": ("data", "indices", "scales", "zero_points"),
    "GemmFastGelu": ("A", "B", "bias"),
    "GemmFloat8": ("A", "B", "C", "scaleA", "scaleB", "scaleY"),
    "GroupQueryAttention": ("query", "key", "value", "past_key", "past_value", "seqlens_k"),
    "MatMulBnb4": ("A", "B", "absmax"),
    "MatMulFpQ4": ("A", "B", "B_shape"),
    "MatMulInteger16": ("A", "B"),
    "MatMulIntegerToFloat": ("A", "B", "a_scale", "b_scale", "a_zero_point", "b_zero_point"),
    "MatMulNBits": ("A", "B", "scales", "zero_points", "g_idx", "bias"),
    "MultiHeadAttention": (
        "query", "key", "value", "bias", "key_padding_mask", "attention_bias", "past_key",
        "past_value",
    ),
    "NhwcConv": ("X", "W", "B"),
    "NhwcFusedConv": ("X", "W", "B", "Z"),
    "QAttention": (
        "input", "weight", "bias", "input_scale", "weight_scale", "mask_index",
        "input_zero_point", "weight_zero_point", "past",
    ),
    "QGemm": (
        "A", "a_scale", "a_zero_point", "B", "b_scale", "b_zero_point", "C", "y_scale",
        "y_zero_point",
    ),
    "QLinearConv": (
        "x", "x_scale", "x_zero_point", "w", "w_scale", "w_zero_point", "y_scale", "y_zero_point",
        "B",
    ),
    "TransposeMatMul": ("A", "B"),
}  # fmt: skip
"""Names of inputs, where costs or weights need them."""
BLOCKED_INPUTS: dict[str, tuple[str, ...]] = {"Conv": ("X", "W", "B", "Sum")}
"""The same where channels are kept in blocks."""


def product(node: KnownNode) -> list[Value]:
    """A matrix product whose factors may be transposed, or have their batch further back."""
    left, right = _turned(node.dims(0), node, "A"), _turned(node.dims(1), node, "B")
    return [tensor(_floating(node), multiplied(left, right))]


def _turned(dims: Dims, node: KnownNode, which: str) -> Dims:
    if node.whole(f"transBatch{which}", 0) and len(dims) > 2:
        dims = (*dims[1:-1], dims[0], dims[-1])
    if node.whole(f"trans{which}", 0) and len(dims) > 1:
        dims = (*dims[:-2], dims[-1], dims[-2])
    return dims


def _floating(node: KnownNode) -> int:
    """The type of the input, or float32 where that is a byte."""
    element = node.element(0)
    return FLOAT if element in BYTES else element


def quantized_gemm(node: KnownNode) -> list[Value]:
    """A product of bytes; it stays bytes where a scale of the result is given."""
    left, right = _turned(node.dims(0), node, "A"), _turned(node.dims(3), node, "B")
    element = (node.element(8) or node.element(0)) if node.has(7) else FLOAT
    return [tensor(element, multiplied(left, right))]


def packed_product(node: KnownNode) -> list[Value]:
    """Rows times a weight whose columns are an attribute, since it is packed."""
    return [tensor(node.element(0), (*node.dims(0)[:-1], node.whole("N")))]


def quantized_lstm(node: KnownNode) -> list[Value]:
    """An LSTM whose weights lie as (directions, inputs, 4 · hidden)."""
    x = node.dims(0)
    if len(x) != 3:
        raise Malformed(f"it takes sequences, and is given {len(x)} axes")
    directions = 2 if node.text("direction", "forward") == "bidirectional" else 1
    hidden = node.whole("hidden_size")
    state = (directions, x[1], hidden)
    element = node.element(0)
    return [tensor(element, (x[0], *state[:1], x[1], hidden)), *[tensor(element, state)] * 2]


def convolution(given: int, weight: int) -> Rule:
    """A rule: a convolution of the inputs at these places, with what is fused into it."""
    return windows.convolution(given, weight, element=lambda node: node.element(given))


def channels_last(rule: Rule) -> Rule:
    """The rule for pictures whose channels come last."""

    def turned(node: KnownNode) -> list[Value]:
        x = node.value(0)
        dims = node.dims(0)
        first = Value(x.element, (dims[0], dims[-1], *dims[1:-1]))
        outputs = rule(replace(node, inputs=[first, *node.inputs[1:]]))
        return [
            replace(v, dims=None if v.dims is None else (v.dims[0], *v.dims[2:], v.dims[1]))
            for v in outputs
        ]

    return turned


def either(rule: Rule) -> Rule:
    """The rule, for pictures whose channels come last where an attribute says so."""
    last = channels_last(rule)
    return lambda node: (last if node.whole("channels_last", 0) else rule)(node)


def quantized_between(node: KnownNode) -> list[Value]:
    """An operation between two tensors of bytes, each with a scale and a zero point."""
    return [tensor(node.element(0), broadcast(node.dims(0), node.dims(3)))]


def quantized_where(node: KnownNode) -> list[Value]:
    """Elements of two tensors of bytes, chosen by a third."""
    return [tensor(node.element(1), broadcast(node.dims(0), node.dims(1), node.dims(4)))]


def quantized_concat(node: KnownNode) -> list[Value]:
    """Tensors of bytes one behind the other; a scale and a zero point come first."""
    places = range(2, len(node.inputs), 3)
    several = [node.dims(i) for i in places]
    return [tensor(node.element(1) or node.element(2), joined(several, node.whole("axis")))]


def quantized_mean(node: KnownNode) -> list[Value]:
    """The mean over some axes."""
    return indexing.reduce(replace(node, inputs=node.inputs[:1]))


def embedding(node: KnownNode) -> list[Value]:
    """Word, position and segment looked up and normalised; then the mask's lengths."""
    ids, table = node.dims(0), node.dims(2)
    made = tensor(node.element(2), (*ids, table[-1]))
    return [made, tensor(INT32, ids[:1]), made]


def skipping(node: KnownNode) -> list[Value]:
    """Normalisation of a sum: the result, two statistics, the sum itself."""
    value = node.value(0)
    dims = node.dims(0)
    statistics = tensor(FLOAT, (*dims[:-1], 1))
    same = tensor(value.element, dims)
    return [same, statistics, statistics, same]


def attention(node: KnownNode) -> list[Value]:
    """Projections and attention in one; then keys and values with those of the past."""
    batch, length, _ = _sequence(node, 0)
    sizes = node.wholes("qkv_hidden_sizes")
    made = node.dims(1)[-1]
    width = sizes[2] if sizes and len(sizes) > 2 else None if made is None else made // 3
    heads = _heads(node)
    past = _past(node, 8 if node.op == "QAttention" else 4, axis=3)
    total = None if None in (length, past) else length + past  # type: ignore[operator]
    head = None if width is None else width // heads
    return [
        tensor(_floating(node), (batch, length, width)),
        tensor(_floating(node), (2, batch, heads, total, head)),
    ]


def multi_head_attention(node: KnownNode) -> list[Value]:
    """Attention of what was projected before: separate, or packed as (…, heads, 3, width)."""
    query = node.dims(0)
    heads = _heads(node)
    if len(query) == 5:
        batch, length, _, _, head = query
        width = None if head is None else heads * head
        return [tensor(node.element(0), (batch, length, width))]
    batch, length, width = _sequence(node, 0)
    key, value = (node.dims(i) if node.has(i) else query for i in (1, 2))
    if len(value) == 4:
        width = None if value[3] is None else heads * value[3]
    elif node.has(2):
        width = value[-1]
    keys = key[2] if len(key) == 4 else key[1]
    past = _past(node, 5 if node.op.startswith("Decoder") else 6, axis=2)
    total = None if None in (keys, past) else keys + past  # type: ignore[operator]
    present = [
        tensor(node.element(0), (batch, heads, total, None if w is None else w // heads))
        for w in (query[-1], width)
    ]
    return [tensor(node.element(0), (batch, length, width)), *present]


def grouped_attention(node: KnownNode) -> list[Value]:
    """Attention in which several queries share a key; packed, the query holds all three."""
    batch, length, width = _sequence(node, 0)
    heads, shared = _heads(node), node.whole("kv_num_heads")
    if shared <= 0:
        raise Malformed("its kv_num_heads are none")
    head = None if width is None else width // (heads if node.has(1) else heads + 2 * shared)
    past = _past(node, 3, axis=2)
    total = None if None in (length, past) else length + past  # type: ignore[operator]
    given = node.content(6)
    if given is not None and given.size:
        total = int(given.reshape(-1)[0])
    present = tensor(node.element(0), (batch, shared, total, head))
    out = None if head is None else heads * head
    return [tensor(node.element(0), (batch, length, out)), present, present]


def _sequence(node: KnownNode, i: int) -> Dims:
    dims = node.dims(i)
    if len(dims) != 3:
        raise NotKnown(f"its input has {len(dims)} axes")
    return dims


def _heads(node: KnownNode) -> int:
    heads = node.whole("num_heads")
    if heads <= 0:
        raise Malformed("its num_heads are none")
    return heads


def _past(node: KnownNode, i: int, *, axis: int) -> int | None:
    """Length of the past, which is 0 where none is given."""
    if not node.has(i):
        return 0
    dims = node.dims(i)
    return dims[axis] if len(dims) > axis else None


def block_gather(node: KnownNode) -> list[Value]:
    """Entries of a table whose rows are packed: bytes may hold two numbers each."""
    table, indices = list(node.dims(0)), node.dims(1)
    at = axis_in(node.whole("gather_axis", 0), len(table))
    if node.element(0) in BYTES and node.whole("bits", 4) < 8:
        last = table[-1]
        table[-1] = None if last is None else last * (8 // max(node.whole("bits", 4), 1))
    return [tensor(node.element(2), (*table[:at], *indices, *table[at + 1 :]))]


def halved(node: KnownNode) -> list[Value]:
    """Half of the last axis, gated by the other half."""
    dims = node.dims(0)
    return [tensor(node.element(0), (*dims[:-1], None if dims[-1] is None else dims[-1] // 2))]


def dimension_added(node: KnownNode) -> list[Value]:
    """A further axis of size 1 at a place that is a value."""
    dims = node.dims(0)
    at = axis_in(node.wholes_in(1)[0], len(dims) + 1)
    return [tensor(node.element(0), (*dims[:at], 1, *dims[at:]))]


def distance(node: KnownNode) -> list[Value]:
    """A distance for each pair of rows."""
    return [tensor(node.element(0), (node.dims(0)[0], node.dims(1)[0]))]


BLOCKED = "com.microsoft.nchwc"
NORMALISING = r"bn_scale(_token_\d+)?", r"bn_B(_token_\d+)?"
"""Names of the scale and the shift of a batch norm that became a blocked convolution."""
FILLED = (
    "in {count} blocked convolutions filters at the end are all 0, as are the weights that take "
    "what they give: taken for what fills up a block, and left out"
)
Filling = Callable[[TensorProto], "tuple[int, int]"]
"""How many filters of a blocked weight, and inputs of each, are all 0 at the end."""
SAME = """
    BiasAdd BiasDropout BiasGelu BiasSoftmax FastGelu Gelu GemmaRotaryEmbedding GroupNorm Inverse
    LayerNormalization QLinearLeakyRelu QLinearSigmoid QLinearSoftmax QuickGelu RotaryEmbedding
    SimplifiedLayerNormalization Trilu BitmaskBiasDropout"""
BETWEEN = frozenset(pointwise.BETWEEN.split())
KEEPING = frozenset(
    ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "Upsample", *SAME.split(),
     *pointwise.SAME.split())
)  # fmt: skip
"""What gives as many channels as its first input has; `BETWEEN` gives as many as all of them."""


def channels_in_truth(graph: GraphProto, filling: Filling) -> tuple[dict[str, int], list[str]]:
    """How many channels the results of blocked convolutions have, where that shows; and notes.

    ONNX Runtime fills channels up to whole blocks with zeros.  `ReorderOutput` cuts them off and
    says how many there are.  Where the next convolution takes the blocks as they are, the filters
    that are all 0 at the end of one and the inputs that are all 0 at the end of the other tell,
    and only if both do: `filling` counts them in a weight.
    """
    if not any(node.domain == BLOCKED for node in graph.node):
        return {}, []
    held = {tensor.name: tensor for tensor in graph.initializer if tensor.dims}
    like: dict[str, str] = {}

    def find(name: str) -> str:
        while name in like:
            like[name] = like.get(like[name], like[name])  # half the way for the next one
            name = like[name]
        return name

    told: dict[str, int] = {}
    weights: list[tuple[str, str, TensorProto, bool]] = []
    for node in graph.node:
        numbers = {a.name: a.i for a in node.attribute}
        alike = [*node.output[:1]]
        if node.op_type in BETWEEN:
            alike += node.input
        elif node.op_type in KEEPING:
            alike += node.input[:1]
        elif node.op_type == "Conv" and node.domain == BLOCKED and len(node.input) > 1:
            weight = held.get(node.input[1])
            groups = numbers.get("group", 1)
            is_by_channel = weight is not None and groups == weight.dims[0] != 1
            alike += [*node.input[3:4], *(node.input[:1] if is_by_channel else ())]
            if weight is not None and (groups == 1 or is_by_channel):
                weights.append((node.input[0], node.output[0], weight, groups == 1))
        elif node.op_type == "ReorderOutput" and node.input:
            told[node.input[0]] = numbers.get("channels", 0)
        roots = dict.fromkeys(find(name) for name in alike if name)
        first, *others = roots or ("",)
        like.update(dict.fromkeys(others, first))
    known = {find(name): count for name, count in told.items()}
    inferred: dict[str, list[int]] = {}
    takers: dict[str, list[int]] = {}
    for given, made, weight, is_dense in weights:
        if find(made) in known and find(given) in known:
            continue
        outputs, inputs = filling(weight)
        inferred.setdefault(find(made), []).append(weight.dims[0] - outputs)
        if is_dense:
            takers.setdefault(find(given), []).append(weight.dims[1] - inputs)
    filled = {
        root: max(*counts, *takers[root])
        for root, counts in inferred.items()
        if root not in known and root in takers
    }
    known |= filled
    channels = {made: known[find(made)] for _, made, _, _ in weights if find(made) in known}
    cut = sum(
        weight.dims[0] > filled[find(made)]
        for _, made, weight, _ in weights
        if find(made) in filled
    )
    return channels, [FILLED.format(count=cut)] if cut else []


def is_normalisation(node: NodeProto) -> bool:
    """Whether a blocked convolution is a batch norm that ONNX Runtime rewrote.

    It multiplies each channel by one number, and its weights have the names that ONNX Runtime
    makes up for that.  Source: onnxruntime, core/optimizer/nchwc_transformer.cc.
    """
    return len(node.input) == 3 and all(map(re.fullmatch, NORMALISING, node.input[1:3]))


def blocked_convolution(node: KnownNode) -> list[Value]:
    """A convolution of blocks of channels; what the network itself takes has none yet.

    Its attribute `channels` says how many there are in truth, where that is known.
    """
    x, weight = node.dims(0), node.dims(1)
    if len(x) != 4 or len(weight) != 4:
        raise Malformed("it takes pictures")
    window = node.wholes("kernel_shape") or weight[2:]
    channels = node.whole("channels", 0) or weight[0]
    return [tensor(node.element(0), (x[0], channels, *positions(node, x[2:], window)))]


def into_blocks(node: KnownNode) -> list[Value]:
    """Channels filled up to whole blocks, of 8 or 16 by the processor: here as they were."""
    dims = node.dims(0)
    if node.whole("channels_last", 0):
        dims = (dims[0], dims[-1], *dims[1:-1])
    return [tensor(node.element(0), dims)]


def out_of_blocks(node: KnownNode) -> list[Value]:
    """As many channels as there are in truth."""
    dims = node.dims(0)
    channels = node.whole("channels")
    if node.whole("channels_last", 0):
        return [tensor(node.element(0), (dims[0], *dims[2:], channels))]
    return [tensor(node.element(0), (dims[0], channels, *dims[2:]))]


def blocked_upsample(node: KnownNode) -> list[Value]:
    """A picture scaled by whole factors."""
    dims, scales = node.dims(0), node.wholes("scales") or (1,) * len(node.dims(0))
    return [tensor(node.element(0), [None if s is None else s * f for s, f in zip(dims, scales)])]


RULES: dict[str, Rule] = {
    **dict.fromkeys(SAME.split(), pointwise.like_first),
    "Attention": attention,
    "BiasSplitGelu": halved,
    "CDist": distance,
    "ConvTransposeWithDynamicPads": windows.transposed_convolution,
    "DecoderMaskedMultiHeadAttention": multi_head_attention,
    "DequantizeLinear": pointwise.dequantize,
    "DynamicQuantizeLSTM": quantized_lstm,
    "DynamicQuantizeMatMul": product,
    "EmbedLayerNormalization": embedding,
    "ExpandDims": dimension_added,
    "FusedConv": convolution(0, 1),
    "FusedGemm": product,
    "FusedMatMul": product,
    "FusedMatMulActivation": product,
    "GatherBlockQuantized": block_gather,
    "GatherND": indexing.gather_nd,
    "GemmFastGelu": product,
    "GroupQueryAttention": grouped_attention,
    "MatMulBnb4": packed_product,
    "MatMulInteger16": products.matrix_product(0, 1, element=lambda _: INT32),
    "MatMulIntegerToFloat": product,
    "MatMulNBits": packed_product,
    "MultiHeadAttention": multi_head_attention,
    "NhwcConv": channels_last(convolution(0, 1)),
    "NhwcFusedConv": channels_last(convolution(0, 1)),
    "NhwcMaxPool": channels_last(windows.pooling),
    "Pad": moving.pad,
    "QAttention": attention,
    "QGemm": quantized_gemm,
    "QLinearAdd": quantized_between,
    "QLinearAveragePool": either(windows.pooling),
    "QLinearConcat": quantized_concat,
    "QLinearConv": either(windows.convolution(0, 3, element=lambda node: node.element(7))),
    "QLinearGlobalAveragePool": either(windows.global_pooling),
    "QLinearMul": quantized_between,
    "QLinearReduceMean": quantized_mean,
    "QLinearWhere": quantized_where,
    "QuantizeLinear": pointwise.quantize,
    "Range": indexing.range_,
    "SkipGroupNorm": pointwise.like_first,
    "SkipLayerNormalization": skipping,
    "SkipSimplifiedLayerNormalization": skipping,
    "TransposeMatMul": product,
}
"""Shape of the outputs, by operator of `com.microsoft`."""
BLOCKED_RULES: dict[str, Rule] = {
    "Conv": blocked_convolution,
    "MaxPool": windows.pooling,
    "AveragePool": windows.pooling,
    "GlobalMaxPool": windows.global_pooling,
    "GlobalAveragePool": windows.global_pooling,
    "ReorderInput": into_blocks,
    "ReorderOutput": out_of_blocks,
    "Upsample": blocked_upsample,
}
"""The same by operator of `com.microsoft.nchwc`."""
