"""What `torch.save` writes since PyTorch 1.6: a zip archive with a pickle and an entry per storage.

    NAME/data.pkl       the object, each storage by its key
    NAME/data/KEY       the bytes of a storage
    NAME/version, NAME/byteorder, …

Source: `torch/serialization.py` and `caffe2/serialize/inline_container.h` of PyTorch.
"""

from __future__ import annotations

import io
from typing import IO

from cnninspect.records.checkpoint import Checkpoint
from cnninspect.sources.checkpoints.malformed import Malformed
from cnninspect.sources.checkpoints.pickle_opcodes import interpret
from cnninspect.sources.checkpoints.tables import tabulate
from cnninspect.sources.checkpoints.zip_archive import Archive

MAX_PICKLE = 64 << 20
"""Bytes of the pickle: that of a large language model takes less than one million."""


def read_pytorch_zip(stream: IO[bytes], file_bytes: int) -> Checkpoint:
    """The table of such an archive.

    Raises:
        Malformed: it is not one.
    """
    archive = Archive(stream, file_bytes)
    folder = folder_of_pickle(archive)
    pickled = interpret(io.BytesIO(archive.read(f"{folder}/data.pkl", MAX_PICKLE)))

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
    return folders[0]
