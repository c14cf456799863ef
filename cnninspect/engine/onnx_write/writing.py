"""Files that are made under a folder of their own, and put into place once they are right."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnninspect.engine.onnx_write.exporting import DATA_SUFFIX
from cnninspect.errors import BadOption, FileExists, FileUnwritable
from cnninspect.files import NAME_KEPT, check_output, move_into_place, target_of

CHUNK = 1 << 20
LEAVINGS = ".cnninspect-export-"
"""What the names of unfinished files and folders begin with, before the number of the process."""


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
def workshop(path: Path, needed: int) -> Iterator[Path]:
    """A folder for making a file of some `needed` bytes, gone afterwards.

    It lies where the system keeps temporary files, or beside the target where there is more room.
    What earlier exports left there because they were killed is taken away first.

    Raises:
        FileUnwritable: the system does not let us.
    """
    try:
        place = _roomier(Path(tempfile.gettempdir()), path.parent, needed)
        for parent in (Path(tempfile.gettempdir()), path.parent):
            clear_leavings(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{LEAVINGS}{os.getpid()}-", dir=place))
    except OSError as problem:
        raise FileUnwritable(path, problem.strerror or str(problem)) from problem
    try:
        yield folder
    except OSError as problem:
        raise FileUnwritable(path, problem.strerror or str(problem)) from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _roomier(usual: Path, beside: Path, needed: int) -> Path:
    free = shutil.disk_usage(usual).free
    return usual if free >= needed or free >= shutil.disk_usage(beside).free else beside


def clear_leavings(parent: Path) -> None:
    """Take away what exports of this user left whose process has ended."""
    for entry in parent.glob(f"{LEAVINGS}*"):
        number = entry.name.removeprefix(LEAVINGS).partition("-")[0]
        if not number.isdigit() or is_running(int(number)):
            continue
        if hasattr(os, "getuid") and entry.lstat().st_uid != os.getuid():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether there is such a process; true where that cannot be told."""
    if os.name != "posix":  # where signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def put_into_place(folder: Path, path: Path, *, force: bool) -> None:
    """Move the file, and its weights if they are beside it, out of the workshop.

    Each is copied under a name that tells the process, then takes its own in one step; where a
    file was before, its mode stays, and a link to it stays a link.

    Raises:
        FileExists: a file has come there in the meantime, and `force` is not set.
    """
    check_place(path, force=force)
    data = data_beside(path)
    made = folder / data.name
    if made.exists() and data.exists() and not force:
        raise FileExists(data)
    ready: list[tuple[Path, Path]] = []
    try:
        for source, target in ((made, data), (folder / path.name, path)):
            if source.exists():
                parent = target_of(target).parent
                beside = (
                    parent / f"{LEAVINGS}{os.getpid()}-{target.name[:NAME_KEPT]}{target.suffix}"
                )
                ready.append((beside, target))
                shutil.move(source, beside)
        for beside, target in ready:
            move_into_place(beside, target)
    finally:
        for beside, _ in ready:
            beside.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The file's checksum, read in pieces."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(CHUNK):
            total.update(piece)
    return total.hexdigest()
