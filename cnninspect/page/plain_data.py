"""Reports as data for other programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

from cnninspect.page.escaping import csv_text, json_text

Field = Union[None, bool, int, float, str, Sequence[int], Sequence[Sequence[int]]]
"""What a CSV field may hold; text is escaped, shapes are written `1x64x56x56`."""

NUMBERS = re.compile(r"\[\n\s*([-+.\deE,\s]+?)\n\s*\]")
"""A list of numbers, one to a line: a shape, which is easier to read on one line."""


def write_json(data: Mapping[str, Any]) -> str:
    """Indented JSON that every parser takes: what is not a number is a string, as in `"NaN"`."""
    encoded = json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False)
    # Line breaks occur between values only, so this leaves strings alone.
    encoded = NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", encoded)
    return json_text(encoded) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def write_csv(header: Sequence[str], rows: Iterable[Sequence[Field]]) -> str:
    """Comma-separated values with a header line; numbers raw, nothing for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue()


def _field(value: Field) -> object:
    if isinstance(value, str):
        return csv_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence):
        return _shape(value)
    return value


def _shape(value: Sequence[Any]) -> str:
    """`1x64x56x56`; several shapes with a space between."""
    if value and isinstance(value[0], Sequence):
        return " ".join(_shape(shape) or "scalar" for shape in value)
    return "x".join(map(str, value))
