"""Numbers in print for a model: what torchvision publishes, and what papers do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from cnninspect.metrics.summary import Counts, Published
from cnninspect.records.traces import Trace

SOURCES = ("zoo", "torchvision")
"""Sources whose names are torchvision's."""
HALF_A_UNIT = 0.0005
"""torchvision prints GMACs with three decimals."""


def published_for(trace: Trace, counts: Counts) -> tuple[Published, ...]:
    """What is in print for this model and input size, each compared with our count."""
    name = trace.model.name.removeprefix("torchvision:")
    if trace.model.source not in SOURCES or len(trace.inputs) != 1 or trace.mode != "eval":
        return ()
    batch, *image = trace.inputs[0].spec.shape
    found = [
        row
        for row in _table()["rows"]
        if row["model"] == name and row["input"][1:] == image and batch
    ]
    same_size = [row for row in found if row["parameters"] == counts.parameters]
    row = next(iter(same_size or found), None)
    if row is None or row["gmacs"] == 0:
        return ()
    gmacs = counts.macs / batch / 1e9
    return (
        Published(
            "macs",
            row["gmacs"],
            f"{row['gmacs']:.3f} GMACs",
            "torchvision",
            abs(gmacs - row["gmacs"]) <= HALF_A_UNIT * (1 + 1e-9),
        ),
        Published(
            "parameters",
            row["parameters"],
            f"{row['parameters']:,} parameters",
            "torchvision",
            counts.parameters == row["parameters"],
        ),
    )


@cache
def _table() -> dict[str, Any]:
    text = files("cnninspect.metrics").joinpath("published.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


HALF_OF_TORCHVISION_S = 500_000
"""torchvision prints GMACs with three decimals, rounded."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A number in print for a network and the size of its input."""

    value: int
    """For one input, as multiply-accumulates unless `printed` says otherwise."""
    tolerance: int
    """How far a count may be from it and still be printed so."""
    printed: str
    """As printed."""
    source: str
    """Where."""
    counts: str = ""
    """The convention by which it was counted, if not as multiply-accumulates."""
    note: str = ""
    """What else is known of how it was counted."""
    explains: bool = False
    """Whether that is why it is another number."""

    def fits(self, count: int) -> bool:
        """Whether this count would be printed so: rounded or cut off."""
        return abs(count - self.value) <= self.tolerance


def in_print(trace: Trace, counts: Counts) -> Iterator[Printed]:
    """What is in print of this very network and input."""
    published = published_for(trace, counts)
    is_same = any(n.quantity == "parameters" and n.matches for n in published)
    for number in published:
        if number.quantity == "macs" and is_same:  # else it is of a variant, as with another head
            value = round(number.value * 1e9)
            yield Printed(
                value, HALF_OF_TORCHVISION_S, number.printed, f"{number.source}'s weights"
            )
    if trace.model.source != "zoo" or len(trace.inputs) != 1 or trace.mode != "eval":
        return
    _, *size = trace.inputs[0].spec.shape
    for row in _papers():
        if row["input"] == size and _normal(row["model"]) == _normal(trace.model.name):
            # Some cut off what others round, so a whole unit of the last digit is left to them.
            tolerance = max(row["precision"] - 1, 0)
            yield Printed(
                value=row["value"],
                tolerance=tolerance,
                printed=row["printed"],
                source=row["source"],
                counts=row["counts"],
                note=row["note"],
                explains=row["explains"],
            )


def _normal(reference: str) -> tuple[str, frozenset[str]]:
    """Name and settings, in whatever order those are typed."""
    name, _, settings = reference.removeprefix("zoo:").partition("@")
    return name, frozenset(part.strip() for part in settings.split(",") if part)


@cache
def _papers() -> list[dict[str, Any]]:
    text = files("cnninspect.metrics").joinpath("published_papers.json").read_text("utf-8")
    rows: list[dict[str, Any]] = json.loads(text)["rows"]
    return rows
