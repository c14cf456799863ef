"""A node with what is known of its inputs: what a shape rule looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
from onnx import AttributeProto, NodeProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.values import Dims, Value
from cnninspect.records.operations import shape_text

Attribute = Union[int, float, str, tuple[int, ...], tuple[float, ...], tuple[str, ...]]


class NotKnown(Exception):
    """What comes out cannot be told from what is known of the inputs.

    Says why, or nothing where an input is what is not known.
    """


@dataclass(slots=True)
class KnownNode:
    """An operator, its attributes, and what is known of its inputs."""

    op: str
    version: int
    """Of the operators of its domain."""
    inputs: Sequence[Value | None]
    outputs: tuple[bool, ...]
    """For each output whether anybody wants it."""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def has(self, i: int) -> bool:
        """Whether there is an input number `i`."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def value(self, i: int) -> Value:
        """Input number `i`.

        Raises:
            Malformed: it is missing.
        """
        value = self.inputs[i] if i < len(self.inputs) else None
        if value is None:
            raise Malformed(f"its input number {i + 1} is missing")
        return value

    def dims(self, i: int) -> Dims:
        """Sizes of input number `i`.

        Raises:
            NotKnown: not even their number is known.
        """
        dims = self.value(i).dims
        if dims is None:
            raise NotKnown
        return dims

    def element(self, i: int) -> int:
        """Type of the elements of input number `i`; 0 where it is missing or not known."""
        value = self.inputs[i] if i < len(self.inputs) else None
        return 0 if value is None else value.element

    def content(self, i: int) -> np.ndarray[Any, Any] | None:
        """Elements of input number `i`, where they are known."""
        value = self.inputs[i] if i < len(self.inputs) else None
        return None if value is None else value.content

    def wholes_in(self, i: int) -> list[int]:
        """Elements of input number `i`, which are whole numbers.

        Raises:
            NotKnown: they are not known.
            Malformed: they are no whole numbers.
        """
        content = self.content(i)
        if content is None:
            self.value(i)
            raise NotKnown
        if content.dtype.kind not in "iub":
            raise Malformed(f"its input number {i + 1} holds no whole numbers")
        return [int(number) for number in content.reshape(-1)]

    def whole(self, name: str, default: int | None = None) -> int:
        """The attribute of that name, a whole number.

        Raises:
            Malformed: it is missing and has no default, or is something else.
        """
        found = self.attributes.get(name, default)
        if not isinstance(found, int):
            raise Malformed(f"its attribute {name} is missing, or no whole number")
        return found

    def wholes(self, name: str) -> tuple[int, ...] | None:
        """The attribute of that name, whole numbers; None where it is missing or empty.

        Raises:
            Malformed: it is something else.
        """
        found = self.attributes.get(name)
        if found is None or found == ():
            return None
        if not isinstance(found, tuple) or not all(isinstance(n, int) for n in found):
            raise Malformed(f"its attribute {name} holds no whole numbers")
        return found  # type: ignore[return-value]

    def text(self, name: str, default: str = "") -> str:
        """The attribute of that name, a text.

        Raises:
            Malformed: it is something else.
        """
        found = self.attributes.get(name, default)
        if not isinstance(found, str):
            raise Malformed(f"its attribute {name} is no text")
        return found

    def given_or(self, name: str, i: int) -> list[int] | None:
        """Whole numbers that old versions have as an attribute and new ones as input `i`.

        Raises:
            NotKnown: they are an input that is not known.
        """
        found = self.wholes(name)
        if found is not None:
            return list(found)
        return self.wholes_in(i) if self.has(i) else None


def known_node(node: NodeProto, inputs: Sequence[Value | None], version: int) -> KnownNode:
    """What a rule sees of a node."""
    return KnownNode(
        node.op_type, version, inputs, tuple(bool(name) for name in node.output),
        attributes_of(node),
    )  # fmt: skip


def attributes_of(node: NodeProto) -> dict[str, Attribute]:
    """The attributes of a node that are numbers or texts, by name.

    Of a tensor `value`, `value type` and `value dims` are there instead.
    """
    found: dict[str, Attribute] = {}
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            found[f"{attribute.name} type"] = attribute.t.data_type
            found[f"{attribute.name} dims"] = tuple(attribute.t.dims)
        value = attribute_value(attribute)
        if value is not None:
            found[attribute.name] = value
    return found


def attribute_value(attribute: AttributeProto) -> Attribute | None:
    """The number, text or list that an attribute holds; None for graphs, tensors and types."""
    kind = attribute.type
    if kind == AttributeProto.INT:
        return attribute.i
    if kind == AttributeProto.FLOAT:
        return attribute.f
    if kind == AttributeProto.STRING:
        return attribute.s.decode("utf-8", "replace")
    if kind == AttributeProto.INTS:
        return tuple(attribute.ints)
    if kind == AttributeProto.FLOATS:
        return tuple(attribute.floats)
    if kind == AttributeProto.STRINGS:
        return tuple(text.decode("utf-8", "replace") for text in attribute.strings)
    return None


def axis_in(axis: int, rank: int) -> int:
    """The axis counted from the front.

    Raises:
        Malformed: there is no such axis.
    """
    if not -rank <= axis < max(rank, 1):
        raise Malformed(f"its axis {axis} is not among the {rank} that there are")
    return axis + rank if axis < 0 else axis


def broadcast(*several: Dims) -> Dims:
    """The sizes of an operation between tensors, element by element.

    Raises:
        Malformed: they do not fit together.
    """
    rank = max(map(len, several))
    found: list[int | None] = []
    for i in range(-rank, 0):
        sizes = [dims[i] for dims in several if len(dims) >= -i]
        known = {size for size in sizes if size is not None and size != 1}
        if len(known) > 1:
            shown = " and ".join(shape_text(dims) for dims in several)
            raise Malformed(f"{shown} do not fit together")
        found.append(known.pop() if known else None if None in sizes else 1)
    return tuple(found)


def product(sizes: Sequence[int | None]) -> int | None:
    """Their product; None where one is not known, unless another is 0."""
    total = 1
    is_known = True
    for size in sizes:
        if size is None:
            is_known = False
        else:
            total *= size
    return total if is_known or total == 0 else None


def tensor(element: int, dims: Sequence[int | None] | None) -> Value:
    """A tensor of these sizes."""
    return Value(element, None if dims is None else tuple(dims))
