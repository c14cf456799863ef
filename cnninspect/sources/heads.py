"""The last layer of a network by a setting of its reference, as in transfer learning."""

from __future__ import annotations

from cnninspect.errors import BadOption, BadReference
from cnninspect.sources.registry import reference_of

KEYS = {"hf": "num_labels"}
"""What a source calls the number of classes, where it is not `num_classes`."""


def with_head(text: str, classes: int) -> str:
    """The reference of the same network with a last layer for so many classes.

    Raises:
        BadOption: there cannot be so many.
        BadReference: the reference says already how many.
    """
    if classes < 1:
        raise BadOption("--set-head", classes, "1 or more")
    reference = reference_of(text)
    key = KEYS.get(reference.source, "num_classes")
    for name, value in reference.settings:
        if name == key:
            raise BadReference(text, f"it sets {key}={value}, and --set-head {classes} another")
    return f"{text}{',' if reference.settings else '@'}{key}={classes}"
