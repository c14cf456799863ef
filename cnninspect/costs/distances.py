"""Distances and similarities, from the operation to its law.

A similarity is a dot product of two vectors, a Euclidean distance a dot product of their difference
with itself: one multiply-accumulate for each coordinate of each pair, as in the form of it that is
a matrix product, |x|² - 2xy + |y|².  Dividing by lengths, as a cosine does, is normalisation, and
not counted.  Distances of another kind sum no products: they are unknown.
"""

from __future__ import annotations

from math import prod

from cnninspect.costs import laws
from cnninspect.costs.laws import NotCounted, Terms
from cnninspect.costs.products import Formula, Shape, broadcast
from cnninspect.records.operations import Operation


def dots_of(left: str, right: str, *, default: int = -1) -> Formula:
    """A formula: dot products of two tensors that broadcast, along `dim`, which has a default."""

    def dots(operation: Operation) -> Terms:
        shape = broadcast(operation.tensor(left).shape, operation.tensor(right).shape)
        dim = operation.argument("dim", default)
        return _pairs(shape, dim if isinstance(dim, int) else default)

    return dots


def distances_of(left: str, right: str) -> Formula:
    """A formula: distances between the rows of two tensors that broadcast."""

    def distances(operation: Operation) -> Terms:
        _check_euclidean(operation)
        return _pairs(broadcast(operation.tensor(left).shape, operation.tensor(right).shape), -1)

    return distances


def dots_backward_of(left: str, right: str) -> Formula:
    """A formula: the gradients of dots or distances of two tensors that broadcast.

    Each is a product for each coordinate, which is free, unless a tensor was spread over the other:
    then its gradient sums them up, as many as forward.
    """

    def backward(operation: Operation) -> Terms:
        _check_euclidean(operation)
        tensors = operation.tensor(left), operation.tensor(right)
        shape = broadcast(tensors[0].shape, tensors[1].shape)
        mask = operation.argument("output_mask")
        wanted = mask if isinstance(mask, tuple) else (True, True)
        spread = [t for t, w in zip(tensors, wanted) if w and t.numel < prod(shape)]
        return _pairs(shape, -1) * len(spread)

    return backward


def all_distances_of(left: str, right: str) -> Formula:
    """A formula: each row of one (…, rows, width) with each row of another (…, columns, width)."""

    def distances(operation: Operation) -> Terms:
        _check_euclidean(operation)
        one, other = operation.tensor(left).shape, operation.tensor(right).shape
        batch = prod(broadcast(one[:-2], other[:-2]))
        return laws.matrix_product(batch=batch, rows=one[-2], inner=one[-1], columns=other[-2])

    return distances


def distances_within(operation: Operation) -> Terms:
    """`pdist`: each pair of rows of (rows, width)."""
    _check_euclidean(operation)
    rows, width = operation.tensor("self").shape
    return laws.matrix_product(rows=rows * (rows - 1) // 2, inner=width, columns=1)


def distances_within_backward(operation: Operation) -> Terms:
    """Each pair of rows adds to the gradients of both."""
    return distances_within(operation) * 2


def triplet_loss(operation: Operation) -> Terms:
    """Two distances from the anchor, and with `swap` the one between the others too."""
    _check_euclidean(operation)
    names = ("anchor", "positive", "negative")
    first, second, third = (operation.tensor(name).shape for name in names)
    pairs = [(first, second), (first, third)]
    if operation.argument("swap"):
        pairs.append((second, third))
    return tuple(term for pair in pairs for term in _pairs(broadcast(*pair), -1))


def _pairs(shape: Shape, dim: int) -> Terms:
    length = shape[dim] if shape else 1
    rows = prod(shape) // length if length else 0
    return laws.matrix_product(rows=rows, inner=length, columns=1)


def _check_euclidean(operation: Operation) -> None:
    power = operation.argument("p", 2)
    if power != 2:
        raise NotCounted(f"a distance of power {power} sums no products")


FORMULAS: dict[str, Formula] = {
    "aten.linalg_vecdot": dots_of("x", "y"),
    "aten.cosine_similarity": dots_of("x1", "x2", default=1),
    "aten.cosine_embedding_loss": dots_of("input1", "input2"),
    "aten.pairwise_distance": distances_of("x1", "x2"),
    "aten.dist": distances_of("self", "other"),
    "aten.triplet_margin_loss": triplet_loss,
    "aten._cdist_forward": all_distances_of("x1", "x2"),
    "aten._cdist_backward": all_distances_of("x1", "x2"),
    "aten.cdist": all_distances_of("x1", "x2"),
    "aten._euclidean_dist": all_distances_of("x1", "x2"),
    "aten._pdist_forward": distances_within,
    "aten.pdist": distances_within,
    "aten._pdist_backward": distances_within_backward,
    "autograd.vecdot_backward": dots_backward_of("x", "y"),
    "autograd.cosine_similarity_backward": dots_backward_of("x1", "x2"),
    "autograd.pairwise_distance_backward": dots_backward_of("x1", "x2"),
}
"""By operator; `autograd` is for what has none, and a `_cdist_backward` for one of two tensors."""
