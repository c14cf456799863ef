"""The inputs of a graph, and the sizes of the axes that the file leaves open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
from onnx import GraphProto, ModelProto, TypeProto, ValueInfoProto

from cnninspect.engine.onnx_read.protobuf import DTYPES
from cnninspect.engine.onnx_read.values import KNOWN_ELEMENTS, NUMPY_TYPES, Value, is_small, of_type
from cnninspect.errors import BadInput
from cnninspect.records.models import GivenValue, InputRequest
from cnninspect.records.operations import typed_shape

Axis = Union[int, str]
"""A size, or the name of one that is open; `""` where it has no name."""

EXAMPLE = "cnninspect.inputs"
"""Key of the metadata in which an export says what it was made with, as `x:float32:1x3x224x224`."""
BATCH = re.compile(r"batch|^(n|b|bs)$", re.I)
GUESSES = (
    (re.compile(r"past|cache", re.I), 0),
    (re.compile(r"height|width|^[hw]$", re.I), 224),
    (re.compile(r"seq|len|token|time|step|frame|^[tls]$", re.I), 128),
)
"""Sizes that are assumed for axes with such names: nothing remembered, pictures, sequences."""
PICTURE, TEXT = 224, 128


@dataclass(slots=True)
class Formal:
    """An input that the graph declares."""

    name: str
    value: Value
    """Its type, with None for each open axis."""
    axes: tuple[Axis, ...] | None
    """Sizes and names; None for what is no tensor or has no shape."""

    def text(self, axes: Sequence[Axis] | None = None) -> str:
        """Its shape as a user reads it."""
        return "×".join(str(a) or "?" for a in (self.axes if axes is None else axes) or ())

    def batch_axis(self) -> int | None:
        """Where the batch is, if that is open."""
        axes = self.axes or ()
        for i, axis in enumerate(axes):
            if isinstance(axis, str) and BATCH.search(axis):
                return i
        return 0 if axes and isinstance(axes[0], str) and not _guess(axes[0]) else None


@dataclass(slots=True)
class Sizes:
    """The sizes that were chosen."""

    symbols: dict[str, int] = field(default_factory=dict)
    """By the name that the file gives them."""
    assumed: dict[str, int] = field(default_factory=dict)
    """Those that nobody asked for, by name or as `input.axis`."""
    notes: list[str] = field(default_factory=list)
    """What else was chosen."""

    def text(self) -> str:
        """Those that nobody asked for."""
        return ", ".join(f"{name}={size}" for name, size in self.assumed.items())


def formals_of(graph: GraphProto) -> list[Formal]:
    """What goes in, stored tensors left out, which old files list as well."""
    held = {tensor.name for tensor in graph.initializer}
    held |= {sparse.values.name for sparse in graph.sparse_initializer}
    return [_formal(info) for info in graph.input if info.name not in held]


def _formal(info: ValueInfoProto) -> Formal:
    value = of_type(info.type)
    if value.dims is None:
        return Formal(info.name, value, None)
    dims = info.type.tensor_type.shape.dim
    axes = tuple(
        size if size is not None else _name_of(dim.dim_param) for size, dim in zip(value.dims, dims)
    )
    return Formal(info.name, value, axes)


def asked_for(
    inputs: Sequence[Any] | Mapping[str, Any] | None, kwargs: Mapping[str, Any]
) -> list[Any]:
    """What is asked for, in order: each with its name where it has one.

    A dictionary, alone or as the only one of several, gives inputs by name.
    """
    if isinstance(inputs, Sequence) and len(inputs) == 1 and isinstance(inputs[0], Mapping):
        inputs = inputs[0]
    if isinstance(inputs, Mapping):
        return [Named(str(name), value) for name, value in {**inputs, **kwargs}.items()]
    return [*(inputs or ()), *(Named(name, value) for name, value in kwargs.items())]


@dataclass(frozen=True, slots=True)
class Named:
    """Something that was asked for by name."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for of one input: its sizes, and its elements if they were given."""

    shape: tuple[int, ...]
    dtype: str | None = None
    batched: bool | None = True
    elements: np.ndarray[Any, Any] | None = None
    """As they were given, of any type."""


