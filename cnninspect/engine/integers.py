"""The values of integers and truth values that are made up, by what their input is called.

Counts depend on them where they select, repeat or reshape: a mask lets everything through, lengths
are full, a grid covers all patches; all others count up and wrap around.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

PADDING = re.compile(r"pad", re.I)
"""Masks that are true where there is nothing."""
MASK = re.compile(r"mask", re.I)
LENGTHS = re.compile(r"(^|_)(lengths?|lens?|n_?frames)$", re.I)
GRID = re.compile(r"grid|thw", re.I)
"""Inputs that say how many patches lie in each direction."""


def has_meaning(name: str) -> bool:
    """Whether the values of an input of that name are more than numbers at random."""
    return any(pattern.search(name) for pattern in (MASK, LENGTHS, GRID))


def integers(
    name: str, shape: tuple[int, ...], *, high: int | None, others: Sequence[tuple[int, ...]]
) -> Tensor:
    """The values of an input of integers; `others` are the shapes of the inputs beside it.

    Values lie under `high`; where that is not known, they are 0 and 1 in turns.
    """
    if MASK.search(name):
        return torch.full(shape, 0 if PADDING.search(name) else 1)
    if LENGTHS.search(name) and high is None and len(shape) == 1:
        return torch.full(shape, _steps(shape[0], others))
    if GRID.search(name) and high is None and shape and shape[-1] in (2, 3) and others:
        grid = _grid(math.prod(shape[:-1]), shape[-1], others[0])
        if grid is not None:
            return torch.tensor(grid).expand(shape).clone()
    top = max(2 if high is None else high, 1)
    return (torch.arange(math.prod(shape)) % top).reshape(shape)


def _steps(batch: int, others: Sequence[tuple[int, ...]]) -> int:
    """The steps of the first sequence of that batch, whichever of the two comes first."""
    for shape in others:
        if len(shape) >= 2 and batch in shape[:2]:
            return shape[1] if shape[0] == batch else shape[0]
    return 1


def _grid(grids: int, sizes: int, patches: tuple[int, ...]) -> list[int] | None:
    """Frames, height and width of a picture, as square as that many patches allow."""
    if not patches or patches[0] % max(grids, 1):
        return None
    count = patches[0] // max(grids, 1)
    height = max((h for h in range(1, math.isqrt(count) + 1) if count % h == 0), default=1)
    return [1] * (sizes - 2) + [height, count // height]
