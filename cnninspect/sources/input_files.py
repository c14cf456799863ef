"""Values of inputs from files of NumPy: `.npy`, and `.npz` with an array for each input.

They are read without unpickling anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cnninspect.errors import BadInput, FileUnreadable, MissingLibrary, did_you_mean, first_line
from cnninspect.files import opened
from cnninspect.records.models import FORMATS, TensorValues

SUFFIXES = (".npy", ".npz")
MOST_BYTES = 2**30
"""Of one file, and of the arrays in it: they are held in memory."""
MAGIC = b"\x93NUMPY"


def read_values(
    typed: str, name: str | None, dtype: str | None
) -> Iterator[tuple[str | None, TensorValues]]:
    """The arrays that a file and a name ask for, with the names of the inputs.

    `batch.npz:x` is the array `x`; without that, it is the one called like the input, or the only
    one; where the input has no name, every array of the file is the input of its own name.  A
    dtype converts them.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it is none of NumPy.
        BadInput: it holds no array of that name, or one of a dtype that networks do not take.
        MissingLibrary: NumPy is not installed.
    """
    place, key = _place_and_key(typed)
    arrays = _arrays(place)
    if "" in arrays:  # .npy
        yield name, _values(place, arrays[""], dtype)
        return
    wanted = key or (name if name in arrays else None)
    if wanted is None and name is not None and len(arrays) == 1:
        (wanted,) = arrays
    if wanted is None and name is None:
        for found, array in arrays.items():
            yield found, _values(place, array, dtype)
        return
    if wanted not in arrays:
        asked, known = wanted or name or "", ", ".join(arrays)
        near = did_you_mean(asked, arrays)
        raise BadInput(f"@{typed}", f"it has no array {asked!r}", near or f"it has: {known}")
    yield name or wanted, _values(place, arrays[wanted], dtype)


def _place_and_key(typed: str) -> tuple[Path, str | None]:
    """The file, and the array in it after a colon."""
    before, colon, after = typed.rpartition(":")
    if colon and before.lower().endswith(SUFFIXES):
        return Path(before).expanduser(), after
    return Path(typed).expanduser(), None


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file by name; `""` is the one of a `.npy`."""
    try:
        import numpy as np
    except ImportError as problem:
        raise MissingLibrary("numpy", "vision", f"the file of values {path}") from problem
    with opened(path) as (stream, size):
        if size > MOST_BYTES:
            raise FileUnreadable(path, f"it is larger than {MOST_BYTES:,} bytes")
        head = stream.read(len(MAGIC))
        stream.seek(0)
        if head != MAGIC and head[:4] != b"PK\x03\x04":
            hint = f"values come from {' and '.join(SUFFIXES)}, as numpy.save writes them"
            raise FileUnreadable(path, "it is no file of NumPy", hint)
        try:
            if head == MAGIC:
                return {"": np.load(stream, allow_pickle=False)}
            with np.load(stream, allow_pickle=False) as archive:
                _check_size(entry.file_size for entry in archive.zip.infolist())
                return {name: archive[name] for name in archive.files}
        except Exception as problem:  # whatever NumPy and zipfile raise for a damaged file
            raise FileUnreadable(
                path, first_line(problem), "it must hold plain numbers"
            ) from problem


def _check_size(sizes: Iterable[int]) -> None:
    """See that an archive unpacks to no more than fits.

    Raises:
        ValueError: it does not.
    """
    if sum(sizes) > MOST_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")


def _values(path: Path, array: Any, dtype: str | None) -> TensorValues:
    kind = dtype or str(array.dtype.newbyteorder("=").name)
    if kind not in FORMATS or array.dtype.name not in FORMATS:
        raise BadInput(
            f"@{path}",
            f"it holds {array.dtype.name}, of which no input is made",
            f"the dtypes are {', '.join(FORMATS)}",
        )
    little = array.astype(array.dtype.type if dtype is None else dtype)
    little = little.astype(little.dtype.newbyteorder("<"))
    return TensorValues.of_bytes(little.tobytes(), tuple(array.shape), kind)
