"""Files of safetensors, and the index of a checkpoint in several files.

    8 bytes             length of the table, little-endian
    {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …, "__metadata__": {…}}
    the tensors' bytes, offsets counted from here

and `model.safetensors.index.json` or the like

    {"metadata": {"total_size": …}, "weight_map": {"name of a tensor": "name of a file", …}}

Source: the descriptions of both at huggingface.co/docs.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeGuard

from cnninspect.checkpoints.contents import check_number
from cnninspect.files import Malformed, excerpt
from cnninspect.records.checkpoint import Checkpoint, StoredTensor
from cnninspect.records.operations import BITS, TensorSpec

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


# --- several files ---

MAX_SHARDS = 10_000
LONGEST_NAME = 255
"""Characters of the name of a file, as systems have it."""


def read_sharded_index(
    stream: IO[bytes], folder: Path, read: Callable[[Path], Checkpoint]
) -> Checkpoint:
    """The table of all the files that an index names, each read by `read`.

    Raises:
        Malformed: the index cannot be read, or the files do not hold what it says.
    """
    weight_map, metadata = parse_index(stream.read(MAX_HEADER))
    shards = {name: read(folder / name) for name in dict.fromkeys(weight_map.values())}
    held = {file: {tensor.name for tensor in shard.tensors} for file, shard in shards.items()}
    for name, file in weight_map.items():
        if name not in held[file]:
            raise Malformed(f"{file} does not hold {excerpt(name)}, which the index says it does")
    tensors = [
        replace(tensor, storage=f"{file}/{tensor.storage}")
        for file, shard in shards.items()
        for tensor in shard.tensors
    ]
    check_number(len(tensors))
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise Malformed("two of its files hold a tensor of the same name")
    extra = sum(tensor.name not in weight_map for tensor in tensors)
    parts = list(shards.values())
    return Checkpoint(
        reference="",
        format=parts[0].format,
        tensors=tuple(tensors),
        globals=tuple(dict.fromkeys(item for part in parts for item in part.globals)),
        metadata=metadata,
        file_bytes=sum(part.file_bytes for part in parts),
        notes=(
            f"{len(parts):,} file{'s' if len(parts) > 1 else ''}",
            *([f"{extra:,} of the tensors not in the index"] if extra else []),
            *dict.fromkeys(note for part in parts for note in part.notes),
        ),
    )


def parse_index(text: bytes) -> tuple[Mapping[str, str], tuple[tuple[str, str], ...]]:
    """File by tensor, and what else the index says.

    Raises:
        Malformed: it is not such an index, or names files of other folders.
    """
    table = parse(text)
    weight_map, metadata = table.get("weight_map"), table.get("metadata")
    if not isinstance(weight_map, dict) or not weight_map:
        raise Malformed("it has no weight_map")
    files = set()
    for name, file in weight_map.items():
        is_name = (
            isinstance(file, str) and len(file) <= LONGEST_NAME and file not in ("", ".", "..")
        )
        if not is_name or set(file) & set("/\\:\0"):
            raise Malformed(f"{excerpt(name)} is not in a file of the same folder")
        files.add(file)
    if len(files) > MAX_SHARDS:
        raise Malformed(f"it names {len(files):,} files")
    facts = metadata.items() if isinstance(metadata, dict) else ()
    return weight_map, tuple(
        (key, excerpt(value, 200)) for key, value in facts if isinstance(value, (str, int, float))
    )
