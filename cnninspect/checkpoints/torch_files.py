"""Files of `torch.save`: a zip archive since PyTorch 1.6, pickles after each other before.

    NAME/data.pkl       the object, each storage by its key
    NAME/data/KEY       the bytes of a storage
    NAME/version, NAME/byteorder, …

and in old files

    magic number, protocol, facts about the machine, the object, the keys of its storages;
    then for each key the number of elements (8 bytes) and the elements.

Source: `torch/serialization.py` and `caffe2/serialize/inline_container.h` of PyTorch.
"""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import IO, cast

from cnninspect.checkpoints.contents import tabulate
from cnninspect.checkpoints.pickles import Pickled, interpret
from cnninspect.checkpoints.torch_symbols import element_bytes, storage_of
from cnninspect.checkpoints.zip_archive import AMBIGUOUS, Archive
from cnninspect.files import Malformed, excerpt
from cnninspect.records.checkpoint import Checkpoint

MAX_PICKLE = 64 << 20
"""Bytes of the pickle: that of a large language model takes less than one million."""


PICKLES = (".pkl", ".pickle")
"""Ends of the names of entries that are pickles."""


def read_pytorch_zip(stream: IO[bytes], file_bytes: int) -> Checkpoint:
    """The table of such an archive.

    Raises:
        Malformed: it is not one.
    """
    archive = Archive(stream, file_bytes)
    folder = folder_of_pickle(archive)
    pickled = interpret(io.BytesIO(archive.read(f"{folder}/data.pkl", MAX_PICKLE)))
    others = [name for name in archive.entries if name.lower().endswith(PICKLES)]
    asked = dict.fromkeys(pickled.globals)
    for name in others:  # torch.load leaves them alone, but nobody else has to
        asked |= dict.fromkeys(interpret(io.BytesIO(archive.read(name, MAX_PICKLE))).globals)
    pickled = replace(pickled, globals=tuple(asked))

    def locate(key: str) -> tuple[str, int] | None:
        entry = archive.entries.get(f"{folder}/data/{key}")
        return None if entry is None else (f"data/{key}", entry.file_size)

    return tabulate(pickled, locate, "pytorch zip")


def folder_of_pickle(archive: Archive) -> str:
    """The folder that all entries of the archive lie in.

    Raises:
        Malformed: no folder holds a pickle, or more than one does.
    """
    folders = [
        folder
        for folder, _, file in (name.partition("/") for name in archive.entries)
        if file == "data.pkl"
    ]
    if len(folders) != 1:
        found = "more than one" if folders else "no"
        raise Malformed(f"it is a zip archive with {found} data.pkl, so not one of torch.save")
    first = next(iter(archive.entries)).partition("/")[0]
    if first != folders[0]:  # PyTorch looks where the first entry is
        raise Malformed(f"{AMBIGUOUS}its first entry is not in the folder of its data.pkl")
    return folders[0]


# --- old files ---

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
