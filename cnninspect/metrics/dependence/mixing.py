"""Operations whose elements take in all along a dimension: sums, products, attention."""

from __future__ import annotations

from collections.abc import Callable

from cnninspect.metrics.dependence.axes import fix_along
from cnninspect.metrics.dependence.operands import Operand, Operands
from cnninspect.metrics.dependence.places import Shape
from cnninspect.metrics.dependence.reach import Untold
from cnninspect.metrics.dependence.states import Dependence, broadcast, combine, place_anew
from cnninspect.records.tensors import TensorSpec

Rule = Callable[[Operands], Dependence]


def elementwise(operands: Operands) -> Dependence:
    """One element of each tensor, smaller ones repeated."""
    tensors, out = operands.tensors, operands.out
    if len(tensors) == 1 and tensors[0].shape == out:
        return combine((tensors[0].state,))
    return combine([broadcast(tensor.state, tensor.shape, out) for tensor in tensors])


def first_alone(operands: Operands) -> Dependence:
    """The first tensor element by element, the others being constants.

    So it is for normalisation: each element is scaled and shifted.  The mean and variance of
    others that it is scaled with, if they are not learned, are left out by convention.
    """
    for tensor in operands.tensors[1:]:
        if not tensor.state.is_constant:
            raise Untold
    return combine((operands.first.state,))


def copy(operands: Operands) -> Dependence:
    """The second tensor, written over the first."""
    source = operands.tensors[-1]
    return combine((broadcast(source.state, source.shape, operands.out),))


def reduction(operands: Operands) -> Dependence:
    """All along some dimensions, or the whole tensor, taken together."""
    if any(tensor.name == "other" for tensor in operands.tensors):
        return elementwise(operands)  # the maximum of two tensors
    rank, out = len(operands.first.shape), operands.out
    gone = {d % rank for d in operands.integers("dim")} if rank else set()
    if not gone:
        gone = set(range(rank))
    keeps = operands.operation.argument("keepdim") is True
    dims = [
        None if d in gone else d if keeps else d - sum(g < d for g in gone) for d in range(rank)
    ]
    if len(out) != (rank if keeps else rank - len(gone)):
        raise Untold
    return combine((place_anew(operands.first.state, dims),))


def softmax(operands: Operands) -> Dependence:
    """Each element with all along a dimension."""
    dim = operands.dim(default=-1)
    return combine((operands.first.state.each(lambda axis: fix_along(axis, dim, stays=True)),))


def product_of(left: str, right: str) -> Rule:
    """A rule: the matrix product of the arguments of these names, plus what else there is."""

    def rule(operands: Operands) -> Dependence:
        one, other = operands.named(left), operands.named(right)
        if min(len(one.shape), len(other.shape)) < 2:
            raise Untold
        states = [_taken_in(one, operands.out, -1), _taken_in(other, operands.out, -2)]
        if operands.operation.argument("beta") != 0:
            states += [
                broadcast(tensor.state, tensor.shape, operands.out)
                for tensor in operands.tensors
                if tensor.name not in (left, right)
            ]
        return combine(states)

    return rule


def linear(operands: Operands) -> Dependence:
    """The last dimension times a matrix of constants."""
    for tensor in operands.tensors[1:]:
        if not tensor.state.is_constant:
            raise Untold
    return combine((_taken_in(operands.first, operands.out, -1),))


def attention(operands: Operands) -> Dependence:
    """Each query with all keys and values.

    A mask of numbers is taken for a bias that lets everything through.
    """
    mask = operands.operation.argument("attn_mask")
    is_restricted = isinstance(mask, TensorSpec) and mask.dtype == "bool"
    if is_restricted or operands.operation.argument("is_causal"):
        raise Untold
    taken = {"query": (-1,), "key": (-2, -1), "value": (-2,), "attn_mask": (-1,)}
    return combine(
        [_taken_in(tensor, operands.out, *taken[tensor.name]) for tensor in operands.tensors]
    )


def _taken_in(tensor: Operand, out: Shape, *gone: int) -> Dependence:
    """The state of results that take in all along some of a tensor's last two dimensions.

    The dimensions before those are a batch, repeated where smaller than that of the result.
    """
    shift, rank = len(out) - len(tensor.shape), len(tensor.shape)
    as_wide = (*out[: shift + max(rank - 2, 0)], *tensor.shape[-2:])
    state = broadcast(tensor.state, tensor.shape, as_wide)
    return place_anew(state, [None if d - len(out) in gone else d for d in range(len(out))])
