"""The sources by scheme, as text: each is imported when it is asked for something.

To add one, write a module with `load(reference) -> LoadedModel` and, if its names can be listed,
`entries() -> tuple[ModelEntry, ...]`, and name it here.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from cnninspect.records.entries import ModelEntry
from cnninspect.records.models import LoadedModel, Reference
from cnninspect.sources.references import parse_reference

SOURCES = {
    "zoo": "cnninspect.sources.zoo",
}
"""Module by scheme."""
LISTED = ("zoo",)
"""Sources whose names are listed unless others are asked for: they need no library."""


def load(text: str) -> LoadedModel:
    """What a reference names.

    Raises:
        BadReference: it cannot be read.
        UnknownModel: its source has no such name.
        UnknownSetting, BadSetting: its settings do not fit the model.
    """
    reference = parse_reference(text, tuple(SOURCES))
    loaded: LoadedModel = source(reference).load(reference)
    return loaded


def source(reference: Reference) -> ModuleType:
    """The module that loads a reference."""
    return import_module(SOURCES[reference.source])


def entries(schemes: tuple[str, ...] = LISTED) -> tuple[ModelEntry, ...]:
    """Everything that can be named in these sources."""
    return tuple(entry for scheme in schemes for entry in import_module(SOURCES[scheme]).entries())
