"""Shapes of what looks up, reduces, sorts or makes tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.operator_shapes.known_node import (
    KnownNode,
    NotKnown,
    axis_in,
    product,
    tensor,
)
from cnninspect.engine.onnx_read.values import Value
from cnninspect.records.operations import shape_text

Rule = Callable[[KnownNode], list[Value]]
FLOAT, INT64 = 1, 7
MOST_ELEMENTS = 2**40
"""Elements that a `Range` may have; more of them are a mistake."""


def gather(node: KnownNode) -> list[Value]:
    """Entries of a table along an axis: the indices' axes in place of that one."""
    table, indices = node.dims(0), node.dims(1)
    at = axis_in(node.whole("axis", 0), len(table))
    if not table:
        raise Malformed("a scalar has no entries")
    return [tensor(node.element(0), (*table[:at], *indices, *table[at + 1 :]))]


def gather_elements(node: KnownNode) -> list[Value]:
    """One element for each index."""
    return [tensor(node.element(0), node.dims(1))]


def gather_nd(node: KnownNode) -> list[Value]:
    """One slice for each row of indices, within each of the first `batch_dims` axes."""
    data, indices = node.dims(0), node.dims(1)
    batch = node.whole("batch_dims", 0)
    if not 0 <= batch < min(len(data), len(indices)):
        raise Malformed(f"its batch_dims of {batch} are more than its axes")
    given = indices[-1]
    if given is None:
        raise NotKnown
    if not 0 <= batch + given <= len(data):
        raise Malformed(f"its rows of {given} indices are too long for {len(data)} axes")
    return [tensor(node.element(0), (*indices[:-1], *data[batch + given :]))]


def one_hot(node: KnownNode) -> list[Value]:
    """A further axis with one value that is on."""
    dims = node.dims(0)
    depth = node.content(1)
    size = None if depth is None else int(depth.reshape(-1)[0])
    at = axis_in(node.whole("axis", -1), len(dims) + 1)
    return [tensor(node.element(2), (*dims[:at], size, *dims[at:]))]


def compress(node: KnownNode) -> list[Value]:
    """The entries whose condition is true, of an axis or of all."""
    dims, condition = node.dims(0), node.content(1)
    kept = None if condition is None else int(np.count_nonzero(condition))
    if "axis" not in node.attributes:
        return [tensor(node.element(0), (kept,))]
    at = axis_in(node.whole("axis"), len(dims))
    return [tensor(node.element(0), (*dims[:at], kept, *dims[at + 1 :]))]


def non_zero(node: KnownNode) -> list[Value]:
    """The indices of what is not zero: how many there are depends on data."""
    rank = len(node.dims(0))
    return [tensor(INT64, (rank, None))]


def top_k(node: KnownNode) -> list[Value]:
    """The largest along an axis, and where they were."""
    dims = node.dims(0)
    at = axis_in(node.whole("axis", -1), len(dims))
    if node.version < 10:
        size: int | None = node.whole("k")
    else:
        content = node.content(1)
        size = None if content is None else int(content.reshape(-1)[0])
    if size is not None and dims[at] is not None and not 0 <= size <= dims[at]:  # type: ignore[operator]
        raise Malformed(f"it takes the {size} largest of {dims[at]}")
    found = (*dims[:at], size, *dims[at + 1 :])
    return [tensor(node.element(0), found), tensor(INT64, found)]


def reduce(node: KnownNode) -> list[Value]:
    """Without some axes, or with 1 in their place; without all where none is said."""
    dims = node.dims(0)
    axes = node.given_or("axes", 1)
    keeps = node.whole("keepdims", 1)
    if not axes:
        if node.whole("noop_with_empty_axes", 0):
            return [tensor(node.element(0), dims)]
        axes = list(range(len(dims)))
    gone = {axis_in(axis, len(dims)) for axis in axes}
    found = [1 if i in gone else s for i, s in enumerate(dims) if keeps or i not in gone]
    return [tensor(node.element(0), found)]


def arg_reduce(node: KnownNode) -> list[Value]:
    """Where the largest or smallest is, along one axis."""
    dims = node.dims(0)
    at, keeps = axis_in(node.whole("axis", 0), len(dims)), node.whole("keepdims", 1)
    kept = (1,) if keeps else ()
    return [tensor(INT64, (*dims[:at], *kept, *dims[at + 1 :]))]


def shape(node: KnownNode) -> list[Value]:
    """How many axes there are, or those from `start` to `end`."""
    dims = node.dims(0)
    start, end = node.whole("start", 0), node.whole("end", len(dims))
    return [tensor(INT64, (len(dims[start:end]),))]


def size(node: KnownNode) -> list[Value]:
    """A scalar: the number of elements."""
    node.value(0)
    return [tensor(INT64, ())]


def constant_of_shape(node: KnownNode) -> list[Value]:
    """A tensor of a shape that is given; its type is that of its value."""
    element = node.whole("value type", FLOAT)
    value = node.value(0)
    if value.content is None:
        rank = value.dims[0] if value.dims is not None and len(value.dims) == 1 else None
        if rank is None or rank > 64:
            raise NotKnown
        return [tensor(element, [None] * rank)]
    sizes = node.wholes_in(0)
    if min(sizes, default=0) < 0:
        raise Malformed(f"it makes a tensor of {shape_text(sizes)}")
    return [tensor(element, sizes)]


