"""What is known of a tensor on its way through a graph."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto, TypeProto, numpy_helper

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.protobuf import DTYPES, MARK
from cnninspect.records.operations import TensorSpec

Dims = tuple["int | None", ...]

KNOWN_ELEMENTS, KNOWN_NUMBERS = 1024, 16
"""Elements up to which the values of a tensor are kept and computed with: of whole numbers, which
may be a shape, and of floating ones, which may be factors between sizes."""
MOST_AXES = 64
"""Axes of the tensors that NumPy can hold."""
FLOATING = frozenset((1, 10, 11))
NUMPY_TYPES: dict[int, str] = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
}  # fmt: skip
"""The types of elements that NumPy has by itself, by number."""
KNOWN_TYPES = frozenset(NUMPY_TYPES)


@dataclass(slots=True)
class Value:
    """A tensor, or another thing that a node takes and gives."""

    element: int
    """Number of the type of its elements; 0 where it is no tensor, or nobody knows."""
    dims: Dims | None
    """Its sizes, None for each that is not known; None where not even their number is."""
    other: bytes = b""
    """For what is no tensor: its type as ONNX writes it."""
    content: np.ndarray[Any, Any] | None = None
    """Its elements, where they are known and few."""
    origin: int | None = None
    """The call that gives it, or `-1 - i` for input number `i`; None for constants."""
    weight: str = ""
    """Full name of the stored tensor that it is."""
    is_data: bool = False
    """Whether it depends on the inputs' values."""
    cause: str = ""
    """Why its shape is not known, where it is not."""
    items: tuple[Value, ...] | None = None
    """For a sequence of a known length: its tensors."""
    made_of: tuple[str, ...] = ()
    """Full names of the stored tensors that are its elements, moved about or scaled."""
    is_scale: bool = False
    """Whether it is a factor that quantisation works out as the graph runs."""

    @property
    def spec(self) -> TensorSpec | None:
        """Shape and type; None where they are not known."""
        if self.dims is None or self.element not in DTYPES or None in self.dims:
            return None
        return TensorSpec(self.dims, DTYPES[self.element])  # type: ignore[arg-type]

    @property
    def key(self) -> Hashable:
        """What the result of a node depends on."""
        known = None if self.content is None else self.content.tobytes()
        items = None if self.items is None else tuple(item.key for item in self.items)
        cause = self.cause if self.spec is None else ""
        return self.element, self.dims, self.other, known, cause, items

    def written(self) -> TypeProto:
        """Its type as ONNX writes it."""
        if self.other:
            return TypeProto.FromString(self.other)
        written = TypeProto()
        if self.element:
            written.tensor_type.elem_type = self.element
            if self.dims is not None:
                shape = written.tensor_type.shape
                shape.SetInParent()  # a scalar's has no sizes, and is there
                for size in self.dims:
                    dim = shape.dim.add()
                    if size is not None:
                        dim.dim_value = size
        return written


def of_type(written: TypeProto, symbols: dict[str, int] | None = None) -> Value:
    """What is known of a value from its type, sizes called by name looked up in `symbols`."""
    if written.WhichOneof("value") != "tensor_type":
        return Value(0, None, other=written.SerializeToString())
    tensor = written.tensor_type
    if not tensor.HasField("shape"):
        return Value(tensor.elem_type, None)
    dims = []
    for dim in tensor.shape.dim:
        size = dim.dim_value if dim.HasField("dim_value") else (symbols or {}).get(dim.dim_param)
        if size == -1:  # how some exporters write a size that is open
            size = None
        if size is not None and not 0 <= size < 2**62:
            raise Malformed(f"a tensor has the size {size}")
        dims.append(size)
    return Value(tensor.elem_type, tuple(dims))


def of_tensor(tensor: TensorProto) -> Value:
    """A stored tensor, with its elements where they are few."""
    dims = tuple(tensor.dims)
    value = Value(tensor.data_type, dims)
    is_here = (
        not tensor.doc_string.startswith(MARK) and tensor.data_location != TensorProto.EXTERNAL
    )
    is_kept = is_here and len(dims) <= MOST_AXES
    if is_kept and tensor.data_type in KNOWN_TYPES and _few(tensor.data_type, dims):
        value.content = _elements(tensor)
    return value


def _elements(tensor: TensorProto) -> np.ndarray[Any, Any]:
    """The elements of a stored tensor.

    Raises:
        Malformed: they are not what its shape and type say.
    """
    try:
        return np.array(numpy_helper.to_array(tensor)).reshape(tuple(tensor.dims))
    except Exception as problem:  # NumPy's and ONNX's own, which differ from version to version
        said = str(problem).strip().partition("\n")[0]
        raise Malformed(f"the tensor {tensor.name!r} cannot be read: {said}") from problem


