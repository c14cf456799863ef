"""From the name of a file to the table of the tensors in it: what kind it is, and its reader.

The kind is told from the content, at the cost of a few small reads.
"""

from __future__ import annotations

import os
import struct
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO

from cnninspect.checkpoints.gguf_header import read_gguf
from cnninspect.checkpoints.litert_table import IDENTIFIER, read_litert
from cnninspect.checkpoints.safetensors_files import (
    MAX_HEADER,
    read_safetensors,
    read_sharded_index,
)
from cnninspect.checkpoints.torch_files import read_pytorch_legacy, read_pytorch_zip
from cnninspect.checkpoints.zip_archive import Archive
from cnninspect.errors import FileUnreadable
from cnninspect.files import Malformed, opened
from cnninspect.records.checkpoint import Checkpoint

LEGACY_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
TAR = (
    "it begins as an archive of tar, as PyTorch before 0.1.10 wrote it, and two readers could read"
    " it differently"
)
MAX_IR_VERSION = 32
"""Of the ONNX format, which has reached 13."""


def kind_of(path: str | os.PathLike[str]) -> str:
    """What a file holds, whatever it is called.

    One of `torchscript`, `pt2`, `checkpoint`, `safetensors`, `sharded index`, `legacy pickle`,
    `gguf`, `litert`, `onnx` and `unknown`.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is a folder, or may not be read.
    """
    with opened(path) as (stream, file_bytes):
        try:
            return kind_of_stream(stream, file_bytes)
        except Malformed:
            return "unknown"


def kind_of_stream(stream: IO[bytes], file_bytes: int) -> str:
    """The same for an open file, which is at its begin afterwards.

    Raises:
        Malformed: it is a zip archive that cannot be read, or an archive of tar.
    """
    stream.seek(0)
    head = stream.read(tarfile.BLOCKSIZE)
    if is_tar(head):
        raise Malformed(TAR, "save it anew with torch.save")
    kind = kind_of_head(head)
    if kind == "zip":
        kind = kind_of_entries(Archive(stream, file_bytes).entries)
    stream.seek(0)
    return kind


def is_tar(head: bytes) -> bool:
    """Whether a file begins as an archive of tar does, by the checksum of its first entry.

    PyTorch tries that first, whatever else the file may be: such an archive can hold other pickles
    than those that a reader of its other format finds.
    """
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):  # ValueError: a number that is none
        return False
    return True


def kind_of_head(head: bytes) -> str:
    """The kind by the first bytes; `zip` for every zip archive."""
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head[:1] == b"\x80" and LEGACY_MAGIC in head[:40]:
        return "legacy pickle"
    if head.startswith(b"GGUF"):
        return "gguf"
    if head[4:8] == IDENTIFIER:
        return "litert"
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
    inner = {name.partition("/")[2].lower() for name in names}  # as PyTorch's reader, past case
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        return "torchscript"
    if "data.pkl" in inner:
        return "checkpoint"
    programs = [name for name in inner if name.startswith("models/") and name.endswith(".json")]
    if programs or "serialized_exported_program.json" in names:
        return "pt2"
    return "unknown"


# --- the table ---

READERS: dict[str, Callable[[IO[bytes], int], Checkpoint]] = {
    "checkpoint": read_pytorch_zip,
    "gguf": read_gguf,
    "litert": read_litert,
    "legacy pickle": read_pytorch_legacy,
    "safetensors": read_safetensors,
}
"""Reader by kind."""

PROGRAMS = {
    "torchscript": ("a TorchScript program", ".pt"),
    "pt2": ("a program of torch.export", ".pt2"),
    "onnx": ("an ONNX graph", ".onnx"),
}
"""Kinds that hold a graph, and the names under which other sources read them."""

MISTAKEN = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "git lfs pull"),
    (b"<", "a web page or XML, perhaps a failed download", "fetch the file again"),
    (b"\x89HDF", "HDF5, as Keras writes it", ""),
    (b"\x80", "a pickle, but not one of torch.save", "save it with torch.save"),
    (b"PK", "a zip archive, but not one of torch.save", ""),
)
"""First bytes of files that are often taken for checkpoints."""
HINT = "a checkpoint is a file of torch.save or of safetensors"


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """The table of a checkpoint; nothing in the file is unpickled, run or loaded.

    Takes files of safetensors and of torch.save, and the index of a checkpoint in several files.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is not a checkpoint, or it is damaged.
    """
    with opened(path) as (stream, file_bytes):
        try:
            checkpoint = _read(stream, file_bytes, Path(path))
        except Malformed as error:
            raise FileUnreadable(path, error.problem, error.hint or HINT) from error
    return replace(
        checkpoint, reference=os.fspath(path), file_bytes=checkpoint.file_bytes or file_bytes
    )


def _read(stream: IO[bytes], file_bytes: int, path: Path) -> Checkpoint:
    if not file_bytes:
        raise Malformed("it is empty")
    kind = kind_of_stream(stream, file_bytes)
    if kind in READERS:
        return READERS[kind](stream, file_bytes)
    if kind == "sharded index":
        return read_sharded_index(stream, path.parent, _read_shard)
    if kind in PROGRAMS:
        what, suffix = PROGRAMS[kind]
        raise Malformed(
            f"it is {what}, not a checkpoint",
            f"a file of weights is only read as one; if you trust it, give it a name in {suffix}",
        )
    head = stream.read(64).lstrip()
    for begin, what, hint in MISTAKEN:
        if head.startswith(begin):
            raise Malformed(f"it is {what}", hint)
    raise Malformed("it is neither safetensors nor a file of torch.save")


def _read_shard(path: Path) -> Checkpoint:
    if kind_of(path) == "sharded index":  # it might name itself
        raise FileUnreadable(path, "an index names it as a file of tensors, and it is an index")
    return read_checkpoint(path)
