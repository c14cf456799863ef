"""The bytes of an ONNX file with the values of large tensors left out.

An ONNX file is a protobuf message.  Its weights are nearly all of it and say nothing about shapes,
so they are skipped where they lie: a file of any size is read in the memory of its graph.
Source: Protocol Buffers, Encoding; onnx/onnx.proto for the numbers of the fields.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from math import prod
from mmap import mmap
from typing import Union

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.records.operations import BITS, shape_text

Bytes = Union[bytes, mmap]

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz",
    19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4_e2m1fn",
    24: "float8_e8m0fnu", 25: "uint2", 26: "int2", 27: "float6_e2m3fn", 28: "float6_e3m2fn",
}  # fmt: skip
"""Name by number.  Source: onnx/onnx.proto, TensorProto.DataType."""
NUMBERS = {name: number for number, name in DTYPES.items()}
"""Number by name."""
BITS_OF = {number: BITS[name] for number, name in DTYPES.items()}
"""Bits of one element, by number."""
FLOATS = frozenset(name for name in NUMBERS if name.startswith(("float", "bfloat", "complex")))
"""Names of the types that weights have unless they are quantised."""

LARGE = 8192
"""Bytes of values that are still kept, since they may be a shape or an index."""
DEEPEST = 50
"""Graphs within graphs; protobuf itself stops at 100 messages."""

MOST_PARTS, MOST_TENSORS = 3_000_000, 200_000
"""Fields of a message that are messages or texts, of which each takes some hundred bytes of memory
however short it is; and tensors among them."""
SMALL = 2**20
"""Bytes of a message up to which its parts cannot be too many."""

MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR, SPARSE, FUNCTION, TRAINING = range(8)
VALUE, TYPE, TENSOR_TYPE, SHAPE, OTHER = range(8, 13)
PARTS: dict[int, dict[int, int]] = {
    MODEL: {7: GRAPH, 20: TRAINING, 25: FUNCTION},
    GRAPH: {1: NODE, 5: TENSOR, 15: SPARSE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 22: SPARSE, 23: SPARSE},
    SPARSE: {1: TENSOR, 2: TENSOR},
    FUNCTION: {7: NODE, 11: ATTRIBUTE},
    TRAINING: {},
}
"""The messages that may hold tensors, and by number the fields where they do."""
WITHIN: dict[int, dict[int, int]] = {
    MODEL: {7: GRAPH, 25: FUNCTION},
    GRAPH: {1: NODE, 5: TENSOR, 11: VALUE, 12: VALUE, 13: VALUE, 15: SPARSE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 14: TYPE, 15: TYPE},
    FUNCTION: {7: NODE, 11: ATTRIBUTE, 12: VALUE},
    VALUE: {2: TYPE},
    TYPE: {1: TENSOR_TYPE, 4: TYPE, 5: TYPE, 8: TENSOR_TYPE, 9: TYPE},
    TENSOR_TYPE: {2: SHAPE},
}
"""The messages whose parts are counted, and by number the fields that are such messages."""
DIMS, DATA_TYPE, NAME, RAW, DOC_STRING = 1, 2, 8, 9, 12
FLOAT_DATA, DOUBLE_DATA = 4, 10
VALUES = (FLOAT_DATA, 5, 6, 7, RAW, DOUBLE_DATA, 11)
"""Fields of a tensor that hold its values."""
MARK = os.urandom(8).hex()
"""How the documentation string of a tensor begins whose values were left out: a word that no file
can know.  Behind it stands at which byte of the file they begin, where they lie there as such."""


@dataclass(slots=True)
class Tensor:
    """What a tensor's message says before its values."""

    dims: list[int] = field(default_factory=list)
    data_type: int = 0
    name: bytes = b""
    values: dict[int, int] = field(default_factory=dict)
    """Bytes of values, by field."""
    starts: list[int] = field(default_factory=list)
    """Where each of these fields begins."""


def without_values(data: Bytes) -> bytes:
    """The message with the values of large tensors left out.

    Raises:
        Malformed: it is no protobuf message, ends too early, nests too deep, or holds a large
            tensor whose values do not fill its shape.
    """
    return _rewritten(data, 0, len(data), MODEL, 0)


def check_parts(shell: bytes) -> None:
    """See that a message has no more parts than memory bears.

    Raises:
        Malformed: it has more, or nests too deep.
    """
    if len(shell) <= SMALL:
        return
    parts = tensors = 0
    pending = [(MODEL, 0, len(shell), 0)]
    while pending:
        message, position, end, depth = pending.pop()
        if depth > 4 * DEEPEST:
            raise Malformed(f"its graphs are nested deeper than {DEEPEST}")
        nested = WITHIN.get(message, {})
        while position < end:
            number, kind, position, stop = _field(shell, position, end)
            if kind == 2:
                parts += 1
                inner = nested.get(number, OTHER)
                tensors += inner == TENSOR
                if tensors > MOST_TENSORS:
                    raise Malformed(f"it holds more than {MOST_TENSORS:,} tensors")
                if parts > MOST_PARTS:
                    raise Malformed(f"its graph has more than {MOST_PARTS:,} parts")
                if inner in WITHIN:
                    pending.append((inner, position, stop, depth + 1))
            position = stop


