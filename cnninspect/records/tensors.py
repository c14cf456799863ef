"""The shape and dtype of a tensor, without the tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

BITS = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16,
    "float8_e4m3fn": 8, "float8_e4m3fnuz": 8, "float8_e5m2": 8, "float8_e5m2fnuz": 8,
    "float8_e8m0fnu": 8, "float4_e2m1fn_x2": 8,
    "float4_e2m1fn": 4, "float6_e2m3fn": 6, "float6_e3m2fn": 6,
    "complex32": 32, "bcomplex32": 32, "complex64": 64, "complex128": 128,
    "int64": 64, "int32": 32, "int16": 16, "int8": 8, "int4": 4, "int2": 2, "int1": 1,
    "uint64": 64, "uint32": 32, "uint16": 16, "uint8": 8, "uint4": 4, "uint2": 2, "uint1": 1,
    "qint8": 8, "quint8": 8, "qint32": 32, "quint4x2": 4, "quint2x4": 2,
    "bool": 8, "string": 0,
}  # fmt: skip
"""Bits that one element takes in memory, by dtype name (PyTorch's names, without `torch.`).

Those of a number of bits that is no power of two, 4-bit floats by themselves, and text, whose
length its shape does not tell, are ONNX's."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The shape and dtype of a tensor."""

    shape: tuple[int, ...]
    """Sizes, outermost first; `()` for a scalar."""
    dtype: str = "float32"
    """PyTorch's name without the prefix, as in `float32`."""

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the elements take, packed where a byte holds several."""
        return -(-self.numel * BITS[self.dtype] // 8)


@dataclass(frozen=True, slots=True)
class UnknownTensor:
    """A tensor whose shape is not known."""

    dtype: str
    """As in `TensorSpec`; empty where that is not known either."""
    because: str = ""
    """Why its shape is not known."""


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A tensor that enters or leaves a network, with the name it goes by."""

    name: str
    """The argument of `forward`, or the key or position in the result."""
    spec: TensorSpec
    """Its shape and dtype."""

    def as_plain(self) -> dict[str, object]:
        """Name, shape and dtype side by side: what a report writes."""
        return {"name": self.name, "shape": list(self.spec.shape), "dtype": self.spec.dtype}
