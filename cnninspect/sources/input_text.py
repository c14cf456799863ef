"""Inputs as people write them: `3x224x224`, `8x3x224x224`, `tokens:int64:1x128`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cnninspect.errors import BadInput
from cnninspect.records.models import InputRequest

_SHAPE = re.compile(r"-?\d+([x×]-?\d+)*")


def parse_inputs(typed: Sequence[str] | None) -> tuple[InputRequest, ...] | None:
    """What `--input` asks for; None where it was not given.

    Raises:
        BadInput: a shape cannot be read, or has a size below 1.
    """
    if not typed:
        return None
    return tuple(_parse(text) for text in typed)


def _parse(text: str) -> InputRequest:
    *labels, shape = text.split(":")
    if not _SHAPE.fullmatch(shape.strip()) or len(labels) > 2:
        raise BadInput(text, "it is not a shape")
    sizes = tuple(int(size) for size in re.split("[x×]", shape.strip()))
    if min(sizes) < 1:
        raise BadInput(text, f"a size of {min(sizes)} is not possible", "every size is 1 or more")
    name, dtype = (*labels, None, None)[:2] if labels else (None, None)
    return InputRequest(sizes, dtype=dtype or None, name=name or None, batched=None)