def _rewritten(data: Bytes, start: int, end: int, message: int, depth: int) -> bytes:
    """The message between two positions, parts that may hold tensors rewritten in turn."""
    if depth > 4 * DEEPEST:
        raise Malformed(f"its graphs are nested deeper than {DEEPEST}")
    parts, kept_from, position = [], start, start
    nested = PARTS[message]
    while position < end:
        at = position
        number, kind, position, stop = _field(data, position, end)
        if kind == 2 and number in nested and stop - position > LARGE:
            inner = nested[number]
            if inner == TENSOR:
                body = _rewritten_tensor(data, position, stop)
            elif inner == TRAINING:
                body = b""
            else:
                body = _rewritten(data, position, stop, inner, depth + 1)
            parts += [data[kept_from:at], _varint(number << 3 | 2), _varint(len(body)), body]
            kept_from = stop
        position = stop
    parts.append(data[kept_from:end])
    return b"".join(parts)


def _rewritten_tensor(data: Bytes, start: int, end: int) -> bytes:
    """A tensor with its values left out where they are many."""
    tensor, parts, position = Tensor(), [], start
    while position < end:
        at = position
        number, kind, position, stop = _field(data, position, end)
        if number == DIMS:
            _add_dims(tensor, data, position, stop, kind=kind)
        elif number == DATA_TYPE and kind == 0:
            tensor.data_type, _ = _read_varint(data, position, end)
        elif number == NAME and kind == 2:
            tensor.name = data[position:stop]
        if number in VALUES and kind == 2:
            tensor.values[number] = tensor.values.get(number, 0) + stop - position
            tensor.starts.append(position)
        else:
            parts.append(data[at:stop])
        position = stop
    if sum(tensor.values.values()) <= LARGE:
        return data[start:end]
    _check(tensor)
    is_plain = len(tensor.starts) == 1 and (
        RAW in tensor.values or (FLOAT_DATA in tensor.values and tensor.data_type == 1)
    )
    mark = f"{MARK}{tensor.starts[0] if is_plain else ''}".encode()
    return b"".join(parts) + bytes((DOC_STRING << 3 | 2, len(mark))) + mark


def _add_dims(tensor: Tensor, data: Bytes, position: int, stop: int, *, kind: int) -> None:
    if kind == 0:
        tensor.dims.append(_read_varint(data, position, stop)[0])
        return
    while position < stop:
        size, position = _read_varint(data, position, stop)
        tensor.dims.append(size)


def _check(tensor: Tensor) -> None:
    """See that the values fill the shape.

    Raises:
        Malformed: they do not.
    """
    name = tensor.name.decode("utf-8", "replace")
    if any(size >= 2**63 for size in tensor.dims):
        raise Malformed(f"the tensor {name!r} has a negative size")
    numel, bits = prod(tensor.dims), BITS_OF.get(tensor.data_type, 0)
    needed = {
        RAW: -(-numel * bits // 8),
        FLOAT_DATA: numel * bits // 8,
        DOUBLE_DATA: numel * bits // 8,
    }
    for number, found in tensor.values.items():
        if bits and found != needed.get(number, found):
            shape = shape_text(tensor.dims)
            raise Malformed(
                f"the tensor {name!r} of {shape} needs {needed[number]:,} bytes and has {found:,}"
            )
        if number not in needed and numel > 8 * found:  # at best a bit for each element
            raise Malformed(f"the tensor {name!r} has fewer values than its shape")


def _field(data: Bytes, position: int, end: int) -> tuple[int, int, int, int]:
    """Number and wire type of the field at a position, and where its content begins and ends."""
    key = data[position]
    position += 1
    if key >= 0x80:
        key, position = _read_varint(data, position - 1, end)
    number, kind = key >> 3, key & 7
    if kind == 2:
        size, position = _read_varint(data, position, end)
        stop = position + size
    elif kind == 0:
        _, stop = _read_varint(data, position, end)
    elif kind == 5:
        stop = position + 4
    elif kind == 1:
        stop = position + 8
    else:
        raise Malformed("it is not a protobuf message")
    if not number:
        raise Malformed("it is not a protobuf message")
    if stop > end:
        raise Malformed(f"it ends {stop - end:,} bytes too early")
    return number, kind, position, stop


def _read_varint(data: Bytes, position: int, end: int) -> tuple[int, int]:
    """The number at a position, and where it ends."""
    value = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise Malformed("it is not a protobuf message")


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
