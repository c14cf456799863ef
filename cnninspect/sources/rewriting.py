"""References with a setting more: the same network with another head, width or size."""

from __future__ import annotations

from cnninspect.errors import BadOption, BadReference
from cnninspect.sources.references import SETTINGS
from cnninspect.sources.registry import reference_of

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
