"""Inputs as typed: shapes, dtypes, values, and values in files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Union

from cnninspect.errors import BadInput, did_you_mean
from cnninspect.files import read_arrays
from cnninspect.records.models import FORMATS, GivenValue, InputRequest, TensorValues
from cnninspect.sources.literals import literal

SUFFIXES = (".npy", ".npz")
MOST_BYTES = 2**30
"""Of one file, and of the arrays in it: they are held in memory."""


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
    arrays = read_arrays(place, most=MOST_BYTES)
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


Typed = Union[InputRequest, GivenValue]
"""What one `--input` asks for."""
HINT = "write 3x224x224, tokens:int64:1x128, sr=16000, lengths:int64=[5,3] or x=@file.npy"

LONGEST_SIZE = 19
"""Digits of the largest size, 2^63 - 1."""
_SHAPE = re.compile(r"-?\d+([x×]-?\d+)*")
_DTYPE = re.compile(r"[A-Za-z]+\d*\w*")
_VALUE = re.compile(r"(?P<label>[^=@]*)=(?P<value>.+)|(?P<file>@.+)", re.S)


def parse_inputs(typed: Sequence[str] | None) -> tuple[Typed, ...] | None:
    """What `--input` asks for; None where it was not given.

    Raises:
        BadInput: a shape or value cannot be read, or a size is below 1.
        FileMissing, FileUnreadable: a file of values cannot be read.
        MissingLibrary: NumPy, which reads such files, is not installed.
    """
    if not typed:
        return None
    return tuple(item for text in typed for item in _parse(text))


def _parse(text: str) -> Iterator[Typed]:
    found = _VALUE.fullmatch(text)
    if found is None:
        yield _shape(text)
        return
    typed = found["file"] or found["value"].strip()
    if not typed.startswith("@"):
        yield _value(text, found["label"], typed)
        return

    name, dtype = _labels((found["label"] or "").split(":"))
    for key, values in read_values(typed[1:], name, dtype):
        yield InputRequest(values.shape, dtype=values.dtype, name=key or None, values=values)


def _shape(text: str) -> InputRequest:
    *labels, shape = text.split(":")
    if not _SHAPE.fullmatch(shape.strip()):
        raise BadInput(text, "it is not a shape", HINT)
    written = re.split("[x×]", shape.strip())
    if max(map(len, written)) > LONGEST_SIZE:
        raise BadInput(text, "no tensor of PyTorch can be as large as that", HINT)
    sizes = tuple(map(int, written))
    if min(sizes) < 1:
        raise BadInput(text, f"a size of {min(sizes)} is not possible", "every size is 1 or more")
    name, dtype = _labels(labels)
    return InputRequest(sizes, dtype=dtype, name=name, batched=None)


def _labels(labels: Sequence[str]) -> tuple[str | None, str | None]:
    """Name and dtype; what follows a colon and begins with a digit is of the name, as in `x:0`."""
    *before, last = labels or ("",)
    if before and (not last.strip() or _DTYPE.fullmatch(last.strip())):
        return ":".join(before).strip() or None, last.strip() or None
    return ":".join(labels).strip() or None, None


def _value(text: str, label: str, typed: str) -> Typed:
    name, dtype = _labels(label.split(":"))
    if name is None and dtype is None:
        raise BadInput(text, "it has no name before the =", HINT)
    value = literal(typed)
    if dtype is None:
        return GivenValue(value, name)
    if dtype not in FORMATS:
        raise BadInput(text, f"there are no values of the dtype {dtype}", ", ".join(FORMATS))
    numbers, shape = _flat(text, value)
    try:
        values = TensorValues.of(numbers, shape, dtype)
    except ValueError as problem:
        raise BadInput(text, f"it is no tensor of {dtype}: {problem}", HINT) from None
    return InputRequest(shape, dtype=dtype, name=name, values=values)


def _flat(text: str, value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The numbers in a nested list, and its shape."""
    if not isinstance(value, (list, tuple)):
        if not isinstance(value, (int, float)):
            raise BadInput(text, f"{value!r} is no number", HINT)
        return [value], ()
    parts = [_flat(text, item) for item in value]
    if len({shape for _, shape in parts}) > 1:
        raise BadInput(text, "its rows are not of one length", HINT)
    inner = parts[0][1] if parts else ()
    return [number for numbers, _ in parts for number in numbers], (len(parts), *inner)
