"""Operations that move elements about: views, transpositions, parts and joins."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from cnninspect.metrics.dependence.axes import Axis, Moving, bounded, changed, fix, placed
from cnninspect.metrics.dependence.operands import Operands
from cnninspect.metrics.dependence.places import place_in_view
from cnninspect.metrics.dependence.reach import Untold
from cnninspect.metrics.dependence.shares import SOMEWHERE, share_in_view, some_along
from cnninspect.metrics.dependence.states import Dependence, broadcast, place_anew


def view(operands: Operands) -> Dependence:
    """Another shape of the same elements in the same order."""
    state, shape, to = operands.first.state, operands.first.shape, operands.out
    if shape == to or state.is_constant:
        return state
    if prod(shape) == 0:
        raise Untold

    def rearrange(axis: Axis) -> Axis:
        placed = [(part, place_in_view(part.place, shape, to)) for part in axis.moving]
        axis = fix(axis, [part for part, place in placed if not place])
        moving = tuple(Moving(place, part.reach) for part, place in placed if place)
        share = axis.share and share_in_view(axis.share, shape, to)
        return axis._replace(moving=moving, share=share)

    return state.each(rearrange)


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
    return state.each(lambda axis: changed(axis, extend))._replace(is_rearranged=False)


def restride(operands: Operands) -> Dependence:
    """The same shape with other strides, where no order of positions can be meant."""
    state = operands.first.state
    has_order = any(part.place.size > 1 for part in state.parts)
    if operands.first.shape != operands.out or has_order:
        raise Untold
    return state


def shuffle_channels(operands: Operands) -> Dependence:
    """Channels (dimension 1) in another order."""
    share = some_along(1, operands.out[1])
    return still_along(operands, 1).each(lambda axis: axis._replace(share=axis.share and share))


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
    if is_mask or len(operands.tensors) != 2 or not index.state.is_constant:
        raise Untold
    more = len(index.shape) - 1
    moved = [d + more * (d > dims[0]) for d in range(len(given.shape))]

    def choose(axis: Axis) -> Axis:
        is_varied = axis.share and axis.share.place.dim in (dims[0], SOMEWHERE.place.dim)
        return placed(bounded(axis) if is_varied else axis, moved)

    return still_along(operands, dims[0]).each(choose)._replace(is_rearranged=False)


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
