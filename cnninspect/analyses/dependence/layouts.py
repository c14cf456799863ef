"""Operations that move elements about: views, transpositions, parts and joins."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from cnninspect.analyses.dependence.operands import Operands
from cnninspect.analyses.dependence.places import place_in_view
from cnninspect.analyses.dependence.reach import Untold
from cnninspect.analyses.dependence.shares import share_in_view, some_along
from cnninspect.analyses.dependence.states import (
    Axis,
    Dependence,
    Moving,
    bounded,
    broadcast,
    changed,
    fix,
    place_anew,
)


def view(operands: Operands) -> Dependence:
    """Another shape of the same elements in the same order."""
    state, shape, to = operands.first.state, operands.first.shape, operands.out
    if shape == to or state.is_constant:
        return state
    if prod(shape) == 0:
        raise Untold
    axes = []
    for axis in state.axes:
        placed = [(part, place_in_view(part.place, shape, to)) for part in axis.moving]
        kept = tuple(Moving(place, part.reach) for part, place in placed if place)
        lost = [part for part, place in placed if not place]
        axes.append(Axis(kept, fix(axis, lost).fixed))
    share = state.share and share_in_view(state.share, shape, to)
    return state._replace(axes=tuple(axes), share=share)


def permute(operands: Operands) -> Dependence:
    """Dimensions in another order: `dims` in `permute`, else two of them change places."""
    rank = len(operands.first.shape)
    order = [d % rank for d in operands.integers("dims")]
    if not order:
        order = list(range(rank))
        one, other = _swapped(operands, rank)
        order[one], order[other] = order[other], order[one]
    state = place_anew(operands.first.state, [order.index(d) for d in range(rank)])
    return state._replace(is_rearranged=state.is_rearranged or order != sorted(order))


def expand(operands: Operands) -> Dependence:
    """Repetition along dimensions of size 1 and new ones."""
    return broadcast(operands.first.state, operands.first.shape, operands.out)


def repeat(operands: Operands) -> Dependence:
    """Copies of the whole tensor beside one another."""
    out = operands.out
    shape = (1,) * (len(out) - len(operands.first.shape)) + operands.first.shape

    def extend(part: Moving) -> Iterator[Moving]:
        place = part.place
        if shape[place.dim] != out[place.dim]:
            if place.offset or place.extent != shape[place.dim]:
                raise Untold
            place = place._replace(extent=out[place.dim])
        yield Moving(place, part.reach)

    state = broadcast(operands.first.state, operands.first.shape, shape)
    return changed(state, extend)._replace(is_rearranged=False)


def restride(operands: Operands) -> Dependence:
    """The same shape with other strides, where no order of positions can be meant."""
    state = operands.first.state
    has_order = any(part.place.size > 1 for part in state.parts)
    if operands.first.shape != operands.out or has_order:
        raise Untold
    return state


def shuffle_channels(operands: Operands) -> Dependence:
    """Channels (dimension 1) in another order."""
    state = still_along(operands, 1)
    share = state.share and some_along(1, operands.out[1])
    return state._replace(share=share)


def gather(operands: Operands) -> Dependence:
    """The elements at constant indices of one dimension, in whose place come those of the index."""
    given = operands.first
    indices = operands.operation.argument("indices")
    if isinstance(indices, tuple):
        dims = [d for d, index in enumerate(indices) if index is not None]
    else:
        dims = [operands.dim()]
    index = operands.tensors[-1]
    is_mask = operands.operation.inputs[-1].dtype == "bool"
    if is_mask or len(dims) != 1 or len(operands.tensors) != 2 or not index.state.is_constant:
        raise Untold
    state, more = still_along(operands, dims[0]), len(index.shape) - 1
    if state.share and state.share.place.dim in (dims[0], -1):
        state = bounded(state.axes)
    state = place_anew(state, [d + more * (d > dims[0]) for d in range(len(given.shape))])
    return state._replace(is_rearranged=False)


def reorder(operands: Operands) -> Dependence:
    """Another order along `dim` or `dims`, which must not hold positions: flips, sorting."""
    state = operands.first.state
    for dim in operands.integers("dims") or (operands.dim(default=-1),):
        state = still_along(operands, dim)
    return state


def still_along(operands: Operands, dim: int) -> Dependence:
    """The first tensor's state, which must have no positions along a dimension.

    Raises:
        Untold: it has.
    """
    state = operands.first.state
    if any(part.place.dim == dim % len(operands.first.shape) for part in state.parts):
        raise Untold
    return state


def _swapped(operands: Operands, rank: int) -> tuple[int, int]:
    name = operands.operation.name.removesuffix("_")
    if name == "aten.t":
        return (0, 1) if rank == 2 else (0, 0)
    if name in ("aten.mT", "aten.adjoint"):
        return rank - 2, rank - 1
    one = operands.integers("dim0") or operands.integers("axis0")
    other = operands.integers("dim1") or operands.integers("axis1")
    if not one or not other:
        raise Untold
    return one[0] % rank, other[0] % rank
