"""Results of points as rows of plain data, as they are remembered, and all of them as columns.

A sweep may have a hundred thousand points: what is asked of all of them is asked of columns, and
an object is made of those alone that are told.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Union

from cnninspect.commands.sweep.space import Choice
from cnninspect.metrics.figures import Unmeasured
from cnninspect.metrics.summary import Totals
from cnninspect.store.tasks import Point

Result = Union[Point, Unmeasured]
Row = list[Any]
"""What is known of a point, `COLUMNS` after the counts of `TOTALS`; or, of one that could not be
measured, three texts: the error, the hint and its kind."""
FAILED = 3
"""How long such a row is."""
TOTALS = (
    "parameters", "trainable_parameters", "buffers", "parameter_bytes", "macs", "flops",
    "activations", "activation_bytes", "layers",
)  # fmt: skip
"""The counts that a row begins with."""
COLUMNS = (
    "depth", "fingerprint", "uncounted", "receptive_field", "memory", "least_time", "latency",
    "verdict", "gradient_orders",
)  # fmt: skip
"""What follows, by the names of `Point`."""


def row_of(result: Result) -> Row:
    """A result without its reference."""
    if isinstance(result, Unmeasured):
        return [result.error, result.hint, result.kind]
    totals = [getattr(result.totals, name) for name in TOTALS]
    return [totals, *(getattr(result, name) for name in COLUMNS)]


def result_of(row: Row, reference: str) -> Result:
    """The result that a row stands for."""
    if type(row[0]) is str:
        return Unmeasured(reference, *row)
    totals, depth, fingerprint, uncounted, *rest = row
    return Point(reference, Totals(*totals), depth, fingerprint, tuple(uncounted), *rest)


def written(result: Result) -> str:
    """A result without its reference, as a short line of JSON."""
    return json.dumps(row_of(result), separators=(",", ":"))


def read_rows(texts: Sequence[str]) -> list[Row | None]:
    """The row in each line, all read at once; None for one that is damaged."""
    found: list[Any] = []
    with suppress(ValueError, RecursionError):
        found = json.loads(f"[{','.join(texts)}]")
    if len(found) != len(texts):
        found = [_alone(text) for text in texts]
    return [row if _is_row(row) else None for row in found]


def _alone(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_row(row: Any) -> bool:
    """Whether it is what `row_of` makes: another program may have put anything there."""
    if type(row) is not list or not row:
        return False
    totals = row[0]
    if type(totals) is list:
        return (
            len(row) == 1 + len(COLUMNS)
            and len(totals) == len(TOTALS)
            and {*map(type, totals)} == {int}
            and type(row[1]) is int
            and type(row[2]) is str
            and type(row[3]) is list
        )
    return len(row) == FAILED and {*map(type, row)} == {str}


@dataclass(frozen=True, slots=True)
class PointTable:
    """The points whose figures are known."""

    choices: Sequence[Choice]
    references: Sequence[str]
    totals: Sequence[Row]
    """The counts of each."""
    columns: dict[str, Sequence[Any]]
    """Every figure of all points, by name."""
    settings: dict[str, Sequence[str | None]]
    """The value of every setting of all points; None where a point's space has it not."""

    @staticmethod
    def of(choices: Sequence[Choice], references: Sequence[str], rows: Sequence[Row]) -> PointTable:
        """The table of these points; each row is of one that was measured."""
        names = ("totals", *COLUMNS)
        empty: dict[str, Sequence[Any]] = dict.fromkeys((*names, *TOTALS), ())
        columns = {**empty, **dict(zip(names, zip(*rows)))}
        totals: Sequence[Row] = columns.pop("totals")
        columns |= dict(zip(TOTALS, zip(*totals)))
        return PointTable(choices, references, totals, columns, _settings(choices))

    def __len__(self) -> int:
        return len(self.references)


def _settings(choices: Sequence[Choice]) -> dict[str, Sequence[str | None]]:
    spaces = {id(choice.space): choice.space for choice in choices}
    if len(spaces) == 1:
        (space,) = spaces.values()
        return dict(zip((axis.name for axis in space.axes), zip(*(c.values for c in choices))))
    given = [choice.settings for choice in choices]
    names = dict.fromkeys(axis.name for space in spaces.values() for axis in space.axes)
    return {name: [settings.get(name) for settings in given] for name in names}
