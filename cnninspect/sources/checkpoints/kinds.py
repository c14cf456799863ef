"""Tells from its content what kind of file it is, at the cost of a few small reads."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cnninspect.errors import FileMissing, FileUnreadable
from cnninspect.sources.checkpoints.malformed import Malformed
from cnninspect.sources.checkpoints.safetensors_header import MAX_HEADER
from cnninspect.sources.checkpoints.zip_archive import Archive

LEGACY_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
MAX_IR_VERSION = 32
"""Of the ONNX format, which has reached 13."""


def kind_of(path: str | os.PathLike[str]) -> str:
    """What a file holds, whatever it is called.

    One of `torchscript`, `pt2`, `checkpoint`, `safetensors`, `sharded index`, `legacy pickle`,
    `onnx` and `unknown`.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is a folder, or may not be read.
    """
    with opened(path) as (stream, file_bytes):
        try:
            return kind_of_stream(stream, file_bytes)
        except Malformed:
            return "unknown"


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[IO[bytes], int]]:
    """A file that is open for reading, and its size.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is a folder or a device, or may not be read.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise FileUnreadable(path, "it is a folder", "name a file in it")
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            raise FileUnreadable(path, "it is not a regular file")
        with Path(path).open("rb") as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except (FileNotFoundError, NotADirectoryError):
        raise FileMissing(path) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise FileUnreadable(path, problem or type(error).__name__) from error


def kind_of_stream(stream: IO[bytes], file_bytes: int) -> str:
    """The same for an open file, which is at its begin afterwards.

    Raises:
        Malformed: it is a zip archive that cannot be read.
    """
    stream.seek(0)
    head = stream.read(512)
    kind = kind_of_head(head)
    if kind == "zip":
        kind = kind_of_entries(Archive(stream, file_bytes).entries)
    stream.seek(0)
    return kind


def kind_of_head(head: bytes) -> str:
    """The kind by the first bytes; `zip` for every zip archive."""
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head[:1] == b"\x80" and LEGACY_MAGIC in head[:40]:
        return "legacy pickle"
    if head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= MAX_HEADER:
        return "safetensors"
    if head.lstrip()[:1] == b"{" and b'"weight_map"' in head:
        return "sharded index"
    # A ModelProto begins with its field 1, a small number; the next is one of its fields 2 to 8.
    if len(head) > 2 and head[0] == 0x08 and 0 < head[1] <= MAX_IR_VERSION:
        return "onnx" if head[2] in (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42) else "unknown"
    return "unknown"


def kind_of_entries(names: Iterable[str]) -> str:
    """The kind of a zip archive by the names of its entries."""
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "data.pkl" in inner:
        return "checkpoint"
    programs = [name for name in inner if name.startswith("models/") and name.endswith(".json")]
    if programs or "serialized_exported_program.json" in names:
        return "pt2"
    return "unknown"
