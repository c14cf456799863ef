"""Where the positions of the input are found in a tensor, and what a view makes of that."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from cnninspect.metrics.dependence.reach import Untold

Shape = tuple[int, ...]


class Place(NamedTuple):
    """Where the positions of an input's dimension are found in a tensor.

    The element with index i along `dim` has position (i − offset) // inner mod `size`, if i lies
    in the `extent` elements from `offset` on.  A dimension that holds nothing else has `inner` 1
    and `offset` 0; one that heights and widths were flattened into holds both.
    """

    dim: int
    size: int
    inner: int
    offset: int
    extent: int

    def is_all_of(self, shape: Shape) -> bool:
        """Whether the dimension holds nothing else."""
        return self.inner == 1 and self.offset == 0 and self.size == shape[self.dim]


def whole(dim: int, size: int) -> Place:
    """The place of positions that have a dimension to themselves."""
    return Place(dim, size, 1, 0, size)


def place_in_view(place: Place, shape: Shape, to: Shape) -> Place | None:
    """Where the same elements are found after a change of shape; None: nowhere in particular.

    Raises:
        Untold: the positions are now spread over several dimensions.
    """
    from_end = place.dim - len(shape)
    if len(to) >= -from_end and to[from_end:] == shape[from_end:]:
        return place._replace(dim=len(to) + from_end)
    if place.size == 1:
        return None
    after = prod(shape[place.dim + 1 :])
    is_whole = place.offset == 0 and place.extent == shape[place.dim]
    weight = place.inner * after  # elements from one position to the next
    below = 1
    for dim in reversed(range(len(to))):
        if below == after and to[dim] == shape[place.dim]:
            return place._replace(dim=dim)
        if is_whole and weight % below == 0 and to[dim] % (weight // below * place.size) == 0:
            return Place(dim, place.size, weight // below, 0, to[dim])
        below *= to[dim]
        if below > weight:
            break
    raise Untold
