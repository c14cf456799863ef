"""The answer of `cnninspect cache`: what is remembered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cnninspect.records.reports import Report

if TYPE_CHECKING:
    from cnninspect.records.machine import Calibration
    from cnninspect.store.cache import Contents


@dataclass(frozen=True, slots=True)
class RememberedTrace:
    """A trace that need not be made again."""

    title: str
    """The reference, and what else was asked: `resnet34, training, batch 8`."""
    bytes: int
    traced: str
    """When, as in `2026-11-28 09:30`."""


@dataclass(frozen=True, slots=True)
class RememberedMachine:
    """A device of this machine that was calibrated."""

    device: str
    """`cpu`, `cuda` or `mps`."""
    processor: str
    threads: int
    measured: str
    """The day: `2026-11-28`."""


@dataclass(frozen=True, slots=True)
class Remembered(Report):
    """What is remembered of named architectures, and of this machine."""

    schema: ClassVar[str] = "cnninspect.cache/1"
    rendering: ClassVar[str] = "cnninspect.commands.cache.rendering"

    path: str
    """The file."""
    bytes: int
    """Its size."""
    most_bytes: int
    """The size beyond which the oldest entries go."""
    figures: int
    """Models of which figures are kept, and lists of names."""
    points: int
    """Points of design spaces of which figures are kept."""
    traces: tuple[RememberedTrace, ...]
    """The newest first."""
    oldest: str | None
    """When the oldest entry was made; None where there is none."""
    newest: str | None
    machines: tuple[RememberedMachine, ...] = ()
    """What `time --calibrate` measured, in a file of its own beside the other."""
    cleared: bool = False
    """Whether all of this was forgotten just now."""
    notes: tuple[str, ...] = ()
    """What a reader should know: why nothing can be remembered."""


def remembered(
    contents: Contents,
    most_bytes: int,
    notes: Sequence[str] = (),
    *,
    machines: Sequence[Calibration] = (),
    cleared: bool = False,
) -> Remembered:
    """What the files hold, as a report."""
    return Remembered(
        path=str(contents.path),
        bytes=contents.bytes,
        most_bytes=most_bytes,
        figures=contents.counts.get("results", 0),
        points=contents.counts.get("points", 0),
        traces=tuple(
            RememberedTrace(title, size, _moment(kept)) for title, size, kept in contents.traces
        ),
        oldest=None if contents.oldest is None else _moment(contents.oldest),
        newest=None if contents.newest is None else _moment(contents.newest),
        machines=tuple(
            RememberedMachine(each.device, each.processor, each.threads, each.measured)
            for each in machines
        ),
        cleared=cleared,
        notes=tuple(notes),
    )


def _moment(seconds: float) -> str:
    """The local time, to the minute; `?` for what no calendar has."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "?"
