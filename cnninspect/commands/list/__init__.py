"""What can be named."""

from __future__ import annotations

from cnninspect.commands.list.report import Listing
from cnninspect.errors import UnknownChoice, UnknownModel
from cnninspect.sources import registry


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
