"""Operations that take a part of a tensor, or put tensors together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnninspect.analyses.dependence.layouts import still_along
from cnninspect.analyses.dependence.operands import Operands
from cnninspect.analyses.dependence.places import Place, whole
from cnninspect.analyses.dependence.reach import Untold, hull, is_within
from cnninspect.analyses.dependence.shares import SOMEWHERE, Share, part, some_along
from cnninspect.analyses.dependence.states import (
    MOST_PARTS,
    Axis,
    Dependence,
    Moving,
    bounded,
    changed,
    combine,
    place_anew,
)


def select(operands: Operands) -> Dependence:
    """The elements at one index of a dimension, which goes."""
    dim = operands.dim()
    index = operands.integer("index", 0) % operands.first.shape[dim]
    state = _among(operands.first.state, dim, index, 1)
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

    state = operands.first.state
    state = _among(state, dim, start, count) if step == 1 else _bounded_along(state, dim)
    return changed(state, within)._replace(is_rearranged=True)


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
    dim, start, states = operands.dim(), 0, []
    for piece in operands.operation.outputs:
        states.append(_among(still_along(operands, dim), dim, start, piece.shape[dim]))
        start += piece.shape[dim]
    state = states[0] if len(set(states)) == 1 else bounded(states[0].axes)
    return state._replace(is_rearranged=True)


def unbind(operands: Operands) -> Dependence:
    """One part for each index of a dimension that holds no positions and goes."""
    dim = operands.dim()
    state = _bounded_along(still_along(operands, dim), dim)
    return _without_dim(state._replace(is_rearranged=True), dim)


def halve(operands: Operands) -> Dependence:
    """The first half of a dimension without positions, gated by the second."""
    dim = operands.dim(default=-1)
    return _bounded_along(still_along(operands, dim), dim)


def concatenate(operands: Operands) -> Dependence:
    """Tensors one after the other along a dimension."""
    dim = operands.integer("dim", 0) % len(operands.out)
    states, starts = [], [0]
    for operand in operands.tensors:
        if operand.shape != (0,):
            states.append(_shifted(operand.state, dim, starts[-1]))
            starts.append(starts[-1] + operand.shape[dim])
    return _together(states, dim, starts)


def _shifted(state: Dependence, dim: int, offset: int) -> Dependence:
    if not offset or not _has_positions(state, dim):
        return state

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
    states = [place_anew(operand.state, moved) for operand in operands.tensors]
    return _together(states, dim, range(len(states) + 1))


def _together(states: list[Dependence], dim: int, starts: Sequence[int]) -> Dependence:
    """The state of tensors that lie beside one another along `dim`, each from its start on.

    Positions along `dim` are told apart by their places.  In all else, elements of one tensor may
    depend on less than those of another.
    """
    rests = [_apart_from(state, dim) for state in states]
    both = combine(rests).axes
    full = [i for i, rest in enumerate(rests) if rest.axes == both and rest.is_reached]
    alike = [i for i in full if rests[i].share is None]
    share: Share | None = None
    if len(alike) < len(rests):
        share = some_along(dim, starts[-1])
        if alike:
            i = alike[-1]
            share = part(dim, starts[-1], starts[i], starts[i + 1] - starts[i])
        elif any(rest.share for rest in rests):
            share = SOMEWHERE
    is_reached, axes = bool(full), []
    for i, axis in enumerate(both):
        along = {p: None for state in states for p in state.axes[i].moving if p.place.dim == dim}
        if len(along) > MOST_PARTS:
            raise Untold
        if share:  # the rest may belong to others than those that have positions
            fixed = axis.fixed
            is_reached &= all(fixed and is_within(p.range, fixed) for p in along)
        axes.append(Axis((*along, *axis.moving), axis.fixed))
    is_bound = not full and any(rest.is_bound for rest in rests)
    return Dependence(tuple(axes), share, is_reached, is_bound)


def _apart_from(state: Dependence, dim: int) -> Dependence:
    """The state without what depends on the position along a dimension."""
    if not _has_positions(state, dim):
        return state
    return changed(state, lambda part: () if part.place.dim == dim else (part,))


def _has_positions(state: Dependence, dim: int) -> bool:
    return any(part.place.dim == dim for part in state.parts)


def _without_dim(state: Dependence, dim: int) -> Dependence:
    """The state after a dimension has gone, and what depends on the position along it."""
    dims = [part.place.dim for part in state.parts]
    if state.share:
        dims.append(state.share.place.dim)
    moved = [d - (d > dim) for d in range(1 + max(dims, default=0))]
    return place_anew(_apart_from(state, dim), moved)


def _among(state: Dependence, dim: int, start: int, count: int) -> Dependence:
    """The state of some elements along a dimension, positions aside."""
    share = state.share
    if share is None or share.place.dim != dim:
        return _bounded_along(state, dim)
    left = share.among(start, count)
    if left is False:
        return bounded(state.axes)
    return state._replace(share=None if left is True else left)


def _bounded_along(state: Dependence, dim: int) -> Dependence:
    """The state of some elements along a dimension, nobody knows which."""
    if state.share and state.share.place.dim in (dim, SOMEWHERE.place.dim):
        return bounded(state.axes)
    return state
