"""Files that others name: read only where they are files, written without destroying anything.

Reading never waits: a pipe or a device is refused before it is opened, and what is taken into
memory whole has a bound.  Writing goes by another name and is moved into place, so that a file is
either whole or not there; a link stays a link, a device stays a device, and a file keeps its mode.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Union

from cnninspect.errors import (
    FileExists,
    FileMissing,
    FileUnreadable,
    FileUnwritable,
    MissingLibrary,
    first_line,
)

Name = Union[str, "os.PathLike[str]"]

MOST_TEXT = 64 << 20
"""Bytes of a file of settings; the largest lock file of a real network takes a few million."""
MOST_TOML = 4 << 20
"""Characters of a file of TOML; budgets, defaults and spaces have some thousands."""
MOST_PARTS = 64
LONG_KEY = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{MOST_PARTS}}}"""
)
"""A dotted key of so many parts and one more."""
ABSENT = (errno.ENOENT, errno.ENOTDIR)
"""What the system says of a name that nothing has."""
CHECK = "check the path"
MOST_ARRAYS = 10_000
"""In one file of NumPy."""
CHUNK = 1 << 20
NUMPY = b"\x93NUMPY"
"""How a file of `numpy.save` begins."""
NAME_KEPT = 32
"""Characters of a file's name in that of its forerunner, so that this is not too long."""


