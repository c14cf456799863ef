"""A zip archive by its directory: sizes of all entries, the bytes of small ones only.

The directory at the end of the file says all that is needed, so a file of many gigabytes takes
milliseconds.  What it claims is checked against the file before it is believed.

Python's reader and PyTorch's do not agree on archives that are put together oddly: which end record
counts, where the directory lies, whether `DATA.PKL` is `data.pkl`.  What two readers could read
differently is refused, so that what is shown is what would be loaded.
Source: PKWARE's APPNOTE.TXT, sections 4.3.7 to 4.3.16; `zipfile` of Python; `miniz.c` in PyTorch.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from cnninspect.files import Malformed, excerpt

MAX_DIRECTORY = 32 << 20
"""Bytes of the directory: a good 200,000 entries."""
AMBIGUOUS = "two readers could read it differently: "
PLAIN_END, PLAIN_END_64 = 22, 56
"""Bytes of the records at the end, without comments or extensions."""
UNICODE_PATH = 0x7075
"""Extra field that gives an entry another name, which not every reader looks at."""
DEFLATE_RATIO = 1032
"""Deflate cannot make data smaller than this many times."""
MOST_UNPACKED = 1 << 30
"""Bytes that the packed entries of an archive may have together; torch.save packs none."""
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
SMALL_LETTERS = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
END, LOCATOR_64, END_64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"


class Archive:
    """The entries of an open zip file."""

    def __init__(self, stream: IO[bytes], file_bytes: int) -> None:
        """Reads the directory.

        Raises:
            Malformed: it is not a zip archive, or one that is made to do harm.
        """
        end = end_of(stream, file_bytes)
        if end.size > MAX_DIRECTORY:
            raise Malformed(f"its directory takes {end.size:,} bytes")
        try:
            self._zip = zipfile.ZipFile(stream)
        except UNREADABLE as error:
            raise Malformed(f"its directory is broken: {excerpt(error)}") from error
        found = self._zip.infolist()
        if len(found) != end.entries:
            raise Malformed(
                f"{AMBIGUOUS}its directory lists {len(found):,} entries and counts {end.entries:,}"
            )
        self.entries: Mapping[str, zipfile.ZipInfo] = entries_by_name(found)
        check_extents(self.entries, end.offset)

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


@dataclass(frozen=True, slots=True)
class End:
    """What the records at the end of an archive say of its directory."""

    entries: int
    size: int
    """Bytes that it takes."""
    offset: int
    """Bytes before it."""


def end_of(stream: IO[bytes], file_bytes: int) -> End:
    """What is said of the directory, where every reader finds the same.

    Raises:
        Malformed: there is no end record, or readers could take another for it.
    """
    tail_bytes = min(file_bytes, PLAIN_END + 0xFFFF)
    stream.seek(file_bytes - tail_bytes)
    tail = stream.read(tail_bytes)
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < PLAIN_END:
        raise Malformed("its end is missing", "it was cut off: fetch or save it again")
    if len(tail) - at != PLAIN_END or tail[-2:] != b"\0\0":
        raise Malformed(f"{AMBIGUOUS}something follows its end record")
    fields = struct.unpack_from("<4H2I", tail, at + 4)
    position = file_bytes - PLAIN_END
    end = End(fields[3], fields[4], fields[5])
    if tail[max(at - 20, 0) : at][:4] == LOCATOR_64:
        position -= 20 + PLAIN_END_64  # the longer record lies right before
        end = _longer_end(stream, tail[at - 20 : at], position, fields)
    elif 0xFFFF in fields[:4] or 0xFFFFFFFF in fields[4:]:
        raise Malformed(f"{AMBIGUOUS}its end record refers to a longer one that is missing")
    elif fields[0] or fields[1] or fields[2] != fields[3]:
        raise Malformed("it is a part of an archive in several files")
    if end.size <= MAX_DIRECTORY and end.offset + end.size != position:
        raise Malformed(f"{AMBIGUOUS}its directory is not where its end record says")
    return end


def _longer_end(stream: IO[bytes], locator: bytes, position: int, fields: tuple[int, ...]) -> End:
    """What the record for long archives says, if it is the only one and agrees with the short one.

    Raises:
        Malformed: readers could take another for it, or the short one for the truth.
    """
    disk, said, disks = struct.unpack_from("<IQI", locator, 4)
    stream.seek(max(position, 0))
    record = stream.read(PLAIN_END_64)
    if record[:4] != END_64 or len(record) < PLAIN_END_64:
        raise Malformed("its directory is broken")
    if said != position or disk or disks not in (0, 1):
        raise Malformed(f"{AMBIGUOUS}it has more than one long end record")
    length, _, _, this, first, here, entries, size, offset = struct.unpack_from(
        "<Q2H2I4Q", record, 4
    )
    if length != PLAIN_END_64 - 12 or this or first or here != entries:
        raise Malformed(f"{AMBIGUOUS}its long end record is not a plain one")
    short = zip(fields, (0, 0, entries, entries, size, offset), (0xFFFF,) * 4 + (0xFFFFFFFF,) * 2)
    if any(given not in (meant, most) for given, meant, most in short):
        raise Malformed(f"{AMBIGUOUS}its two end records do not agree")
    return End(entries, size, offset)


def entries_by_name(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The entries, each name once and none that would leave the folder it is unpacked in."""
    by_name: dict[str, zipfile.ZipInfo] = {}
    alike: set[str] = set()
    for entry in entries:
        name = entry.orig_filename
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or not parts[0] or "\0" in name or ":" in parts[0]:
            raise Malformed(f"its entry {excerpt(repr(name))} would be unpacked somewhere else")
        same = entry.filename.translate(SMALL_LETTERS)  # PyTorch's reader looks past their case
        if same in alike:
            raise Malformed(f"{AMBIGUOUS}it has two entries {excerpt(repr(name))}")
        if UNICODE_PATH in extra_fields(entry.extra):
            raise Malformed(f"{AMBIGUOUS}its entry {excerpt(repr(name))} has a second name")
        alike.add(same)
        by_name[entry.filename] = entry
    return by_name


def extra_fields(extra: bytes) -> Iterator[int]:
    """The numbers of what an entry has beside the usual."""
    at = 0
    while at + 4 <= len(extra):
        number, length = struct.unpack_from("<2H", extra, at)
        yield number
        at += 4 + length


def check_extents(entries: Mapping[str, zipfile.ZipInfo], end: int) -> None:
    """Raises Malformed where entries overlap, reach beyond `end` or claim impossible sizes."""
    end_of_last = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.header_offset):
        shown = excerpt(repr(entry.filename))
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Malformed(f"its entry {shown} is compressed in an unusual way")
        if entry.header_offset < end_of_last:
            raise Malformed(f"its entry {shown} overlaps another")
        end_of_last = entry.header_offset + 30 + entry.compress_size
        if end_of_last > end:
            raise Malformed(
                f"its entry {shown} lies beyond the end of the file",
                "it was cut off: fetch it again",
            )
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
            raise Malformed(
                f"{AMBIGUOUS}its entry {shown} claims {entry.file_size:,} bytes and has"
                f" {entry.compress_size:,}"
            )
        if entry.file_size > entry.compress_size * DEFLATE_RATIO:
            raise Malformed(f"its entry {shown} claims {entry.file_size:,} bytes, which cannot be")
    packed = [entry for entry in entries.values() if entry.compress_type != zipfile.ZIP_STORED]
    unpacked = sum(entry.file_size for entry in packed)
    if unpacked > MOST_UNPACKED:
        raise Malformed(f"its packed entries unpack to {unpacked:,} bytes", "torch.save packs none")