def choose(
    formals: Sequence[Formal], model: ModelProto, inputs: Sequence[Any], *, batch: int
) -> tuple[list[Value], Sizes]:
    """Each input with all its sizes.

    `inputs` are those that a user asked for: requests, or whatever has a shape and a dtype.

    Raises:
        BadInput: there is none of that name or shape, or nothing tells the size of an axis.
    """
    asked = _assigned(formals, inputs)
    sizes = Sizes()
    for formal in formals:
        if formal.name in asked:
            _bind(formal, _full(formal, asked[formal.name], batch), sizes)
    if batch != 1 and not asked and all(f.batch_axis() is None for f in formals):
        fixed = next((f.axes[0] for f in formals if f.axes), None)
        if fixed != batch:
            raise BadInput(
                f"--batch {batch}",
                f"the file fixes the first size of its input at {fixed}",
                "cnninspect export --dynamic batch leaves it open",
            )
    examples = _examples(model)
    chosen = []
    for formal in formals:
        value, known = formal.value, asked.get(formal.name)
        if known is not None:
            element = value.element or _element_inside(value.other)
            value = Value(element, _full(formal, known, batch))
            value.content = _given(formal, known, value)
        elif not value.other:
            dims = _default(formal, sizes, examples.get(formal.name, ()), batch)
            value = Value(value.element, dims)
        chosen.append(value)
    return chosen, sizes


def _assigned(formals: Sequence[Formal], inputs: Sequence[Any]) -> dict[str, Asked]:
    """What was asked for, by name of the input."""
    free, asked = [formal.name for formal in formals], {}
    for item in inputs:
        if item is None:
            continue
        name, request = _asked(item)
        if name is None:
            if not free:
                raise BadInput(
                    str(len(inputs)), f"{len(inputs)} were given, and the file takes "
                    f"{', '.join(f.name for f in formals) or 'none'}"
                )  # fmt: skip
            name = free[0]
        if name not in {formal.name for formal in formals}:
            raise BadInput(
                name, "the file has no input of that name",
                f"it has: {', '.join(formal.name for formal in formals)}",
            )  # fmt: skip
        if name in free:
            free.remove(name)
        asked[name] = request
    return asked


def _asked(item: Any) -> tuple[str | None, Asked]:
    """Name, if there is one, and what is asked for: a request, a value, an array, or a shape."""
    name: str | None = None
    if isinstance(item, Named):
        name, item = item.name, item.value
    if isinstance(item, (bool, int, float)):
        item = GivenValue(item)
    if isinstance(item, (tuple, list)) and all(type(size) is int for size in item):
        return name, Asked(tuple(item))
    if isinstance(item, GivenValue):
        return name or item.name, _of_value(item.value)
    if isinstance(item, InputRequest):
        elements = None
        if item.values is not None:
            flat = np.frombuffer(item.values.raw, np.dtype(item.values.dtype))
            elements = flat.reshape(item.values.shape)
        return name or item.name, Asked(
            item.shape, item.dtype, item.batched if elements is None else None, elements
        )
    shape, dtype = getattr(item, "shape", None), getattr(item, "dtype", None)
    if shape is None:
        raise BadInput(
            name or type(item).__name__, "an ONNX file takes tensors, their shapes or their values"
        )
    return name, Asked(
        tuple(shape), str(dtype).rpartition(".")[2] or None, elements=_small_elements(item)
    )


def _of_value(value: Any) -> Asked:
    """A value that was typed, as a tensor."""
    try:
        elements = np.array(value)
    except ValueError as problem:
        raise BadInput(str(value), f"it is no tensor: {problem}") from problem
    if elements.dtype.kind not in "fiub":
        raise BadInput(str(value), "an ONNX file takes numbers")
    return Asked(elements.shape, batched=None, elements=elements)


def _small_elements(item: Any) -> np.ndarray[Any, Any] | None:
    """The elements of an array or tensor, if they are few whole numbers or truth values."""
    kind = str(getattr(item, "dtype", "")).rpartition(".")[2]
    if not kind.startswith(("int", "uint", "bool")) or getattr(item, "is_meta", False):
        return None
    try:
        if np.prod(item.shape, dtype=np.float64) > KNOWN_ELEMENTS:
            return None
        return np.array(item.tolist(), dtype=kind)
    except Exception:
        return None


def _given(formal: Formal, asked: Asked, value: Value) -> np.ndarray[Any, Any] | None:
    """The elements of an input in its own type, where they were given and are few.

    Raises:
        BadInput: they are not of that type.
    """
    if asked.elements is None or not is_small(value) or value.spec is None:
        return None
    try:
        elements = np.broadcast_to(asked.elements, value.spec.shape)
    except ValueError:
        return None
    kind = np.dtype(NUMPY_TYPES[value.element])
    if asked.elements.dtype.kind == "f" and kind.kind != "f":
        raise BadInput(str(asked.elements.tolist()), f"{formal.name} is {kind} in the file")
    try:
        converted = elements.astype(kind)
    except (OverflowError, ValueError) as problem:
        raise BadInput(str(asked.elements.tolist()), f"{formal.name} is {kind}") from problem
    if kind.kind != "f" and (converted != elements).any():
        raise BadInput(str(asked.elements.tolist()), f"{formal.name} is {kind} in the file")
    return converted


