"""The names that sources have; those of libraries are remembered, since listing them is slow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from cnninspect.errors import UnknownChoice, UnknownModel
from cnninspect.sources import registry
from cnninspect.store.cache import LIBRARIES, Memory, versions


def references_in(sources: Sequence[str], pattern: str, memory: Memory | None) -> tuple[str, ...]:
    """What to type for every architecture of these sources whose name matches.

    Raises:
        UnknownChoice: there is no such source.
        UnknownModel: nothing matches.
        MissingLibrary: a source's library is not installed.
    """
    names = {source: _names_in(source, memory) for source in dict.fromkeys(sources)}
    found = tuple(
        name if source == "zoo" else f"{source}:{name}"
        for source, known in names.items()
        for name in known
        if registry.is_match(name, pattern)
    )
    if not found:
        raise UnknownModel(pattern, (name for known in names.values() for name in known))
    return found


def _names_in(source: str, memory: Memory | None) -> tuple[str, ...]:
    if source not in registry.listable():
        raise UnknownChoice("--source", source, registry.listable())
    if memory is None or source not in LIBRARIES:
        return tuple(entry.name for entry in registry.entries((source,)))
    text = json.dumps(["names", source, versions(source)])
    key = hashlib.sha256(text.encode()).hexdigest()
    kept = memory.recall([key]).get(key)
    if kept is not None and (remembered := _names_of(kept)) is not None:
        return remembered
    names = tuple(entry.name for entry in registry.entries((source,)))
    memory.keep({key: json.dumps(names)})
    return names


def _names_of(text: str) -> tuple[str, ...] | None:
    """The names in what was remembered; None: it is something else."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)
