"""Files that are made under a folder of their own, and put into place once they are right."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnninspect.engine.onnx_write.exporting import DATA_SUFFIX
from cnninspect.errors import BadOption, FileExists, FileUnwritable
from cnninspect.files import NAME_KEPT, check_output, move_into_place

CHUNK = 1 << 20


def check_place(path: Path, *, force: bool) -> None:
    """Refuse early what could not be written in the end.

    Raises:
        FileExists: the file is there already and `force` is not set.
        FileUnwritable: its folder is missing, or it is a folder itself.
        BadOption: its name is not one of an ONNX file.
    """
    if path.suffix.lower() != ".onnx":
        raise BadOption("--output", path, "a file that ends in .onnx")
    check_output(path, force=force)


def data_beside(path: Path) -> Path:
    """Where weights go that are too large for the file itself."""
    return path.with_name(path.name + DATA_SUFFIX)


@contextmanager
def workshop(path: Path) -> Iterator[Path]:
    """A folder beside the file for making it, gone afterwards.

    Raises:
        FileUnwritable: the system does not let us.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:NAME_KEPT]}.", dir=path.parent))
    except OSError as problem:
        raise FileUnwritable(path, problem.strerror or str(problem)) from problem
    try:
        yield folder
    except OSError as problem:
        raise FileUnwritable(path, problem.strerror or str(problem)) from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_into_place(folder: Path, path: Path, *, force: bool) -> None:
    """Move the file, and its weights if they are beside it, out of the workshop.

    Raises:
        FileExists: a file has come there in the meantime, and `force` is not set.
    """
    check_place(path, force=force)
    data = data_beside(path)
    made = folder / data.name
    if made.exists():
        if data.exists() and not force:
            raise FileExists(data)
        move_into_place(made, data)
    move_into_place(folder / path.name, path)


def sha256_of(path: Path) -> str:
    """The file's checksum, read in pieces."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(CHUNK):
            total.update(piece)
    return total.hexdigest()
