"""What is known of a tensor: where the input's dimensions went, and what its elements depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import lcm
from typing import NamedTuple

from cnninspect.analyses.dependence.places import Place, Shape
from cnninspect.analyses.dependence.reach import Reach, Untold, hull, is_within, joined
from cnninspect.analyses.dependence.shares import SOMEWHERE, Share, share_anew

MOST_PARTS = 4
"""Moving parts that are kept for one dimension of the input; with more, nothing is told."""


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

    @property
    def is_untouched(self) -> bool:
        """Whether each element depends on its own position alone."""
        return len(self.moving) == 1 and not self.fixed and self.moving[0].reach == Reach()


class Dependence(NamedTuple):
    """What the elements of a tensor depend on."""

    axes: tuple[Axis, ...]
    """By spatial dimension of the input."""
    share: Share | None = None
    """The elements that depend on all that `axes` says, where others depend on less: after a join
    of channels with different receptive fields.  None: all elements are alike."""
    is_reached: bool = True
    """Whether any element depends on all that `axes` says by itself, not only some together."""
    is_bound: bool = False
    """Whether `axes` may be more than even all elements together depend on."""
    is_rearranged: bool = False
    """Whether it shares memory with a tensor of another arrangement."""

    @property
    def parts(self) -> Iterator[Moving]:
        """The moving parts of all axes."""
        for axis in self.axes:
            yield from axis.moving

    @property
    def is_constant(self) -> bool:
        """Whether nothing depends on the input."""
        return not any(axis.moving or axis.fixed for axis in self.axes)


def combine(states: Sequence[Dependence]) -> Dependence:
    """The state of elements that depend on one element of each, all of one shape."""
    states = [state for state in states if not state.is_constant] or states[:1]
    first, *others = states
    if not others:
        return first._replace(is_rearranged=False) if first.is_rearranged else first
    axes = first.axes
    for other in others:
        if other.axes != axes:
            axes = tuple(map(_combine_axes, axes, other.axes))
    return _agreed(states, axes)


def _agreed(states: Sequence[Dependence], axes: tuple[Axis, ...]) -> Dependence:
    """Which elements depend on all of `axes` after states with these axes came together."""
    varying = [state for state in states if state.share or state.is_bound]
    full = [state for state in states if state.is_reached and state.axes == axes]
    if not varying or any(state.share is None for state in full):
        return Dependence(axes)
    if full:
        return Dependence(axes, full[0].share)
    if any(state.is_bound for state in varying):
        return bounded(axes)
    shares = {state.share for state in varying}
    is_reached = len(varying) == 1 and varying[0].is_reached
    return Dependence(axes, shares.pop() if len(shares) == 1 else SOMEWHERE, is_reached)


def bounded(axes: tuple[Axis, ...]) -> Dependence:
    """The state of elements that depend on `axes` at most."""
    return Dependence(axes, is_reached=False, is_bound=True)


def mixed(state: Dependence, dim: int | None = None) -> Dependence:
    """The same where each element takes in all along a dimension, None: the whole tensor.

    Only what that does to differences between elements; see `all_of` for their positions.
    """
    if state.is_bound or state.share is None:
        return state
    if dim is None or state.share.place.dim == dim:
        return state._replace(share=None, is_reached=True)
    return state


def _combine_axes(one: Axis, other: Axis) -> Axis:
    intervals = [fixed for fixed in (one.fixed, other.fixed) if fixed]
    moving = list(one.moving)
    for part in other.moving:
        for i, known in enumerate(moving):
            if known.place == part.place:
                reach = joined(known.reach, part.reach, part.place.size)
                if reach is not None:
                    moving[i] = Moving(known.place, reach)
                    break
        else:
            moving.append(part)
    if len(moving) > MOST_PARTS:
        raise Untold
    return Axis(tuple(moving), hull(intervals) if intervals else None)


def fix(axis: Axis, parts: Iterable[Moving], *, stays: bool = False) -> Axis:
    """The axis of elements that all depend on the whole range of these moving parts.

    With `stays`, they go on to depend on their own position too.
    """
    parts = tuple(parts)
    if not parts:
        return axis
    fixed = hull([part.range for part in parts] + ([axis.fixed] if axis.fixed else []))
    if stays:
        return Axis(axis.moving, fixed)
    return Axis(tuple(part for part in axis.moving if part not in parts), fixed)


def changed(state: Dependence, change: Callable[[Moving], Iterable[Moving]]) -> Dependence:
    """The same with each moving part replaced by what `change` makes of it."""
    axes = tuple(
        Axis(tuple(new for part in axis.moving for new in change(part)), axis.fixed)
        for axis in state.axes
    )
    return state._replace(axes=axes)


def place_anew(state: Dependence, dims: Sequence[int | None]) -> Dependence:
    """The same with dimension d become `dims[d]`; None: all along it have been taken together."""

    def move(part: Moving) -> Iterator[Moving]:
        dim = dims[part.place.dim]
        if dim is not None:
            yield Moving(part.place._replace(dim=dim), part.reach)

    axes = tuple(
        fix(axis, [part for part in axis.moving if dims[part.place.dim] is None])
        for axis in state.axes
    )
    state = changed(state._replace(axes=axes), move)
    if state.share is None:
        return state
    share = share_anew(state.share, dims)
    return mixed(state, state.share.place.dim) if share is None else state._replace(share=share)


def all_of(state: Dependence, dim: int | None = None) -> Dependence:
    """The state of elements that depend on all along a dimension, or on the whole tensor."""
    axes = tuple(
        fix(axis, [part for part in axis.moving if dim is None or part.place.dim == dim])
        for axis in state.axes
    )
    return mixed(state._replace(axes=axes), dim)


def broadcast(state: Dependence, shape: Shape, to: Shape) -> Dependence:
    """The state of a tensor that is repeated along its dimensions of size 1, and new ones."""
    if shape == to or state.is_constant:
        return state
    shift = len(to) - len(shape)
    state = place_anew(state, range(shift, len(to)))
    repeated = {shift + d for d, size in enumerate(shape) if size == 1 and to[shift + d] != 1}
    axes = tuple(
        fix(axis, [part for part in axis.moving if part.place.dim in repeated])
        for axis in state.axes
    )
    return state._replace(axes=axes)


def extent_of(state: Dependence) -> tuple[int, ...] | None:
    """Input positions that the middle element depends on, from the first to the last, by dimension.

    Where neighbours differ (up-sampling) it is the most.  None: cannot be told, or the elements
    differ for another reason than their position.
    """
    if not state.is_reached:
        return None
    extents = [_extent(axis) for axis in state.axes]
    return None if None in extents else tuple(e for e in extents if e is not None)


def _extent(axis: Axis) -> int | None:
    fixed = axis.fixed
    moving = [part for part in axis.moving if not (fixed and is_within(part.range, fixed))]
    if not moving:
        return fixed[1] - fixed[0] + 1 if fixed else None
    place = moving[0].place
    if any(part.place != place for part in moving):
        return None
    if len({part.reach.jump * part.reach.rate for part in moving}) > 1:
        return None  # the farther from the start, the farther apart
    period = min(lcm(*(part.reach.period for part in moving)), place.size)
    start = max(0, place.size // 2 - period // 2)
    start = min(start, place.size - period)
    most = 0
    for q in range(start, start + period):
        low, high = hull([part.reach.at(q) for part in moving] + ([fixed] if fixed else []))
        most = max(most, high - low + 1)
    return most or None
