"""Numbers in print for a model: what torchvision publishes with its weights."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from cnninspect.records.summary import Counts, Published
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
    text = files("cnninspect.analyses").joinpath("published.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
