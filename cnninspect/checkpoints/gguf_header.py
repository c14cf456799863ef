"""The header of a GGUF file, as llama.cpp reads it: settings, a table of tensors, then numbers.

    "GGUF", version (u32), number of tensors (u64), number of settings (u64)
    settings: key, type (u32), value; a text is its length (u64) and its bytes
    tensors: name, count of sizes (u32), sizes (u64, innermost first), type (u32), offset (u64)
    the tensors' bytes, offsets counted from the next multiple of the alignment

Quantised types store a row in blocks of numbers that share their scales, so a tensor has more
elements than its bytes suggest: both are told.  Blocks and their bytes are those of the package
`gguf`, which the authors of the format keep.

Source: ggml/docs/gguf.md in github.com/ggml-org/ggml.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from cnninspect.errors import MissingLibrary
from cnninspect.files import Malformed, excerpt
from cnninspect.records.checkpoint import Checkpoint, StoredTensor
from cnninspect.records.operations import TensorSpec

MAGIC = b"GGUF"
VERSIONS = (2, 3)
"""Version 1, of August 2023, lived for a few weeks; llama.cpp does not read it any more."""
ALIGNMENT = 32
MOST_TENSORS = 300_000
MOST_SETTINGS = 100_000
MOST_TEXTS = 3_000_000
"""Texts in all lists, such as the tokens of a vocabulary and the pairs that it merges."""
MOST_SIZES = 8
"""Sizes of one tensor; ggml itself has four."""
MAX_NAME = 1000
MAX_TEXT = 1 << 24
"""Bytes of one text, such as a chat template."""
MAX_LEVELS = 8
"""Lists within lists."""
SHOWN = 200
"""Characters of a setting that are kept."""
CUT = "it was cut off: fetch it again"

SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
"""Letters of `struct` by the number of a type."""
TEXT, LIST = 8, 9
PLAIN = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
}  # fmt: skip
"""PyTorch's dtypes; the others go by ggml's names, as in `Q4_K`."""


class Row(NamedTuple):
    """A tensor of the table."""

    name: str
    spec: TensorSpec
    nbytes: int
    offset: int


def read_gguf(stream: IO[bytes], file_bytes: int) -> Checkpoint:
    """The table of such a file.

    Raises:
        Malformed: it is not one, or its tensors do not fit into it.
        MissingLibrary: the package `gguf`, which knows the types, is not installed.
    """
    header = Header(stream, file_bytes)
    tensors, settings = header.counts()
    metadata: list[tuple[str, str]] = [("gguf.version", str(header.version))]
    alignment = ALIGNMENT
    for _ in range(settings):
        key, value = header.setting()
        if key == "general.alignment":
            alignment = _alignment(value)
        metadata.append((key, excerpt(value, SHOWN)))
    types = _types() if tensors else {}
    rows = [_row(header, types) for _ in range(tensors)]
    start = -(-header.offset // alignment) * alignment if rows else header.offset
    _check_layout(rows, file_bytes - start, alignment)
    return Checkpoint(
        reference="",
        format="gguf",
        tensors=tuple(
            StoredTensor(row.name, row.spec, row.nbytes, "data", row.offset, ()) for row in rows
        ),
        metadata=tuple(metadata),
        notes=tuple(_notes(rows)),
    )


class Header:
    """Reads one value after the other, and never beyond the end of the file."""

    def __init__(self, stream: IO[bytes], file_bytes: int) -> None:
        self._stream = stream
        self._left = file_bytes
        self._texts = 0
        self._order = "<"
        self.offset = 0
        """Bytes read so far."""
        if self._bytes(4) != MAGIC:
            raise Malformed("it does not begin with GGUF")
        raw = self._bytes(4)
        self.version = struct.unpack("<I", raw)[0]
        if self.version not in VERSIONS and struct.unpack(">I", raw)[0] in VERSIONS:
            self._order = ">"  # of a machine that puts the high bytes first
            self.version = struct.unpack(">I", raw)[0]
        if self.version not in VERSIONS:
            known = " and ".join(map(str, VERSIONS))
            raise Malformed(f"it is GGUF of version {self.version:,}; {known} can be read")

    def counts(self) -> tuple[int, int]:
        """How many tensors and settings there are.

        Raises:
            Malformed: more than the file could hold, or than any model has.
        """
        tensors, settings = self.number("Q"), self.number("Q")
        for what, found, most, least in (
            ("tensors", tensors, MOST_TENSORS, 24), ("settings", settings, MOST_SETTINGS, 13),
        ):  # fmt: skip
            if found > most or found * least > self._left:
                raise Malformed(f"it claims {found:,} {what}, more than it can hold")
        return tensors, settings

    def number(self, letter: str) -> int:
        """The next number; `letter` is that of `struct`."""
        value: int = self._scalar(letter)
        return value

    def text(self, most: int = MAX_TEXT, kept: int = MAX_NAME) -> str:
        """The next text, of which no more than the first `kept` bytes are read.

        Bytes that are no UTF-8 are replaced.
        """
        length = self.number("Q")
        if length > most:
            raise Malformed(f"it holds a text of {length:,} bytes")
        first = self._bytes(min(length, kept)).decode("utf-8", "replace")
        self._skip(length - min(length, kept))
        return first

    def setting(self) -> tuple[str, object]:
        """Key and value; a list is told by how many values it has, if they are more than a few."""
        key = self.text(MAX_NAME)
        kind = self.number("I")
        return key, self._value(kind, key, 0)

    def _value(self, kind: int, key: str, level: int) -> object:
        if kind in SCALARS:
            return self._scalar(SCALARS[kind])
        if kind == TEXT:
            return self.text()
        if kind != LIST:
            raise Malformed(f"{excerpt(key)} is of type {kind:,}, which GGUF does not have")
        if level >= MAX_LEVELS:
            raise Malformed(f"{excerpt(key)} nests lists without end")
        return self._list(key, level)

    def _list(self, key: str, level: int) -> str:
        kind, length = self.number("I"), self.number("Q")
        if kind in SCALARS:
            size = struct.calcsize(f"={SCALARS[kind]}")
            if length > 8:
                self._skip(length * size)
                return f"{length:,} values"
            return ", ".join(str(self._scalar(SCALARS[kind])) for _ in range(length))
        self._texts += length
        if self._texts > MOST_TEXTS or 8 * length > self._left:
            raise Malformed(f"{excerpt(key)} is a list of {length:,} values")
        first = [excerpt(self._value(kind, key, level + 1), 40) for _ in range(min(length, 8))]
        for _ in range(len(first), length):
            if kind == TEXT:
                self._skip(self.number("Q"))
            else:
                self._value(kind, key, level + 1)
        return f"{length:,} values" if length > 8 else ", ".join(first)

    def _scalar(self, letter: str) -> int:
        form = struct.Struct(self._order + letter)
        value: int = form.unpack(self._bytes(form.size))[0]
        return value

    def _bytes(self, length: int) -> bytes:
        self._take(length)
        read = self._stream.read(length)
        if len(read) < length:
            raise Malformed("its header does not end", CUT)
        return read

    def _skip(self, length: int) -> None:
        self._take(length)
        self._stream.seek(length, 1)

    def _take(self, length: int) -> None:
        if length > self._left:
            raise Malformed("its header does not end", CUT)
        self._left -= length
        self.offset += length


def _types() -> dict[int, tuple[str, int, int]]:
    """Name, elements of a block and its bytes by the number of a type.

    Raises:
        MissingLibrary: the package that knows them is not installed.
    """
    try:
        from gguf.constants import GGML_QUANT_SIZES
    except ImportError as problem:
        raise MissingLibrary("gguf", "gguf", "the types of GGUF files") from problem
    return {int(kind): (kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}


def _row(header: Header, types: dict[int, tuple[str, int, int]]) -> Row:
    """One tensor of the table.

    Raises:
        Malformed: its type is not known, or its rows are no whole blocks.
    """
    name = header.text(MAX_NAME)
    count = header.number("I")
    if count > MOST_SIZES:
        raise Malformed(f"{excerpt(name)} has {count:,} dimensions")
    inner_first = [header.number("Q") for _ in range(count)]
    kind, offset = header.number("I"), header.number("Q")
    if kind not in types:
        raise Malformed(
            f"{excerpt(name)} is of type {kind:,}, which this version of gguf does not know",
            "pip install -U gguf",
        )
    label, block, size = types[kind]
    if (inner_first[0] if inner_first else 1) % block:
        raise Malformed(f"{excerpt(name)}: its rows are no whole blocks of {block:,} ({label})")
    shape = tuple(reversed(inner_first))
    nbytes = math.prod(shape) // block * size
    return Row(name, TensorSpec(shape, PLAIN.get(label, label)), nbytes, offset)


def _alignment(value: object) -> int:
    if not isinstance(value, int) or value <= 0 or value & (value - 1) or value > 1 << 20:
        raise Malformed(f"its alignment is {excerpt(value)}, which is no power of two")
    return value


def _check_layout(rows: list[Row], data_bytes: int, alignment: int) -> None:
    """Raises Malformed unless every tensor lies in the file, by itself and where it may."""
    if len({row.name for row in rows}) < len(rows):
        raise Malformed("it names a tensor twice")
    reached = 0
    for row in sorted(rows, key=lambda row: (row.offset, row.nbytes)):
        if row.offset % alignment:
            raise Malformed(f"{excerpt(row.name)} does not begin at a multiple of {alignment}")
        if row.offset < reached:
            raise Malformed(f"{excerpt(row.name)} overlaps another tensor")
        reached = row.offset + row.nbytes
    if reached > data_bytes:
        raise Malformed(
            f"its tensors take {reached:,} bytes and the file has {max(data_bytes, 0):,}", CUT
        )


def _notes(rows: list[Row]) -> Iterator[str]:
    """What quantisation means for the table."""
    packed = [row for row in rows if row.spec.dtype not in PLAIN.values() and row.spec.numel]
    if packed:
        elements = sum(row.spec.numel for row in packed)
        bits = 8 * sum(row.nbytes for row in packed) / elements
        yield (
            f"{elements:,} of the elements are quantised, at {bits:.2f} bits each with their "
            "scales: elements are counted as the network uses them, bytes as they are stored"
        )
