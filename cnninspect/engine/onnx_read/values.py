"""What is known of a tensor on its way through a graph."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, TypeProto, numpy_helper

from cnninspect.engine.onnx_read.dtypes import DTYPES
from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.protobuf import MARK
from cnninspect.records.tensors import TensorSpec

Dims = tuple["int | None", ...]

KNOWN_ELEMENTS, KNOWN_NUMBERS = 1024, 16
"""Elements up to which the values of a tensor are kept and computed with: of whole numbers, which
may be a shape, and of floating ones, which may be factors between sizes."""
FLOATING = frozenset((1, 10, 11))
KNOWN_TYPES = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13))
"""Numbers of the types of elements that NumPy has by itself."""


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
        return self.element, self.dims, self.other, known

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
        if size is not None and not 0 <= size < 2**62:
            raise Malformed(f"a tensor has the size {size}")
        dims.append(size)
    return Value(tensor.elem_type, tuple(dims))


def of_tensor(tensor: TensorProto) -> Value:
    """A stored tensor, with its elements where they are few."""
    dims = tuple(tensor.dims)
    value = Value(tensor.data_type, dims)
    is_here = tensor.doc_string != MARK and tensor.data_location != TensorProto.EXTERNAL
    if is_here and tensor.data_type in KNOWN_TYPES and _few(tensor.data_type, dims):
        value.content = numpy_helper.to_array(tensor)
    return value


def of_array(array: np.ndarray[Any, Any], element: int) -> Value:
    """A tensor whose elements are known."""
    return Value(element, array.shape, content=array)


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