def of_array(array: np.ndarray[Any, Any], element: int) -> Value:
    """A tensor whose elements are known."""
    return Value(element, array.shape, content=array)


def content_of(value: Value | None) -> np.ndarray[Any, Any] | None:
    """Its elements, where there is one and they are known."""
    return None if value is None else value.content


def _few(element: int, dims: Dims) -> bool:
    numel = 1
    for size in dims:
        if size is None:
            return False
        numel *= size
    return numel <= (KNOWN_NUMBERS if element in FLOATING else KNOWN_ELEMENTS)


def is_small(value: Value) -> bool:
    """Whether a tensor is known to have few elements, of a type that can be computed with."""
    return (
        value.element in KNOWN_TYPES and value.dims is not None and _few(value.element, value.dims)
    )


SHOWN = 3
"""Names that a note gives before it counts the rest."""


class StatedShapes:
    """What the graphs of a file say of their tensors."""

    def __init__(self) -> None:
        self.symbols: dict[str, int] = {}
        """Sizes that are called by name, as far as they are known."""
        self._types: dict[int, dict[str, TypeProto]] = {}
        self._graphs: dict[int, GraphProto] = {}
        """By `id`, which means the graph as long as it is kept here."""
        self._used: dict[str, None] = {}
        self._contradicted: dict[str, str] = {}
        self._repeated: set[int] = set()
        self._outermost = 0

    def note(self, graph: GraphProto) -> None:
        """Look at what a graph states; one that comes again is the body of a loop."""
        if id(graph) in self._graphs:
            self._repeated.add(id(graph))
            return
        self._graphs[id(graph)] = graph
        self._outermost = self._outermost or id(graph)
        infos = (*graph.value_info, *graph.output)
        self._types[id(graph)] = {info.name: info.type for info in infos}

    def complete(self, graph: GraphProto, name: str, value: Value) -> Value:
        """The value of that name, with what is stated where the graph does not tell."""
        written = self._types.get(id(graph), {}).get(name)
        if written is None or written.WhichOneof("value") != "tensor_type":
            return value
        try:
            stated = of_type(written, self.symbols)
        except Malformed:
            return value
        if value.spec is not None:
            self._compare(graph, name, value, stated=stated)
            if id(graph) == self._outermost:  # elsewhere a size may change from round to round
                self._bind(written, value)
            return value
        dims = _filled(value.dims, stated.dims)
        element = value.element or stated.element
        if value.items is not None or value.other or (dims, element) == (value.dims, value.element):
            return value
        told = replace(value, dims=dims, element=element)
        if told.spec is not None:
            told.cause = ""
            self._used[name] = None
        return told

    def notes(self) -> list[str]:
        """What should be said of it."""
        found = []
        if self._used:
            found.append(f"shapes that only the file states: {_few_stated(list(self._used))}")
        if self._contradicted:
            several = _few_stated(list(self._contradicted.values()))
            found.append(f"the file states other shapes than its graph gives: {several}")
        return found

    def _compare(self, graph: GraphProto, name: str, value: Value, *, stated: Value) -> None:
        if stated.dims is None or value.dims is None or id(graph) in self._repeated:
            return
        same = len(stated.dims) == len(value.dims) and all(
            s is None or s == size for s, size in zip(stated.dims, value.dims)
        )
        if not same or stated.element not in (0, value.element):
            self._contradicted.setdefault(name, f"{name} {_text(stated)}, not {_text(value)}")

    def _bind(self, written: TypeProto, value: Value) -> None:
        """Learn a size that is called by name."""
        sizes = written.tensor_type.shape.dim
        if value.dims is None or len(sizes) != len(value.dims):
            return
        for dim, size in zip(sizes, value.dims):
            if dim.dim_param and size is not None:
                self.symbols.setdefault(dim.dim_param, size)


def _filled(known: Dims | None, stated: Dims | None) -> Dims | None:
    """What is known, with what is stated in its gaps."""
    if known is None or stated is None:
        return stated if known is None else known
    if len(known) != len(stated):
        return known
    return tuple(s if k is None else k for k, s in zip(known, stated))


def _text(value: Value) -> str:
    sizes = "×".join("?" if size is None else str(size) for size in value.dims or ())
    return f"{sizes or 'a scalar'} {DTYPES.get(value.element, '')}".strip()


def _few_stated(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
