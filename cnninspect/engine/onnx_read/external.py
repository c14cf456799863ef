"""Weights that lie in other files beside an ONNX file: looked at, never loaded.

Where they lie is written in the file, which anybody may have written, so that no path may leave the
folder.  Source: onnx/docs/ExternalData.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from cnninspect.errors import FileUnreadable

MISSING = "it must lie beside the .onnx file: whoever exported the model has two files"


class Neighbours:
    """The files beside an ONNX file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent.resolve()
        self._sizes: dict[str, int] = {}
        """Bytes of each file that was asked for."""

    def check(self, name: str, entries: Mapping[str, str], needed: int) -> None:
        """See that a tensor of `needed` bytes is where its entries say.

        Raises:
            FileUnreadable: the file is missing, elsewhere or too short, or an entry cannot be read.
        """
        location = entries.get("location", "")
        size = self._size(name, location)
        offset = self._number(name, entries, "offset", 0)
        length = self._number(name, entries, "length", needed)
        if length != needed:
            self._fail(f"the tensor {name!r} needs {needed:,} bytes and has {length:,}")
        if offset + length > size:
            self._fail(
                f"the tensor {name!r} ends at byte {offset + length:,} of {location}, "
                f"which has {size:,}"
            )

    def read(self, entries: Mapping[str, str], needed: int) -> bytes:
        """The bytes of a tensor that was checked."""
        with open(self.folder / entries["location"], "rb") as file:
            file.seek(int(entries.get("offset", "0")))
            return file.read(needed)

    def _size(self, name: str, location: str) -> int:
        if location in self._sizes:
            return self._sizes[location]
        is_absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor
        steps = PureWindowsPath(location).parts  # takes both kinds of slashes
        if not location or "\0" in location or is_absolute or ".." in steps:
            self._fail(f"the values of {name!r} lie outside its folder, in {location!r}")
        file = self.folder / location
        try:
            found = file.resolve(strict=True)
            if not found.is_relative_to(self.folder):
                self._fail(f"{location} beside it is a link that leaves its folder")
            if not found.is_file():
                self._fail(f"{location} beside it is no file")
            self._sizes[location] = os.stat(found).st_size
        except FileNotFoundError as problem:
            raise FileUnreadable(
                self.path, f"its weights are in {location}, which is missing", MISSING
            ) from problem
        except (OSError, RuntimeError) as problem:  # a loop of links, a name too long
            raise FileUnreadable(
                self.path, f"its weights are in {location}, which cannot be opened"
            ) from problem
        return self._sizes[location]

    def _number(self, name: str, entries: Mapping[str, str], key: str, default: int) -> int:
        text = entries.get(key, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            self._fail(f"the tensor {name!r} has the {key} {text[:40]!r}")
        return int(text)

    def _fail(self, problem: str) -> None:
        raise FileUnreadable(self.path, problem)
