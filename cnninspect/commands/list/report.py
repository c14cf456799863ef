"""The answer of `cnninspect list`: what can be named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.entries import ModelEntry
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class Listing(Report):
    """Models that can be named."""

    schema: ClassVar[str] = "cnninspect.list/1"
    rendering: ClassVar[str] = "cnninspect.commands.list.rendering"

    entries: tuple[ModelEntry, ...]
    """By source, then family, in the order in which each lists its own."""
