"""A zip archive by its directory: sizes of all entries, the bytes of small ones only.

The directory at the end of the file says all that is needed, so a file of many gigabytes takes
milliseconds.  What it claims is checked against the file before it is believed.
Source: PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO

from cnninspect.sources.checkpoints.malformed import Malformed, excerpt

MAX_DIRECTORY = 32 << 20
"""Bytes of the directory: a good 200,000 entries."""
MAX_COMMENT = 0xFFFF
DEFLATE_RATIO = 1032
"""Deflate cannot make data smaller than this many times."""
ENCRYPTED = 1
"""Bit of an entry's flags."""
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    OSError,
    EOFError,
    RuntimeError,  # packed in a way that Python does not know
)
END, LOCATOR_64, END_64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"


class Archive:
    """The entries of an open zip file."""

    def __init__(self, stream: IO[bytes], file_bytes: int) -> None:
        """Reads the directory.

        Raises:
            Malformed: it is not a zip archive, or one that is made to do harm.
        """
        size = directory_bytes(stream, file_bytes)
        if size > MAX_DIRECTORY:
            raise Malformed(f"its directory takes {size:,} bytes")
        try:
            self._zip = zipfile.ZipFile(stream)
        except UNREADABLE as error:
            raise Malformed(f"its directory is broken: {excerpt(error)}") from error
        self.entries: Mapping[str, zipfile.ZipInfo] = entries_by_name(self._zip.infolist())
        check_extents(self.entries, file_bytes)

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of one entry.

        Raises:
            Malformed: it is longer than `limit`, or does not have the length that it claims.
        """
        entry = self.entries[name]
        if entry.file_size > limit:
            raise Malformed(f"{excerpt(name)} takes {entry.file_size:,} bytes")
        if entry.flag_bits & ENCRYPTED:
            raise Malformed(f"{excerpt(name)} is encrypted")
        try:
            with self._zip.open(entry) as member:
                content = member.read(limit + 1)
        except UNREADABLE as error:
            raise Malformed(f"{excerpt(name)} is broken: {excerpt(error)}") from error
        if len(content) != entry.file_size:
            raise Malformed(f"{excerpt(name)} has not the length that the directory says")
        return content


def directory_bytes(stream: IO[bytes], file_bytes: int) -> int:
    """Size of the directory, as the record at the end of the file says."""
    tail_bytes = min(file_bytes, 22 + MAX_COMMENT)
    stream.seek(file_bytes - tail_bytes)
    tail = stream.read(tail_bytes)
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < 22:
        raise Malformed("its end is missing", "it was cut off: fetch or save it again")
    (size,) = struct.unpack_from("<I", tail, at + 12)
    if tail[max(at - 20, 0) : at][:4] != LOCATOR_64:
        return int(size)
    position = file_bytes - tail_bytes + at - 20 - 56  # the longer record lies right before
    stream.seek(max(position, 0))
    record = stream.read(56)
    if record[:4] != END_64:
        raise Malformed("its directory is broken")
    return int(struct.unpack_from("<Q", record, 40)[0])


def entries_by_name(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The entries, each name once and none that would leave the folder it is unpacked in."""
    by_name: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.orig_filename
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or not parts[0] or "\0" in name or ":" in parts[0]:
            raise Malformed(f"its entry {excerpt(repr(name))} would be unpacked somewhere else")
        if entry.filename in by_name:
            raise Malformed(f"it has two entries {excerpt(repr(name))}")
        by_name[entry.filename] = entry
    return by_name


def check_extents(entries: Mapping[str, zipfile.ZipInfo], file_bytes: int) -> None:
    """Raises Malformed where entries overlap, lie beyond the file or claim impossible sizes."""
    end_of_last = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.header_offset):
        shown = excerpt(repr(entry.filename))
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Malformed(f"its entry {shown} is compressed in an unusual way")
        if entry.header_offset < end_of_last:
            raise Malformed(f"its entry {shown} overlaps another")
        end_of_last = entry.header_offset + 30 + entry.compress_size
        if end_of_last > file_bytes:
            raise Malformed(
                f"its entry {shown} lies beyond the end of the file",
                "it was cut off: fetch it again",
            )
        most = 1 if entry.compress_type == zipfile.ZIP_STORED else DEFLATE_RATIO
        if entry.file_size > entry.compress_size * most:
            raise Malformed(f"its entry {shown} claims {entry.file_size:,} bytes, which cannot be")
