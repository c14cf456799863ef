"""The header of a `.safetensors` file: a length, a JSON table, then nothing but numbers.

    8 bytes             length of the table, little-endian
    {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …, "__metadata__": {…}}
    the tensors' bytes, offsets counted from here

Source: the format's description at huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
import struct
from typing import IO, Any, NamedTuple, TypeGuard

from cnninspect.records.checkpoint import Checkpoint, StoredTensor
from cnninspect.records.tensors import BITS, TensorSpec
from cnninspect.sources.checkpoints.malformed import Malformed, excerpt
from cnninspect.sources.checkpoints.tables import check_number

MAX_HEADER = 100_000_000
"""Bytes, as the format's own library allows."""
MAX_VALUES = 3_000_000
"""Values in a header, about eight for each tensor; each takes memory far beyond its own text."""
MAX_NAME = 1000
MAX_LEVELS = 100
"""Characters and dotted parts of one name."""
STORAGE = "data"
"""All tensors of such a file lie in one run of bytes."""
DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F4": "float4_e2m1fn_x2",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2": "float8_e5m2",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}
"""PyTorch's dtypes by the format's."""


class Row(NamedTuple):
    """A tensor of the header."""

    name: str
    spec: TensorSpec
    begin: int
    end: int


def read_safetensors(stream: IO[bytes], file_bytes: int) -> Checkpoint:
    """The table of such a file.

    Raises:
        Malformed: it is not one.
    """
    length = header_bytes(stream, file_bytes)
    table = parse(stream.read(length))
    metadata = table.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Malformed("its __metadata__ is not text by name")
    check_number(len(table))
    rows = [row_of(name, entry) for name, entry in table.items()]
    check_layout(rows, file_bytes - 8 - length)
    return Checkpoint(
        reference="",
        format="safetensors",
        tensors=tuple(
            StoredTensor(
                row.name, row.spec, row.end - row.begin, STORAGE, row.begin, strides(row.spec.shape)
            )
            for row in rows
        ),
        metadata=tuple(metadata.items()),
    )


def header_bytes(stream: IO[bytes], file_bytes: int) -> int:
    """Length of the table; leaves the stream at its begin.

    Raises:
        Malformed: the length cannot be right.
    """
    prefix = stream.read(8)
    if len(prefix) < 8:
        raise Malformed("it ends within its first 8 bytes")
    (length,) = struct.unpack("<Q", prefix)
    if length > MAX_HEADER:
        raise Malformed(f"its header would take {length:,} bytes")
    if length > file_bytes - 8:
        raise Malformed(
            f"its header should take {length:,} bytes and the file has {file_bytes - 8:,} more",
            "it was cut off: fetch it again",
        )
    return int(length)


def parse(text: bytes) -> dict[str, Any]:
    """The table as it is written.

    Raises:
        Malformed: it is not a JSON object, names something twice, or holds too much.
    """
    values = sum(text.count(sign) for sign in (b"[", b"{", b","))
    if values > MAX_VALUES:
        raise Malformed(f"its header holds some {values:,} values")
    try:
        table = json.loads(text.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"its header is not JSON: {excerpt(error)}") from error
    if not isinstance(table, dict):
        raise Malformed("its header is not a JSON object")
    return table


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names must differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Malformed("its header names something twice")
    return found


def row_of(name: str, entry: object) -> Row:
    """One tensor of the table.

    Raises:
        Malformed: its dtype is not known, or its shape and offsets do not fit.
    """
    shown = excerpt(name)
    if len(name) > MAX_NAME or name.count(".") >= MAX_LEVELS:
        raise Malformed(f"{shown} is a name of {len(name):,} characters")
    if not isinstance(entry, dict):
        raise Malformed(f"{shown} is not described by a JSON object")
    code, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(code, str):
        raise Malformed(f"{shown} lacks a dtype")
    if code not in DTYPES:
        raise Malformed(f"{shown} has the dtype {excerpt(repr(code))}, which is not known")
    if not (is_counts(shape) and is_counts(offsets) and len(shape) <= 64 and len(offsets) == 2):
        raise Malformed(f"{shown} lacks a shape or offsets")
    begin, end = offsets
    sizes = tuple(shape)
    if code == "F4":  # the format counts numbers of 4 bits, PyTorch the bytes that hold two
        if not sizes or sizes[-1] % 2:
            raise Malformed(f"{shown} holds an odd count of numbers of 4 bits")
        sizes = (*sizes[:-1], sizes[-1] // 2)
    wanted = math.prod(sizes) * BITS[DTYPES[code]] // 8
    if end - begin != wanted:
        raise Malformed(
            f"{shown} of shape {excerpt(shape)} ({code}) has {end - begin:,} bytes,"
            f" not {excerpt(f'{wanted:,}')}"
        )
    return Row(name, TensorSpec(sizes, DTYPES[code]), begin, end)


def is_counts(value: object) -> TypeGuard[list[int]]:
    """Whether a JSON value is a list of whole numbers from 0 that fit 64 bits."""
    return isinstance(value, list) and all(
        type(number) is int and 0 <= number < 1 << 64 for number in value
    )


def check_layout(rows: list[Row], data_bytes: int) -> None:
    """Raises Malformed unless the tensors lie end to end and fill the rest of the file."""
    reached = 0
    for row in sorted(rows, key=lambda row: (row.begin, row.end)):
        if row.begin != reached:
            how = "overlaps another tensor" if row.begin < reached else "leaves a gap before it"
            raise Malformed(f"{excerpt(row.name)} {how}")
        reached = row.end
    if reached > data_bytes:
        raise Malformed(
            f"its tensors take {reached:,} bytes and the file has {data_bytes:,}",
            "it was cut off: fetch it again",
        )
    if reached < data_bytes:
        raise Malformed(f"{data_bytes - reached:,} bytes belong to no tensor")


def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Elements to step over for the next index, by dimension, where rows lie end to end."""
    steps = [1]
    for size in reversed(shape[1:]):
        steps.append(steps[-1] * max(size, 1))
    return tuple(reversed(steps)) if shape else ()
