"""Operations that take a part of a tensor, or put tensors together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnninspect.metrics.dependence.axes import (
    MOST_PARTS,
    Axis,
    Moving,
    bounded,
    changed,
    placed,
    union,
)
from cnninspect.metrics.dependence.layouts import still_along
from cnninspect.metrics.dependence.operands import Operands
from cnninspect.metrics.dependence.places import Place, whole
from cnninspect.metrics.dependence.reach import Untold, hull, is_within
from cnninspect.metrics.dependence.shares import SOMEWHERE, part, some_along
from cnninspect.metrics.dependence.states import Dependence, place_anew


def select(operands: Operands) -> Dependence:
    """The elements at one index of a dimension, which goes."""
    dim = operands.dim()
    index = operands.integer("index", 0) % operands.first.shape[dim]

    def take(axis: Axis) -> Axis:
        met = [axis.fixed] if axis.fixed else []
        for place, reach in axis.moving:
            i = index - place.offset
            if place.dim == dim and 0 <= i < place.extent:
                met.append(reach.at(i // place.inner % place.size))
        axis = _among(axis._replace(fixed=hull(met) if met else None), dim, index, 1)
        return _without_dim(axis, dim)

    return operands.first.state.each(take)._replace(is_rearranged=True)


def cut(operands: Operands) -> Dependence:
    """Every `step`-th element of a dimension, from `start` on."""
    dim = operands.dim()
    shape, count = operands.first.shape, operands.out[dim]
    if shape[dim] == count:
        return operands.first.state
    start, step = operands.integer("start", 0), operands.integer("step", 1)
    start = max(0, start + shape[dim] if start < 0 else start)

    def within(part: Moving) -> Iterable[Moving]:
        if part.place.dim != dim:
            return (part,)
        if step == 1:
            return _left_of(part, start, count)
        if part.place.is_all_of(shape):
            return (Moving(whole(dim, count), part.reach.through(step, start, start)),)
        raise Untold

    def take(axis: Axis) -> Axis:
        axis = _among(axis, dim, start, count) if step == 1 else _any_along(axis, dim)
        return changed(axis, within)

    return operands.first.state.each(take)._replace(is_rearranged=True)


def _left_of(part: Moving, start: int, count: int) -> Iterable[Moving]:
    """What is left of a moving part in the `count` elements from `start` on."""
    place, reach = part
    offset = place.offset - start
    if offset >= 0 and offset + place.extent <= count:
        return (Moving(place._replace(offset=offset), reach),)
    if offset >= count or offset + place.extent <= 0:
        return ()
    if place.inner != 1 or place.extent != place.size:
        raise Untold
    lost, end = max(0, -offset), min(place.size, count - offset)
    rest = Place(place.dim, end - lost, 1, max(0, offset), end - lost)
    return (Moving(rest, reach.through(1, lost, lost)),)


def split(operands: Operands) -> Dependence:
    """Several parts, one after the other along a dimension that holds no positions."""
    dim = operands.dim()
    counts = [output.shape[dim] for output in operands.operation.outputs]

    def part_of(axis: Axis) -> Axis:
        parts = {
            _among(axis, dim, sum(counts[:i]), count) for i, count in enumerate(counts) if count
        }
        return parts.pop() if len(parts) == 1 else bounded(axis)

    return still_along(operands, dim).each(part_of)._replace(is_rearranged=True)


def unbind(operands: Operands) -> Dependence:
    """One part for each index of a dimension that holds no positions and goes."""
    dim = operands.dim()
    state = still_along(operands, dim).each(lambda axis: _without_dim(_any_along(axis, dim), dim))
    return state._replace(is_rearranged=True)


def halve(operands: Operands) -> Dependence:
    """The first half of a dimension without positions, gated by the second."""
    dim = operands.dim(default=-1)
    return still_along(operands, dim).each(lambda axis: _any_along(axis, dim))


def concatenate(operands: Operands) -> Dependence:
    """Tensors one after the other along a dimension."""
    dim = operands.integer("dim", 0) % len(operands.out)
    states, starts = [], [0]
    for operand in operands.tensors:
        if operand.shape != (0,):
            states.append(operand.state)
            starts.append(starts[-1] + operand.shape[dim])
    return _together(states, dim, starts)


def stack(operands: Operands) -> Dependence:
    """Tensors one after the other along a new dimension."""
    rank = len(operands.out)
    dim = operands.integer("dim", 0) % rank
    moved = [d + (d >= dim) for d in range(rank - 1)]
    states = [place_anew(operand.state, moved) for operand in operands.tensors]
    return _together(states, dim, range(len(states) + 1))


def _together(states: list[Dependence], dim: int, starts: Sequence[int]) -> Dependence:
    """The state of tensors that lie beside one another along `dim`, each from its start on."""
    return Dependence(
        tuple(_side_by_side(axes, dim, starts) for axes in zip(*(state.axes for state in states)))
    )


def _side_by_side(axes: Sequence[Axis], dim: int, starts: Sequence[int]) -> Axis:
    """The same for one axis.

    Positions along `dim` are told apart by their places.  In all else, elements of one tensor may
    depend on less than those of another.
    """
    along: dict[Moving, None] = {}
    for axis, start in zip(axes, starts):
        for place, reach in axis.moving:
            if place.dim == dim:
                along[Moving(place._replace(offset=place.offset + start), reach)] = None
    rests = [_apart_from(axis, dim) for axis in axes] if along else axes
    both = union(rests)
    if len(along) > MOST_PARTS:
        raise Untold
    moving = (*along, *both.moving)
    if along and any(axis.share or not axis.is_reached for axis in axes):
        is_same = all(rest == (*both[:2], *axes[0][2:]) and rest.is_reached for rest in rests)
        return both._replace(moving=moving) if is_same else bounded(Axis(moving, both.fixed))
    full = [i for i, rest in enumerate(rests) if rest[:2] == both[:2] and rest.is_reached]
    alike = [i for i in full if rests[i].share is None]
    if len(alike) == len(rests):
        return Axis(moving, both.fixed)
    share = some_along(dim, starts[-1])
    if alike:
        i = alike[-1]
        share = part(dim, starts[-1], starts[i], starts[i + 1] - starts[i])
    elif any(rest.share and rest.share.place.dim != dim for rest in rests):
        share = SOMEWHERE
    # The rest may belong to others than those that have positions.
    is_seen = all(both.fixed and is_within(part.range, both.fixed) for part in along)
    is_bound = not full and any(rest.is_bound for rest in rests)
    return Axis(moving, both.fixed, share, bool(full) and is_seen, is_bound)


def _apart_from(axis: Axis, dim: int) -> Axis:
    """The axis without what depends on the position along a dimension."""
    return changed(axis, lambda part: () if part.place.dim == dim else (part,))


def _without_dim(axis: Axis, dim: int) -> Axis:
    """The axis after a dimension has gone, and what depends on the position along it."""
    dims = [part.place.dim for part in axis.moving]
    if axis.share:
        dims.append(axis.share.place.dim)
    moved = [d - (d > dim) for d in range(1 + max(dims, default=0))]
    return placed(_apart_from(axis, dim), moved)


def _among(axis: Axis, dim: int, start: int, count: int) -> Axis:
    """The axis of some elements along a dimension, positions aside."""
    share = axis.share
    if share is None or share.place.dim != dim:
        return _any_along(axis, dim)
    left = share.among(start, count)
    if left is False:
        return bounded(axis)
    return axis._replace(share=None if left is True else left)


def _any_along(axis: Axis, dim: int) -> Axis:
    """The axis of some elements along a dimension, nobody knows which."""
    if axis.share and axis.share.place.dim in (dim, SOMEWHERE.place.dim):
        return bounded(axis)
    return axis
