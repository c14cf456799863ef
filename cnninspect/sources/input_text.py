"""Inputs as people write them: shapes, values, and files of values.

`3x224x224`, `8x3x224x224` and `tokens:int64:1x128` are shapes; `sr=16000`, `sizes=[[4,4]]` and
`lengths:int64=[5,3]` are values, of which a dtype makes a tensor; `x=@x.npy`, `x=@batch.npz` and
`@batch.npz` are tensors in files of NumPy, the last one all that are in it, by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Union

from cnninspect.errors import BadInput
from cnninspect.records.models import FORMATS, GivenValue, InputRequest, TensorValues
from cnninspect.sources.literals import literal

Typed = Union[InputRequest, GivenValue]
"""What one `--input` asks for."""
HINT = "write 3x224x224, tokens:int64:1x128, sr=16000, lengths:int64=[5,3] or x=@file.npy"

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
    from cnninspect.sources.input_files import read_values

    name, dtype = _labels((found["label"] or "").split(":"))
    for key, values in read_values(typed[1:], name, dtype):
        yield InputRequest(values.shape, dtype=values.dtype, name=key or None, values=values)


def _shape(text: str) -> InputRequest:
    *labels, shape = text.split(":")
    if not _SHAPE.fullmatch(shape.strip()):
        raise BadInput(text, "it is not a shape", HINT)
    sizes = tuple(int(size) for size in re.split("[x×]", shape.strip()))
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