def _full(formal: Formal, request: Asked, batch: int) -> tuple[int, ...]:
    """The whole shape that was asked for.

    Raises:
        BadInput: it is not of the input's rank or dtype.
    """
    text = typed_shape(request.shape)
    if formal.value.other and not _element_inside(formal.value.other):
        raise BadInput(text, f"{formal.name} is no tensor in the file")
    shape, axes = request.shape, formal.axes
    at = formal.batch_axis() or 0
    if request.elements is not None and not shape and axes and len(axes) == 1:
        shape = (axes[0] if isinstance(axes[0], int) else 1,)
    if axes is not None and len(shape) == len(axes) - 1 and request.batched is not True:
        fixed = axes[at]
        put = fixed if isinstance(fixed, int) and batch == 1 else batch
        shape = (*shape[:at], put, *shape[at:])
    elif shape:
        shape = (*shape[:at], shape[at] * batch, *shape[at + 1 :])
    if axes is not None and len(shape) != len(axes):
        raise BadInput(text, f"{formal.name} is {formal.text()} in the file")
    dtype = DTYPES.get(formal.value.element or _element_inside(formal.value.other), "")
    if request.dtype is not None and request.dtype != dtype:
        raise BadInput(text, f"{formal.name} is {dtype} in the file, not {request.dtype}")
    return shape


def _name_of(parameter: str) -> str:
    """The name of an open size; empty for `?` and the like, which say that it has none."""
    return parameter if any(map(str.isalnum, parameter)) else ""


def _element_inside(other: bytes) -> int:
    """The type of elements of a tensor that may be missing; 0 for what is something else."""
    written = TypeProto.FromString(other)
    return written.optional_type.elem_type.tensor_type.elem_type


def _bind(formal: Formal, shape: tuple[int, ...], sizes: Sizes) -> None:
    """Note what a shape says of the open axes.

    Raises:
        BadInput: it says something else than the file, or than another shape.
    """
    text = typed_shape(shape)
    if any(size < 0 for size in shape):
        raise BadInput(text, "sizes cannot be negative")
    for axis, size in zip(formal.axes or (), shape):
        wanted = axis if isinstance(axis, int) else sizes.symbols.setdefault(axis, size)
        if axis != "" and wanted != size:
            kind = "fixed in the file" if isinstance(axis, int) else f"{axis}={wanted}"
            raise BadInput(
                text, f"{formal.name} is {formal.text()}: {wanted} is {kind}, and {size} was given",
                "sizes that the file names may be chosen; cnninspect export --dynamic names them",
            )  # fmt: skip
    sizes.symbols.pop("", None)


def _default(formal: Formal, sizes: Sizes, example: Sequence[int], batch: int) -> tuple[int, ...]:
    """The shape of an input that nobody asked for.

    Raises:
        BadInput: nothing tells its rank, or the size of an axis.
    """
    chosen: list[int] = []
    axes, at = formal.axes, formal.batch_axis()
    if axes is None:
        if not example:
            raise BadInput(
                formal.name,
                "the file does not say what shape it has",
                f"add --input {formal.name}:1x3x224x224 with its own sizes",
            )
        return tuple(example)
    for i, axis in enumerate(axes):
        if isinstance(axis, int):
            chosen.append(axis)
            continue
        size = sizes.symbols.get(axis) if axis else None
        if size is None:
            size = batch if i == at else _assumed(formal, i, example, sizes)
            if i == at and axis and not BATCH.search(axis):
                sizes.assumed[axis] = size
            if axis:
                sizes.symbols[axis] = size
        chosen.append(size)
    return tuple(chosen)


def _assumed(formal: Formal, i: int, example: Sequence[int], sizes: Sizes) -> int:
    axes = formal.axes or ()
    axis = str(axes[i])
    if len(example) == len(axes):
        return example[i]
    size = _guess(axis)
    if size is None and len(axes) in (4, 5) and i >= 2:
        size = PICTURE
    if size is None and len(axes) == 2 and "int" in DTYPES.get(formal.value.element, ""):
        size = TEXT
    if size is None:
        sized = "x".join(str(a) if isinstance(a, int) else "1" for a in axes)
        raise BadInput(
            formal.name,
            f"it is {formal.text()}, and nothing tells {axis or f'size number {i + 1}'}",
            f"add --input {formal.name}:{sized} with its own sizes",
        )
    sizes.assumed[axis or f"{formal.name}[{i}]"] = size
    return size


def _guess(axis: str) -> int | None:
    return next((size for pattern, size in GUESSES if pattern.search(axis)), None)


def _examples(model: ModelProto) -> Mapping[str, tuple[int, ...]]:
    """The shapes that an export was made with, by input."""
    notes = {entry.key: entry.value for entry in model.metadata_props}
    examples = {}
    for text in notes.get(EXAMPLE, "").split():
        name, _, rest = text.partition(":")
        shape = rest.rpartition(":")[2].split("x")
        if all(size.isascii() and size.isdigit() and len(size) < 10 for size in shape):
            examples[name] = tuple(map(int, shape))
    return examples
