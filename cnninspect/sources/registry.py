"""The sources, by scheme and by file suffix, and references written anew with other settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cnninspect.errors import BadOption, BadReference, SourceBroken, UnknownChoice
from cnninspect.records.models import GraphFile, LoadedModel, ModelEntry, Reference
from cnninspect.sources.references import SETTINGS, has_revision, parse_reference

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
    if has_revision(text):
        raise BadReference(
            text, "this question is asked of files as they are", "leave out the revision @{…}"
        )
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


HEADS = {"hf": "num_labels"}
"""What a source calls the number of classes, where it is not `num_classes`."""


def with_setting(text: str, key: str, value: object) -> str:
    """The reference with `key=value`, in place of what it says of that key."""
    reference = reference_of(text)
    settings = {**dict(reference.settings), key: str(value)}
    body = SETTINGS.split(text, maxsplit=1)[0] if reference.settings else text
    return f"{body}@{','.join(f'{name}={old}' for name, old in settings.items())}"


def with_head(text: str, classes: int) -> str:
    """The reference of the same network with a last layer for so many classes.

    Raises:
        BadOption: there cannot be so many.
        BadReference: the reference says already how many.
    """
    if classes < 1:
        raise BadOption("--set-head", classes, "1 or more")
    reference = reference_of(text)
    key = HEADS.get(reference.source, "num_classes")
    for name, value in reference.settings:
        if name == key:
            raise BadReference(text, f"it sets {key}={value}, and --set-head {classes} another")
    return with_setting(text, key, classes)
