"""What is known of a whole tensor, and how that combines with what is known of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cnninspect.metrics.dependence.axes import (
    Axis,
    Moving,
    extent_along,
    fix,
    fix_along,
    placed,
    union,
)
from cnninspect.metrics.dependence.places import Shape


class Dependence(NamedTuple):
    """What the elements of a tensor depend on."""

    axes: tuple[Axis, ...]
    """By spatial dimension of the input."""
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

    def each(self, change: Callable[[Axis], Axis]) -> Dependence:
        """The same with each axis changed."""
        return self._replace(axes=tuple(map(change, self.axes)))


def combine(states: Sequence[Dependence]) -> Dependence:
    """The state of elements that depend on one element of each, all of one shape."""
    first, *others = [state for state in states if not state.is_constant] or states[:1]
    if not others:
        return first._replace(is_rearranged=False) if first.is_rearranged else first
    together = zip(first.axes, *(other.axes for other in others))
    return Dependence(tuple(union(axes) for axes in together))


def place_anew(state: Dependence, dims: Sequence[int | None]) -> Dependence:
    """The same with dimension d become `dims[d]`; None: all along it have been taken together."""
    return state.each(lambda axis: placed(axis, dims))


def all_of(state: Dependence, dim: int | None = None) -> Dependence:
    """The state of elements that depend on all along a dimension, None: on the whole tensor."""
    return state.each(lambda axis: fix_along(axis, dim))


def broadcast(state: Dependence, shape: Shape, to: Shape) -> Dependence:
    """The state of a tensor that is repeated along its dimensions of size 1, and new ones."""
    if shape == to or state.is_constant:
        return state
    shift = len(to) - len(shape)
    repeated = {shift + d for d, size in enumerate(shape) if size == 1 and to[shift + d] != 1}

    def repeat(axis: Axis) -> Axis:
        axis = placed(axis, range(shift, len(to)))
        return fix(axis, [part for part in axis.moving if part.place.dim in repeated])

    return state.each(repeat)


def extent_of(state: Dependence, sizes: Sequence[int]) -> tuple[int, ...] | None:
    """Input positions that the middle element depends on, by dimension; None: cannot be told.

    `sizes` are those of the input.
    """
    extents = [extent_along(axis, size) for axis, size in zip(state.axes, sizes)]
    return None if None in extents else tuple(e for e in extents if e is not None)
