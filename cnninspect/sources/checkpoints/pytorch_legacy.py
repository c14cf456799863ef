"""What `torch.save` wrote before PyTorch 1.6: five pickles after each other, then the storages.

    magic number, protocol, facts about the machine, the object, the keys of its storages;
    then for each key the number of elements (8 bytes) and the elements.

Source: `_legacy_load` in `torch/serialization.py` of PyTorch.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import IO, cast

from cnninspect.records.checkpoint import Checkpoint
from cnninspect.sources.checkpoints.malformed import Malformed, excerpt
from cnninspect.sources.checkpoints.pickle_opcodes import Pickled, interpret
from cnninspect.sources.checkpoints.tables import tabulate
from cnninspect.sources.checkpoints.tensor_symbols import element_bytes, storage_of

MAGIC = 0x1950A86A20F9469CFC6C
MAX_PICKLES = 64 << 20
"""Bytes of the five pickles together."""


class BoundedStream:
    """The begin of a stream, so that a pickle that claims a long text reads no gigabytes.

    It can what `pickletools` asks of a stream.
    """

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int) -> bytes:
        """The next bytes."""
        self._take(size)
        return self._stream.read(size)

    def readline(self) -> bytes:
        """The bytes up to the next line feed."""
        line = self._stream.readline(self._left)
        self._take(len(line))
        return line

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Malformed(f"its pickles take more than {MAX_PICKLES:,} bytes")


def read_pytorch_legacy(stream: IO[bytes], file_bytes: int) -> Checkpoint:
    """The table of such a file.

    Raises:
        Malformed: it is not one.
    """
    bounded = cast(IO[bytes], BoundedStream(stream, MAX_PICKLES))
    magic = interpret(bounded)
    if magic.value != MAGIC:
        raise Malformed("it is a pickle, but not one of torch.save", "save it with torch.save")
    protocol, machine, pickled, keys = (interpret(bounded) for _ in range(4))
    if not isinstance(keys.value, list) or not all(isinstance(key, str) for key in keys.value):
        raise Malformed("its list of storages cannot be read")
    parts = (magic, protocol, machine, pickled, keys)  # torch.load runs each of them
    pickled = replace(
        pickled, globals=tuple(dict.fromkeys(name for part in parts for name in part.globals))
    )
    held = stored_bytes(stream, [str(key) for key in keys.value], widths(pickled), file_bytes)

    def locate(key: str) -> tuple[str, int] | None:
        return (key, held[key]) if key in held else None

    return tabulate(pickled, locate, "pytorch legacy")


def widths(pickled: Pickled) -> dict[str, int]:
    """Bytes of an element, by the key of the storage."""
    found: dict[str, int] = {}
    for symbol in pickled.persistent:
        storage, dtype = storage_of(symbol)
        found[storage.key] = 1 if dtype is None else element_bytes(dtype)
    return found


def stored_bytes(
    stream: IO[bytes], keys: list[str], width_of: dict[str, int], file_bytes: int
) -> dict[str, int]:
    """Bytes of each storage as the rest of the stream has them, reading their lengths only.

    Raises:
        Malformed: the file ends before its storages do.
    """
    held: dict[str, int] = {}
    position = stream.tell()
    for key in keys:
        if key not in width_of:
            raise Malformed(f"it holds a storage {excerpt(repr(key))} that nothing refers to")
        stream.seek(position)
        length = stream.read(8)
        elements = struct.unpack("<q", length)[0] if len(length) == 8 else -1
        held[key] = elements * width_of[key]
        position += 8 + held[key]
        if elements < 0 or position > file_bytes:
            raise Malformed("it ends before its data does", "it was cut off: fetch it again")
    return held
