"""Which elements of a tensor depend on as much as is known of it, where not all do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cnninspect.metrics.dependence.places import Place, Shape, place_in_view, whole
from cnninspect.metrics.dependence.reach import Untold

NONE_KNOWN = -1
"""For `Share.digit`: no element can be named."""


class Share(NamedTuple):
    """Elements along a dimension that depend on more than their neighbours.

    They are those with (i − offset) // inner mod size equal to `digit`, in the words of `Place`:
    after a join of two halves, the half with the larger receptive field.
    """

    place: Place
    digit: int

    def has(self, index: int) -> bool:
        """Whether the element with this index along the dimension is among them."""
        place = self.place
        i = index - place.offset
        return 0 <= i < place.extent and i // place.inner % place.size == self.digit

    def among(self, start: int, count: int) -> Share | bool:
        """Those among `count` elements from `start` on, which are a tensor now.

        True: all of them are; False: none can be named.
        """
        place = self.place
        met = [self.has(i) for i in range(start, start + count)]
        if all(met):
            return True
        period = place.inner * place.size
        if place.size > 1 and not (start - place.offset) % period and any(met):
            return self._replace(place=place._replace(offset=0, extent=count))
        if not any(met):
            return False
        return part(place.dim, count, met.index(True), sum(met[met.index(True) :]))


SOMEWHERE = Share(Place(-1, 1, 1, 0, 0), NONE_KNOWN)
"""Some elements, along a dimension that is not known."""


def some_along(dim: int, size: int) -> Share:
    """Some elements along a dimension."""
    return Share(whole(dim, size), NONE_KNOWN)


def part(dim: int, size: int, start: int, count: int) -> Share:
    """The `count` elements from `start` on, of `size` along a dimension."""
    if size % count == 0 and start % count == 0:
        return Share(Place(dim, size // count, count, 0, size), start // count)
    return Share(Place(dim, 1, count, start, count), 0)


def share_anew(share: Share, dims: Sequence[int | None]) -> Share | None:
    """The same with dimension d become `dims[d]`; None: all along it have been taken together."""
    if share == SOMEWHERE:
        return share
    dim = dims[share.place.dim]
    return None if dim is None else share._replace(place=share.place._replace(dim=dim))


def share_in_view(share: Share, shape: Shape, to: Shape) -> Share:
    """The same after a change of shape."""
    if share == SOMEWHERE:
        return share
    try:
        place = place_in_view(share.place, shape, to)
    except Untold:
        return SOMEWHERE
    return share._replace(place=place) if place else SOMEWHERE
