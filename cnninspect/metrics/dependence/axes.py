"""What the elements of a tensor depend on along one spatial dimension of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, lcm
from typing import NamedTuple

from cnninspect.metrics.dependence.places import Place
from cnninspect.metrics.dependence.reach import Reach, Untold, hull, is_within, joined
from cnninspect.metrics.dependence.shares import SOMEWHERE, Share, share_anew

MOST_PARTS = 4
"""Moving parts that are kept; with more, nothing is told."""


class Moving(NamedTuple):
    """What elements depend on according to their position."""

    place: Place
    reach: Reach

    @property
    def range(self) -> tuple[int, int]:
        """What all elements together depend on."""
        return self.reach.at(0)[0], self.reach.at(self.place.size - 1)[1]


class Axis(NamedTuple):
    """What the elements of a tensor depend on along one spatial dimension of the input."""

    moving: tuple[Moving, ...] = ()
    """According to their position."""
    fixed: tuple[int, int] | None = None
    """All alike, as after global pooling: first and last position."""
    share: Share | None = None
    """The elements that depend on all of that, where others depend on less: after a join of
    channels with different receptive fields.  None: all elements do."""
    is_reached: bool = True
    """Whether any element depends on all of that by itself, not only some together."""
    is_bound: bool = False
    """Whether that may be more than even all elements together depend on."""

    @property
    def is_untouched(self) -> bool:
        """Whether each element depends on its own position alone."""
        return len(self.moving) == 1 and not self.fixed and self.moving[0].reach == Reach()


def union(axes: Sequence[Axis]) -> Axis:
    """What an element depends on that takes in one of each tensor, all of one shape."""
    first, *others = [axis for axis in axes if axis.moving or axis.fixed] or axes[:1]
    if all(other == first for other in others):
        return first
    moving, fixed = first[:2]
    for other in others:
        if (moving, fixed) != other[:2]:
            moving = _united(moving, other.moving)
            fixed = hull([f for f in (fixed, other.fixed) if f]) if fixed or other.fixed else None
    return _shared([first, *others], Axis(moving, fixed))


def _united(moving: tuple[Moving, ...], others: tuple[Moving, ...]) -> tuple[Moving, ...]:
    parts = list(moving)
    for part in others:
        for i, known in enumerate(parts):
            if known.place == part.place:
                reach = joined(known.reach, part.reach, part.place.size)
                if reach is not None:
                    parts[i] = Moving(known.place, reach)
                    break
        else:
            parts.append(part)
    if len(parts) > MOST_PARTS:
        raise Untold
    return tuple(parts)


def _shared(axes: Sequence[Axis], whole: Axis) -> Axis:
    """`whole` with which elements depend on all of it, after these came together to it."""
    varying = [axis for axis in axes if axis.share or axis.is_bound]
    full = [axis for axis in axes if axis.is_reached and axis[:2] == whole[:2]]
    if not varying or any(axis.share is None for axis in full):
        return whole
    if full:
        return whole._replace(share=full[0].share)
    if any(axis.is_bound for axis in varying):
        return bounded(whole)
    shares = {axis.share for axis in varying}
    return whole._replace(
        share=shares.pop() if len(shares) == 1 else SOMEWHERE,
        is_reached=len(varying) == 1 and varying[0].is_reached,
    )


def bounded(axis: Axis) -> Axis:
    """The same as the most that elements depend on."""
    return axis._replace(share=None, is_reached=False, is_bound=True)


def mixed(axis: Axis, dim: int | None = None) -> Axis:
    """The same where each element takes in all along a dimension, None: the whole tensor.

    Only what that does to differences between elements; see `fix` for their positions.
    """
    if axis.is_bound or axis.share is None:
        return axis
    if dim is None or axis.share.place.dim == dim:
        return axis._replace(share=None, is_reached=True)
    return axis


def fix(axis: Axis, parts: Iterable[Moving], *, stays: bool = False) -> Axis:
    """The axis of elements that all depend on the whole range of these moving parts.

    With `stays`, they go on to depend on their own position too.
    """
    parts = tuple(parts)
    if not parts:
        return axis
    fixed = hull([part.range for part in parts] + ([axis.fixed] if axis.fixed else []))
    moving = axis.moving if stays else tuple(p for p in axis.moving if p not in parts)
    return axis._replace(moving=moving, fixed=fixed)


def fix_along(axis: Axis, dim: int | None, *, stays: bool = False) -> Axis:
    """The axis of elements that take in all along a dimension, None: the whole tensor."""
    parts = [part for part in axis.moving if dim is None or part.place.dim == dim]
    return mixed(fix(axis, parts, stays=stays), dim)


def changed(axis: Axis, change: Callable[[Moving], Iterable[Moving]]) -> Axis:
    """The same with each moving part replaced by what `change` makes of it."""
    return axis._replace(moving=tuple(new for part in axis.moving for new in change(part)))


def placed(axis: Axis, dims: Sequence[int | None]) -> Axis:
    """The same with dimension d become `dims[d]`; None: all along it have been taken together."""

    def move(part: Moving) -> Iterator[Moving]:
        dim = dims[part.place.dim]
        if dim is not None:
            yield Moving(part.place._replace(dim=dim), part.reach)

    fixed = fix(axis, [part for part in axis.moving if dims[part.place.dim] is None])
    axis = changed(fixed, move)
    if axis.share is None:
        return axis
    share = share_anew(axis.share, dims)
    return mixed(axis, axis.share.place.dim) if share is None else axis._replace(share=share)


def extent_along(axis: Axis, input_size: int) -> int | None:
    """Input positions that the middle element depends on, from the first to the last.

    Where neighbours differ (up-sampling) it is the most.  None: cannot be told, or elements differ
    for another reason than their position.
    """
    fixed = axis.fixed
    moving = [part for part in axis.moving if not (fixed and is_within(part.range, fixed))]
    if not axis.is_reached:
        return None
    if not moving:
        return fixed[1] - fixed[0] + 1 if fixed else None
    place = moving[0].place
    jumps = {part.reach.jump * part.reach.rate for part in moving}
    if len(jumps) > 1 or any(part.place != place for part in moving):
        return None  # the farther from the start, the farther apart
    margin = ceil(2 * max(jumps))  # what strides may leave over at the ends
    if fixed and not is_within((margin, input_size - 1 - margin), fixed):
        return None  # only a part of the input, nearer to some elements than to others
    period = min(lcm(*(part.reach.period for part in moving)), place.size)
    start = min(max(0, place.size // 2 - period // 2), place.size - period)
    most = 0
    for q in range(start, start + period):
        low, high = hull([part.reach.at(q) for part in moving] + ([fixed] if fixed else []))
        most = max(most, high - low + 1)
    return most or None
