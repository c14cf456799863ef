"""ONNX's numbers for types of elements, and the names that they have everywhere else here."""

from __future__ import annotations

from cnninspect.records.tensors import BITS

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64",
    15: "complex128", 16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz",
    19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4_e2m1fn",
    24: "float8_e8m0fnu", 25: "uint2", 26: "int2", 27: "float6_e2m3fn", 28: "float6_e3m2fn",
}  # fmt: skip
"""Name by number, text (8) left out.  Source: onnx/onnx.proto, TensorProto.DataType."""
NUMBERS = {name: number for number, name in DTYPES.items()}
"""Number by name."""
BITS_OF = {number: BITS[name] for number, name in DTYPES.items()}
"""Bits of one element, by number."""
FLOATS = frozenset(name for name in NUMBERS if name.startswith(("float", "bfloat", "complex")))
"""Names of the types that weights have unless they are quantised."""
