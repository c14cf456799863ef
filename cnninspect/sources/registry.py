"""The sources by scheme, as text: each is imported when it is asked for something.

A source is a module with `load(reference) -> LoadedModel`, or `GraphFile` for what is not built of
modules, and, if its names can be listed, `entries() -> tuple[ModelEntry, ...]`.  To add one here,
name it in `SOURCES`; other packages add theirs by an entry point of the group `cnninspect.sources`,
whose name is the scheme and whose value is the module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cnninspect.errors import SourceBroken, UnknownChoice
from cnninspect.records.entries import ModelEntry
from cnninspect.records.models import GraphFile, LoadedModel, Reference
from cnninspect.sources.references import parse_reference

SOURCES = {
    "zoo": "cnninspect.sources.zoo",
    "torchvision": "cnninspect.sources.torchvision",  # the extra `vision`
    "timm": "cnninspect.sources.timm",  # the extra `vision`
    "hf": "cnninspect.sources.hf",  # the extra `transformers`
    "python": "cnninspect.sources.python",
    "pt2": "cnninspect.sources.pt2",
    "pt": "cnninspect.sources.pt",
    "onnx": "cnninspect.sources.onnx",
    "checkpoint": "cnninspect.sources.checkpoint",
}
"""Module by scheme, with what must be installed for it beyond this package."""
LISTED = ("zoo",)
"""Sources whose names are listed unless others are asked for: they need no library."""
LISTABLE = ("zoo", "torchvision", "timm")
"""Sources of this package that have names to list."""
GROUP = "cnninspect.sources"
"""Group of the entry points by which other packages add sources."""


def load(text: str) -> LoadedModel | GraphFile:
    """What a reference names.

    Raises:
        BadReference: it cannot be read.
        UnknownModel: its source has no such name.
        UnknownSetting, BadSetting: its settings do not fit the model.
        SourceBroken: its source is of another package, and cannot be imported.
    """
    reference = parse_reference(text, schemes(text))
    loaded: LoadedModel | GraphFile = source(reference.source).load(reference)
    return loaded


def reference_of(text: str) -> Reference:
    """A reference taken apart, with the schemes of this package and of others.

    Raises:
        BadReference: it cannot be read.
    """
    return parse_reference(text, schemes(text))


def schemes(text: str = "") -> tuple[str, ...]:
    """The schemes that are known, those of other packages where `text` needs them."""
    scheme, colon, _ = text.partition(":")
    if text and (not colon or scheme in SOURCES):
        return tuple(SOURCES)
    return (*SOURCES, *offered())


def source(scheme: str) -> Any:
    """The module that loads references of a scheme.

    Raises:
        SourceBroken: it is of another package, and cannot be imported.
    """
    if scheme in SOURCES:
        return import_module(SOURCES[scheme])
    entry_point = offered()[scheme]
    package = entry_point.dist.name if entry_point.dist else "another package"
    try:
        found = entry_point.load()
    except Exception as problem:  # whatever another package's code raises
        raise SourceBroken(scheme, package, f"{type(problem).__name__}: {problem}") from problem
    if not callable(getattr(found, "load", None)):
        raise SourceBroken(scheme, package, f"{entry_point.value} has no function load")
    return found


def offered() -> dict[str, EntryPoint]:
    """The sources of other packages by scheme; ours cannot be replaced."""
    return {
        entry_point.name: entry_point
        for entry_point in entry_points(group=GROUP)
        if entry_point.name not in SOURCES
    }


def entries(wanted: Sequence[str] = LISTED) -> tuple[ModelEntry, ...]:
    """Everything that can be named in these sources.

    Raises:
        UnknownChoice: there is no such source, or it has no names to list.
    """
    return tuple(entry for scheme in wanted for entry in _entries_of(scheme))


def listable() -> tuple[str, ...]:
    """The sources that have names to list."""
    return (*LISTABLE, *offered())


def is_match(name: str, pattern: str) -> bool:
    """Whether a name matches a pattern as in a shell; one without `*`, `?`, `[` as a part of it."""
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    return fnmatchcase(name, wanted)


def _entries_of(scheme: str) -> Iterable[ModelEntry]:
    if scheme not in listable():
        raise UnknownChoice("--source", scheme, listable())
    found = source(scheme)
    if not hasattr(found, "entries"):
        raise UnknownChoice("--source", scheme, LISTABLE)
    return tuple(found.entries())
