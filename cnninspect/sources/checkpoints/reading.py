"""From the name of a file to the table of the tensors in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from cnninspect.errors import FileUnreadable
from cnninspect.files import opened
from cnninspect.records.checkpoint import Checkpoint
from cnninspect.sources.checkpoints.gguf_header import read_gguf
from cnninspect.sources.checkpoints.kinds import kind_of, kind_of_stream
from cnninspect.sources.checkpoints.malformed import Malformed
from cnninspect.sources.checkpoints.pytorch_legacy import read_pytorch_legacy
from cnninspect.sources.checkpoints.pytorch_zip import read_pytorch_zip
from cnninspect.sources.checkpoints.safetensors_header import read_safetensors
from cnninspect.sources.checkpoints.sharded_index import read_sharded_index

READERS: dict[str, Callable[[IO[bytes], int], Checkpoint]] = {
    "checkpoint": read_pytorch_zip,
    "gguf": read_gguf,
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
