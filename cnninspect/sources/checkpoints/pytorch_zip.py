"""What `torch.save` writes since PyTorch 1.6: a zip archive with a pickle and an entry per storage.

    NAME/data.pkl       the object, each storage by its key
    NAME/data/KEY       the bytes of a storage
    NAME/version, NAME/byteorder, …

Source: `torch/serialization.py` and `caffe2/serialize/inline_container.h` of PyTorch.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import IO

from cnninspect.records.checkpoint import Checkpoint
from cnninspect.sources.checkpoints.malformed import Malformed
from cnninspect.sources.checkpoints.pickle_opcodes import interpret
from cnninspect.sources.checkpoints.tables import tabulate
from cnninspect.sources.checkpoints.zip_archive import AMBIGUOUS, Archive

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
