"""Operations that take a part of a tensor, or put tensors together."""

from __future__ import annotations

from collections.abc import Iterable

from cnninspect.analyses.dependence.layouts import still_along
from cnninspect.analyses.dependence.operands import Operands
from cnninspect.analyses.dependence.places import Place, whole
from cnninspect.analyses.dependence.reach import Untold, hull, is_within
from cnninspect.analyses.dependence.states import (
    MOST_PARTS,
    SOMEWHERE,
    Axis,
    Dependence,
    Moving,
    changed,
    combine,
    place_anew,
)


def select(operands: Operands) -> Dependence:
    """The elements at one index of a dimension, which goes."""
    dim = operands.dim()
    index = operands.integer("index", 0) % operands.first.shape[dim]
    state = _uniform(operands.first.state, dim)
    axes = []
    for axis in state.axes:
        met = [axis.fixed] if axis.fixed else []
        for place, reach in axis.moving:
            i = index - place.offset
            if place.dim == dim and 0 <= i < place.extent:
                met.append(reach.at(i // place.inner % place.size))
        axes.append(Axis(axis.moving, hull(met) if met else None))
    return _without_dim(state._replace(axes=tuple(axes), is_rearranged=True), dim)


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

    state = changed(_uniform(operands.first.state, dim), within)
    return state._replace(is_rearranged=True)


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
    state = _uniform(still_along(operands, dim), dim)
    return state._replace(is_rearranged=True)


def unbind(operands: Operands) -> Dependence:
    """One part for each index of a dimension that holds no positions and goes."""
    return _without_dim(split(operands), operands.dim())


def halve(operands: Operands) -> Dependence:
    """The first half of a dimension without positions, gated by the second."""
    dim = operands.dim(default=-1)
    return _uniform(still_along(operands, dim), dim)


def concatenate(operands: Operands) -> Dependence:
    """Tensors one after the other along a dimension."""
    dim = operands.integer("dim", 0) % len(operands.out)
    states, offset = [], 0
    for operand in operands.tensors:
        if operand.shape != (0,):
            states.append(_shifted(operand.state, dim, offset))
            offset += operand.shape[dim]
    return _together(states, dim)


def _shifted(state: Dependence, dim: int, offset: int) -> Dependence:
    def shift(part: Moving) -> Iterable[Moving]:
        place = part.place
        if place.dim != dim:
            return (part,)
        return (Moving(place._replace(offset=place.offset + offset), part.reach),)

    return changed(state, shift)


def stack(operands: Operands) -> Dependence:
    """Tensors one after the other along a new dimension."""
    rank = len(operands.out)
    dim = operands.integer("dim", 0) % rank
    moved = [d + (d >= dim) for d in range(rank - 1)]
    return _together([place_anew(operand.state, moved) for operand in operands.tensors], dim)


def _together(states: list[Dependence], dim: int) -> Dependence:
    """The state of tensors that lie beside one another along `dim`.

    Positions along `dim` are told apart by their places.  In all else, elements of one tensor may
    depend on less than those of another.
    """
    rests = [_apart_from(state, dim) for state in states]
    both = combine(rests)
    full = [rest.is_reached for rest in rests if rest.axes == both.axes]
    varied = {state.varied for state in states} - {None}
    if len(full) < len(rests):
        varied.add(dim)
    is_reached, axes = any(full), []
    for i, axis in enumerate(both.axes):
        along = {part: 1 for s in states for part in s.axes[i].moving if part.place.dim == dim}
        if len(along) > MOST_PARTS:
            raise Untold
        if dim in varied:  # the rest may belong to others than those that have positions
            fixed = axis.fixed
            is_reached &= all(fixed and is_within(part.range, fixed) for part in along)
        axes.append(Axis((*along, *axis.moving), axis.fixed))
    where = None if not varied else varied.pop() if len(varied) == 1 else SOMEWHERE
    return Dependence(tuple(axes), where, is_reached)


def _apart_from(state: Dependence, dim: int) -> Dependence:
    """The state without what depends on the position along a dimension."""
    return changed(state, lambda part: () if part.place.dim == dim else (part,))


def _without_dim(state: Dependence, dim: int) -> Dependence:
    """The state after a dimension has gone, and what depends on the position along it."""
    rank = 1 + max((part.place.dim for part in state.parts), default=0)
    rank = max(rank, 1 + (state.varied or 0))
    return place_anew(_apart_from(state, dim), [d - (d > dim) for d in range(rank)])


def _uniform(state: Dependence, dim: int) -> Dependence:
    """The state, whose elements must not vary along a dimension otherwise than by position.

    Raises:
        Untold: a part of them may depend on less than the state says.
    """
    if state.varied in (dim, SOMEWHERE):
        raise Untold
    return state
