"""The constants of a LiteRT file (TensorFlow Lite): its weights by name, shape and stored type.

A file is a FlatBuffer whose tables lie anywhere in it, so it is mapped into memory and only the
tables are looked at.  What they mean is said by the schema that the package `ai-edge-litert` ships,
which the authors of the format keep.  The graph is not followed: the table says what is stored, and
which operators there are.

Source: tflite/converter/schema/schema.fbs in github.com/google-ai-edge/LiteRT.
"""

from __future__ import annotations

import mmap
import struct
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

from cnninspect.errors import MissingLibrary
from cnninspect.files import Malformed, excerpt
from cnninspect.records.checkpoint import Checkpoint, StoredTensor
from cnninspect.records.operations import BITS, TensorSpec

IDENTIFIER = b"TFL3"
"""At the fifth byte of every such file."""
MOST_TABLES = 1_000_000
"""Tensors, buffers or operators of one file."""
MOST_ENTRIES = 3_000_000
"""Entries of all tables that are looked at: many of them may be one, by their offsets."""
MOST_SIZES = 64
"""Dimensions of a tensor."""
MAX_NAME = 1000
SHOWN = 12
"""Kinds of operators that are told."""


def read_litert(stream: IO[bytes], file_bytes: int) -> Checkpoint:
    """The table of such a file.

    Raises:
        Malformed: it is not one, or its tensors do not fit into it.
        MissingLibrary: the package that knows its schema is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as problem:
        raise MissingLibrary("ai-edge-litert", "litert", "reading LiteRT files") from problem
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            model = schema.Model.GetRootAs(content, 0)
            look = _Look()
            tensors = tuple(_tensors(model, schema, file_bytes, look))
            operators = _operators(model, schema, look)
        except Malformed:
            raise
        except (struct.error, ValueError, IndexError, TypeError, OverflowError) as problem:
            # An offset that leads out of the file; UnicodeDecodeError is a ValueError.
            raise Malformed(f"its tables do not fit together: {excerpt(problem)}") from problem
    told = ", ".join(f"{name} ×{n:,}" if n > 1 else name for name, n in operators[:SHOWN])
    more = f" and {len(operators) - SHOWN:,} more kinds" if len(operators) > SHOWN else ""
    notes = [f"its graph is not followed; operators: {told}{more}"] if operators else []
    return Checkpoint(reference="", format="litert", tensors=tensors, notes=tuple(notes))


class _Look:
    """What was looked at so far, which has a bound: one entry can stand in many tables."""

    def __init__(self) -> None:
        self._entries = 0

    def at(self, length: int) -> range:
        """The numbers of a table's entries.

        Raises:
            Malformed: there are too many, in it or in all.
        """
        self._entries += length
        if length > MOST_TABLES or self._entries > MOST_ENTRIES:
            raise Malformed(f"it claims a table of {length:,} entries, {self._entries:,} in all")
        return range(length)


def _tensors(model: Any, schema: Any, file_bytes: int, look: _Look) -> Iterator[StoredTensor]:
    """The tensors whose values the file holds, those of each subgraph after the other."""
    types = {number: name.lower() for name, number in vars(schema.TensorType).items()
             if isinstance(number, int)}  # fmt: skip
    first: dict[int, str] = {}
    several = model.SubgraphsLength() > 1
    for i in look.at(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        for j in look.at(graph.TensorsLength()):
            tensor = graph.Tensors(j)
            number = tensor.Buffer()
            if not 0 < number < model.BuffersLength():
                continue  # buffer 0 is empty: what the network computes
            offset, size = _place(model.Buffers(number))
            if not size:
                continue
            raw = tensor.Name() or b""
            name = raw[:MAX_NAME].decode("utf-8", "replace") or f"tensor {j}"
            if len(raw) > MAX_NAME:
                raise Malformed(f"{excerpt(name)} is a name of {len(raw):,} bytes")
            if offset + size > file_bytes:
                raise Malformed(f"{excerpt(name)} lies beyond the end of the file")
            if several:
                name = f"{i}.{name}"
            dtype = types.get(tensor.Type(), f"type {tensor.Type()}")
            if tensor.ShapeLength() > MOST_SIZES:
                raise Malformed(f"{excerpt(name)} has {tensor.ShapeLength():,} dimensions")
            shape = tuple(tensor.Shape(k) for k in look.at(tensor.ShapeLength()))
            _check_size(name, TensorSpec(shape, dtype), size)
            yield StoredTensor(
                name, TensorSpec(shape, dtype), size, "data", offset, (),
                shares_with=first.get(number),
            )  # fmt: skip
            first.setdefault(number, name)


def _check_size(name: str, spec: TensorSpec, size: int) -> None:
    """Raises Malformed where a tensor's shape is impossible or its bytes are others."""
    if any(length < 0 for length in spec.shape):
        raise Malformed(f"{excerpt(name)} has a negative size")
    if spec.dtype in BITS and spec.nbytes != size:
        raise Malformed(
            f"{excerpt(name)} of shape {excerpt(list(spec.shape))} ({spec.dtype}) has {size:,} "
            f"bytes, not {excerpt(f'{spec.nbytes:,}')}"
        )


def _place(buffer: Any) -> tuple[int, int]:
    """Where the bytes of a buffer are, and how many; large ones lie behind all tables."""
    if buffer.Size():
        return int(buffer.Offset()), int(buffer.Size())
    if not buffer.DataLength():
        return 0, 0
    table = buffer._tab  # the accessors tell values, not where they are
    return int(table.Vector(table.Offset(4))), int(buffer.DataLength())


def _operators(model: Any, schema: Any, look: _Look) -> list[tuple[str, int]]:
    """The operators and how often each occurs, the most frequent first."""
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()
             if isinstance(number, int)}  # fmt: skip
    codes = []
    for i in look.at(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        custom = (code.CustomCode() or b"")[:MAX_NAME].decode("utf-8", "replace")
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        codes.append(excerpt(custom) or names.get(number, f"operator {number}"))
    found: Counter[str] = Counter()
    for i in look.at(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        for j in look.at(graph.OperatorsLength()):
            index = graph.Operators(j).OpcodeIndex()
            found[codes[index] if index < len(codes) else f"operator code {index}"] += 1
    return found.most_common()