def range_(node: KnownNode) -> list[Value]:
    """Numbers from a start to a limit by steps."""
    contents = [node.content(i) for i in range(3)]
    element = node.element(0)
    if any(content is None for content in contents):
        return [tensor(element, (None,))]
    start, limit, delta = (content.reshape(-1)[0].item() for content in contents)  # type: ignore[union-attr]
    if delta == 0 or not all(map(np.isfinite, (start, limit, delta))):
        raise Malformed(f"it counts from {start} to {limit} by {delta}")
    count = max(0, int(np.ceil((limit - start) / delta)))
    if count > MOST_ELEMENTS:
        raise Malformed(f"it counts from {start} to {limit} by {delta}")
    return [tensor(element, (count,))]


def random(node: KnownNode) -> list[Value]:
    """Random numbers in a shape that is an attribute."""
    sizes = node.wholes("shape") or ()
    return [tensor(node.whole("dtype", FLOAT), sizes)]


def random_like(node: KnownNode) -> list[Value]:
    """Random numbers, or something else, in the shape of the input."""
    return [tensor(node.whole("dtype", 0) or node.element(0), node.dims(0))]


def window_function(node: KnownNode) -> list[Value]:
    """A window of a length that is given."""
    content = node.content(0)
    length = None if content is None else int(content.reshape(-1)[0])
    return [tensor(node.whole("output_datatype", FLOAT), (length,))]


def cosine_transform(node: KnownNode) -> list[Value]:
    """`DFT`: one axis as long as is asked for, or half of that; complex numbers take two."""
    dims = node.dims(0)
    axis = node.whole("axis", 1) if node.version < 20 else -2
    if node.version >= 20 and node.has(2):
        axis = node.wholes_in(2)[0]
    at = axis_in(axis, len(dims))
    length = node.wholes_in(1)[0] if node.has(1) else dims[at]
    is_inverse, is_onesided = node.whole("inverse", 0), node.whole("onesided", 0)
    if is_onesided and length is not None and not (is_inverse and node.has(1)):
        length = length // 2 + 1 if not is_inverse else 2 * (length - 1)
    parts = 1 if is_inverse and is_onesided else 2
    return [tensor(node.element(0), (*dims[:at], length, *dims[at + 1 : -1], parts))]


def short_time_transform(node: KnownNode) -> list[Value]:
    """`STFT`: frames by bins, of which there are half and one more unless `onesided` is 0."""
    dims = node.dims(0)
    if len(dims) not in (2, 3):
        raise Malformed(f"it takes a signal, and is given {len(dims)} axes")
    step = node.wholes_in(1)
    window = node.value(2).dims if node.has(2) else None
    if node.has(3):
        length: int | None = node.wholes_in(3)[0] if node.wholes_in(3) else None
    else:
        length = window[0] if window else None
    if not step or step[0] <= 0 or (length is not None and length <= 0):
        raise Malformed("its step or its frames are of no length")
    if length is None:
        raise NotKnown
    signal = dims[1]
    frames = None if signal is None else (signal - length) // step[0] + 1
    if frames is not None and frames < 0:
        raise Malformed(f"its frames of {length} are longer than its signal of {signal}")
    bins = length // 2 + 1 if node.whole("onesided", 1) else length
    return [tensor(node.element(0), (dims[0], frames, bins, 2))]


def non_max_suppression(_: KnownNode) -> list[Value]:
    """As many triples as there are boxes left, which depends on data."""
    return [tensor(INT64, (None, 3))]


def unique(node: KnownNode) -> list[Value]:
    """What differs, which depends on data, and where it was."""
    dims, several = node.dims(0), (None,)
    kept: tuple[int | None, ...] = several
    if "axis" in node.attributes:
        at = axis_in(node.whole("axis"), len(dims))
        kept = (*dims[:at], None, *dims[at + 1 :])
        inverse: tuple[int | None, ...] = (dims[at],)
    else:
        inverse = (product(dims),)
    return [
        tensor(node.element(0), kept), tensor(INT64, several), tensor(INT64, inverse),
        tensor(INT64, several),
    ]  # fmt: skip


RULES: dict[str, Rule] = {
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "OneHot": one_hot,
    "Compress": compress,
    "NonZero": non_zero,
    "TopK": top_k,
    **dict.fromkeys(
        [
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceProd",
            "ReduceSum",
            "ReduceSumSquare",
        ],
        reduce,
    ),
    "ArgMax": arg_reduce,
    "ArgMin": arg_reduce,
    "Shape": shape,
    "Size": size,
    "ConstantOfShape": constant_of_shape,
    "Range": range_,
    "RandomNormal": random,
    "RandomUniform": random,
    "RandomNormalLike": random_like,
    "RandomUniformLike": random_like,
    "EyeLike": random_like,
    "Bernoulli": random_like,
    "HannWindow": window_function,
    "HammingWindow": window_function,
    "BlackmanWindow": window_function,
    "DFT": cosine_transform,
    "STFT": short_time_transform,
    "NonMaxSuppression": non_max_suppression,
    "Unique": unique,
}
"""Shape of the outputs, by operator of ONNX."""
