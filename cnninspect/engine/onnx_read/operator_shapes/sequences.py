"""What is known of sequences of tensors: how many there are, and each one's shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TypeProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.operator_shapes.known_node import (
    KnownNode,
    NotKnown,
    axis_in,
    tensor,
)
from cnninspect.engine.onnx_read.operator_shapes.moving import joined
from cnninspect.engine.onnx_read.values import Value

Rule = Callable[[KnownNode], list[Value]]
FLOAT, INT64, BOOL = 1, 7, 9
LONGEST = 4096
"""Tensors in a sequence that are told apart."""


def sequence_of(items: tuple[Value, ...] | None, element: int = 0) -> Value:
    """A sequence of these tensors; None where nobody knows how many there are."""
    element = element or next((item.element for item in items or () if item.element), 0)
    written = TypeProto()
    written.sequence_type.elem_type.tensor_type.elem_type = element
    if items is not None and len(items) > LONGEST:
        items = None
    return Value(0, None, written.SerializeToString(), items=items)


def element_in(value: Value) -> int:
    """The type of the elements of a sequence's tensors; 0 where nobody knows."""
    if not value.other:
        return 0
    written = TypeProto.FromString(value.other)
    return written.sequence_type.elem_type.tensor_type.elem_type


def construct(node: KnownNode) -> list[Value]:
    """A sequence of the inputs."""
    return [sequence_of(tuple(node.value(i) for i in range(len(node.inputs))))]


def empty(node: KnownNode) -> list[Value]:
    """A sequence of nothing."""
    return [sequence_of((), node.whole("dtype", FLOAT))]


def insert(node: KnownNode) -> list[Value]:
    """With a further tensor, at the end or before another."""
    items, added = list(_items(node)), node.value(1)
    at = node.wholes_in(2)[0] if node.has(2) else len(items)
    if not -len(items) <= at <= len(items):
        raise Malformed(f"it has no place {at} among {len(items)} tensors")
    items.insert(at, added)
    return [sequence_of(tuple(items))]


def erase(node: KnownNode) -> list[Value]:
    """Without one of its tensors, the last if none is said."""
    items = list(_items(node))
    del items[_place(node, len(items))]
    return [sequence_of(tuple(items), element_in(node.value(0)))]


def at(node: KnownNode) -> list[Value]:
    """One of its tensors."""
    items = _items(node)
    if node.has(1) and node.content(1) is None:
        # Which one is not known: it does not matter where all are alike.
        if items and len({(item.element, item.dims) for item in items}) == 1:
            return [tensor(items[0].element, items[0].dims)]
        raise NotKnown
    item = items[_place(node, len(items))]
    return [Value(item.element, item.dims, item.other, item.content, items=item.items)]


def _place(node: KnownNode, count: int) -> int:
    place = node.wholes_in(1)[0] if node.has(1) else -1
    if not -count <= place < count:
        raise Malformed(f"it has no place {place} among {count} tensors")
    return place


def length(node: KnownNode) -> list[Value]:
    """How many tensors there are."""
    value = node.value(0)
    if value.items is None:
        return [tensor(INT64, ())]
    return [Value(INT64, (), content=np.array(len(value.items), np.int64))]


def concat_from(node: KnownNode) -> list[Value]:
    """Its tensors one behind the other, along an axis that may be new."""
    items = _items(node)
    dims = [item.dims for item in items]
    if any(d is None for d in dims):
        raise NotKnown
    known = [d for d in dims if d is not None]
    axis = node.whole("axis")
    if node.whole("new_axis", 0):
        if len(set(known)) > 1 or not known:
            raise NotKnown
        where = axis_in(axis, len(known[0]) + 1)
        result = (*known[0][:where], len(known), *known[0][where:])
    else:
        result = joined(known, axis)
    return [tensor(items[0].element if items else 0, result)]


def split_to(node: KnownNode) -> list[Value]:
    """Pieces along an axis: of one size, of several, or of 1."""
    dims = node.dims(0)
    where, keeps = axis_in(node.whole("axis", 0), len(dims)), node.whole("keepdims", 1)
    size = dims[where]
    if size is None:
        return [sequence_of(None, node.element(0))]
    if not node.has(1):
        sizes: list[int | None] = [1] * min(size, LONGEST + 1)
    elif node.value(1).dims == ():
        each = node.wholes_in(1)[0]
        if each <= 0:
            raise Malformed(f"it splits into pieces of {each}")
        count = -(-size // each)
        sizes = [each] * min(count, LONGEST + 1)
        if count <= LONGEST and count:
            sizes[-1] = size - each * (count - 1)
    else:
        sizes = list(node.wholes_in(1))
        if sum(s or 0 for s in sizes) != size:
            raise Malformed(f"it splits {size} into {' + '.join(map(str, sizes))}")
    drops = not keeps and not node.has(1)
    pieces = tuple(
        tensor(node.element(0), (*dims[:where], *(() if drops else (s,)), *dims[where + 1 :]))
        for s in sizes
    )
    return [sequence_of(pieces, node.element(0))]


def has_element(_: KnownNode) -> list[Value]:
    """Whether there is something."""
    return [tensor(BOOL, ())]


def _items(node: KnownNode) -> tuple[Value, ...]:
    items = node.value(0).items
    if items is None:
        raise NotKnown
    return items


RULES: dict[str, Rule] = {
    "SequenceConstruct": construct,
    "SequenceEmpty": empty,
    "SequenceInsert": insert,
    "SequenceErase": erase,
    "SequenceAt": at,
    "SequenceLength": length,
    "ConcatFromSequence": concat_from,
    "SplitToSequence": split_to,
    "OptionalHasElement": has_element,
}
"""What comes out, by operator of ONNX."""