class Malformed(Exception):
    """The content of a file is not what it should be; who knows the file's name adds it."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


def excerpt(text: object, limit: int = 80) -> str:
    """A name or message out of a file, cut to a length that fits a sentence."""
    shown = str(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


# --- reading ---


def exists(path: Name) -> bool:
    """Whether there is a file or folder of that name that may be looked at.

    Raises:
        FileUnreadable: that cannot be told: the name is too long, or in a folder that is closed.
    """
    try:
        os.stat(path)
    except (OSError, ValueError) as problem:
        if isinstance(problem, OSError) and problem.errno in ABSENT:
            return False
        raise FileUnreadable(path, reason_of(problem), CHECK) from problem
    return True


def is_folder(path: Name) -> bool:
    """Whether there is a folder of that name.

    Raises:
        FileUnreadable: that cannot be told.
    """
    return exists(path) and stat.S_ISDIR(os.stat(path).st_mode)


@contextmanager
def opened(path: Name) -> Iterator[tuple[IO[bytes], int]]:
    """A file that is open for reading, and its size.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is a folder, a pipe or a device, or may not be read.
    """
    try:
        require_regular(path, os.stat(path).st_mode)
        # Without waiting, lest a pipe took its place just now.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        stream = open(os.open(path, flags), "rb")  # noqa: SIM115
    except (OSError, ValueError) as problem:  # ValueError: a path with a null character
        if isinstance(problem, OSError) and problem.errno in ABSENT:
            raise FileMissing(path) from None
        raise FileUnreadable(path, reason_of(problem), CHECK) from problem
    with stream:
        try:
            status = os.fstat(stream.fileno())
            require_regular(path, status.st_mode)
            yield stream, status.st_size
        except OSError as problem:
            raise FileUnreadable(path, reason_of(problem), CHECK) from problem


def require_regular(path: Name, mode: int) -> None:
    """Raises FileUnreadable for what is no file: a folder, a pipe, a device."""
    if stat.S_ISDIR(mode):
        raise FileUnreadable(path, "it is a folder", "name a file in it")
    if not stat.S_ISREG(mode):
        raise FileUnreadable(path, "it is not a regular file", CHECK)


def read_text(path: Name, *, most: int = MOST_TEXT) -> str:
    """The text of a file in UTF-8.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is no file, too large, or not such text.
    """
    with opened(path) as (stream, _):
        content = stream.read(most + 1)
    if len(content) > most:
        raise FileUnreadable(path, f"it has more than the {most:,} bytes that it could need")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise FileUnreadable(path, "it is not text in UTF-8") from problem


def parse_toml(text: str) -> dict[str, Any]:
    """What a text of TOML says.

    Raises:
        ValueError: it is not TOML, nested too deep, or would take too long to read.
    """
    if len(text) > MOST_TOML:
        raise ValueError(f"it has more than {MOST_TOML:,} characters")
    if LONG_KEY.search(text):  # the parser takes time that grows with the square of the parts
        raise ValueError(f"a key has more than {MOST_PARTS} parts")
    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except RecursionError as problem:
        raise ValueError("it is nested too deep") from problem
    return found


def read_arrays(path: Name, *, most: int) -> dict[str, Any]:
    """The arrays in a file of NumPy by name; `""` is the one of a `.npy`.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is no file, none of NumPy, larger than `most` bytes, also once it is
            unpacked, or holds other things than numbers.
        MissingLibrary: NumPy is not installed.
    """
    try:
        numpy = import_module("numpy")
    except ImportError as problem:
        raise MissingLibrary("numpy", "vision", f"the file of values {path}") from problem
    with opened(path) as (stream, size):
        if size > most:
            raise FileUnreadable(path, f"it is larger than {most:,} bytes")
        head = stream.read(len(NUMPY))
        stream.seek(0)
        if head != NUMPY and head[:4] != b"PK\x03\x04":
            hint = "values come from .npy and .npz, as numpy.save writes them"
            raise FileUnreadable(path, "it is no file of NumPy", hint)
        try:
            if head == NUMPY:
                return {"": numpy.load(stream, allow_pickle=False)}
            with numpy.load(stream, allow_pickle=False) as archive:
                unpacked = _unpacked_bytes(archive.zip.infolist())
                if unpacked <= most:
                    found = {name: archive[name] for name in archive.files}
                    arrays = (item for item in found.items() if isinstance(item[1], numpy.ndarray))
                    return dict(arrays)  # other entries are given as bytes
        except Exception as problem:  # whatever NumPy and zipfile raise for a damaged file
            raise FileUnreadable(
                path, first_line(problem), "it must hold plain numbers"
            ) from problem
    raise FileUnreadable(path, f"it unpacks to {unpacked:,} bytes, and {most:,} are taken")


def _unpacked_bytes(entries: Sequence[Any]) -> int:
    if len(entries) > MOST_ARRAYS:
        raise ValueError(f"it has {len(entries):,} entries")
    return sum(entry.file_size for entry in entries)


def reason_of(problem: Exception) -> str:
    """What the system says, in its own words."""
    said = problem.strerror if isinstance(problem, OSError) else str(problem)
    return said or type(problem).__name__


# --- writing ---


def check_output(path: Path | None, *, force: bool) -> None:
    """Refuse early what could not be written in the end.

    Raises:
        FileExists: something has that name already and `force` is not set; a link has it even
            where it leads nowhere.
        FileUnwritable: its folder is missing, or it is a folder itself.
    """
    if path is None:
        return
    try:
        there = os.path.lexists(path)
        target = target_of(path)
        if target.is_dir():
            raise FileUnwritable(path, "it is a folder")
        if not target.parent.is_dir():
            raise FileUnwritable(path, "its folder does not exist")
        os.lstat(target.parent / ".")  # may it be entered?
        with suppress(FileNotFoundError):
            os.lstat(target)
    except (OSError, ValueError, RuntimeError) as problem:
        raise FileUnwritable(path, reason_of(problem)) from problem
    if there and not force:
        raise FileExists(path)


def target_of(path: Path) -> Path:
    """Where the bytes of a file go: the end of its links, or the path itself.

    Raises:
        OSError: its links go round in a circle.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def write_whole(path: Path, content: str | bytes, *, force: bool) -> None:
    """Write a file under another name and move it into place.

    Raises:
        FileExists: the file is there already and `force` is not set.
        FileUnwritable: the system does not let us.
    """
    check_output(path, force=force)
    try:
        data = content.encode() if isinstance(content, str) else content
        target = target_of(path)
        if is_special(target):
            with written_through(target) as stream:
                stream.write(data)
            return
        descriptor, name = tempfile.mkstemp(
            prefix=f".{target.name[:NAME_KEPT]}.", dir=target.parent
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            move_into_place(Path(name), path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
    except (OSError, ValueError) as problem:
        raise FileUnwritable(path, reason_of(problem)) from problem


def move_into_place(made: Path, path: Path) -> None:
    """Move a file that is whole to where it belongs, with the mode of what it replaces.

    It has to lie in the same file system.  Where a link leads, the link stays; a pipe or device
    gets the bytes.

    Raises:
        OSError: the system does not let us.
    """
    target = target_of(path)
    if is_special(target):
        with made.open("rb") as source, written_through(target) as stream:
            shutil.copyfileobj(source, stream, CHUNK)
        return
    like_what_is_there(made, target)
    os.replace(made, target)


def is_special(path: Path) -> bool:
    """Whether something has this name that is neither a file nor a folder: a pipe, a device."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def written_through(path: Path) -> Iterator[IO[bytes]]:
    """A pipe or device that is open for writing; one that nobody reads is refused, not waited for.

    Raises:
        OSError: the system does not let us.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as problem:
        if problem.errno == errno.ENXIO:
            raise OSError(problem.errno, "nobody reads from it") from problem
        raise
    os.set_blocking(descriptor, True)
    with open(descriptor, "wb") as stream:
        yield stream


def like_what_is_there(made: Path, target: Path) -> None:
    """Give a new file the mode of the one that it replaces, and its owner where we may."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(made, 0o666 & ~mask)
        return
    if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.chown(made, status.st_uid, status.st_gid)
    os.chmod(made, stat.S_IMODE(status.st_mode) & 0o777)
