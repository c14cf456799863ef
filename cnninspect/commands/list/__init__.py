"""The answer of `cnninspect list`: what can be named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.errors import UnknownChoice, UnknownModel
from cnninspect.records.models import ModelEntry
from cnninspect.records.reports import Report
from cnninspect.sources import registry


@dataclass(frozen=True, slots=True)
class Listing(Report):
    """Models that can be named."""

    schema: ClassVar[str] = "cnninspect.list/1"
    rendering: ClassVar[str] = "cnninspect.commands.list.rendering"

    entries: tuple[ModelEntry, ...]
    """By source, then family, in the order in which each lists its own."""


def models(pattern: str = "*", *, source: str | None = None, family: str | None = None) -> Listing:
    """What can be named, without importing torch: of one source or of those that need no library.

    `pattern` is matched against names as a shell does, and otherwise as a part of them.

    Raises:
        UnknownChoice: there is no such source or family.
        UnknownModel: nothing matches.
    """
    entries = registry.entries((source,) if source else registry.LISTED)
    if family is not None:
        families = list(dict.fromkeys(entry.family for entry in entries))
        if family not in families:
            raise UnknownChoice("--family", family, families)
        entries = tuple(entry for entry in entries if entry.family == family)
    found = tuple(entry for entry in entries if registry.is_match(entry.name, pattern))
    if not found:
        raise UnknownModel(pattern, (entry.name for entry in entries))
    return Listing(found)
