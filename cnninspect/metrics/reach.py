"""What the elements of a tensor depend on in the network's input, and how that combines.

Along a dimension of the input, an element depends on an interval of positions that moves with its
own (`Reach`), on a fixed one such as the whole, or on both (`Axis`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction
from math import ceil, floor, lcm
from typing import NamedTuple, Union

from cnninspect.records.operations import Operation

Shape = tuple[int, ...]
Interval = tuple[int, int]
"""First and last input position."""
Number = Union[int, Fraction]


class Untold(Exception):
    """What an element depends on cannot be told."""


class Reach(NamedTuple):
    """What an element at position q depends on: from `at(q)[0]` to `at(q)[1]`, both included.

        low + jump · ⌈rate · q + first⌉   up to   high + jump · ⌊rate · q + last⌋

    Windows that slide over the tensor only change `low`, `high` and `jump`; the rest is for
    up-sampling, where several neighbours depend on the same position of a coarser tensor: `jump` is
    the distance of *its* positions, and the rounding says which of them an element meets.
    """

    low: int = 0
    high: int = 0
    jump: int = 1
    rate: Number = 1
    first: Number = 0
    last: Number = 0

    def at(self, position: int) -> Interval:
        """First and last input position that the element at `position` depends on."""
        middle = self.rate * position
        low, high = ceil(middle + self.first), floor(middle + self.last)
        return self.low + self.jump * low, self.high + self.jump * high

    def through(self, rate: Number, first: Number, last: Number) -> Reach:
        """The reach of an element that takes in those from ⌈rate·q + first⌉ to ⌊rate·q + last⌋.

        Raises:
            Untold: two roundings after one another that are not the same as one.
        """
        inner, m = self.rate, self.rate.denominator
        # ⌈(⌈x⌉ + n) / m⌉ = ⌈(x + n) / m⌉ for whole n and m, and the same for ⌊ ⌋.
        is_whole = rate.denominator == first.denominator == last.denominator == 1
        nests = inner.numerator == (m * self.first).denominator == (m * self.last).denominator == 1
        if not (inner == 1 or is_whole or nests):
            raise Untold
        rate, first, last = inner * rate, self.first + inner * first, self.last + inner * last
        n = rate.denominator
        if n != 1:  # rate · q is a multiple of 1/n, so that finer shifts make no difference
            first, last = Fraction(ceil(first * n), n), Fraction(floor(last * n), n)
            return Reach(self.low, self.high, self.jump, rate, first, last)
        low, high = self.low + self.jump * ceil(first), self.high + self.jump * floor(last)
        return Reach(low, high, self.jump * int(rate))


class Moving(NamedTuple):
    """Positions that lie along a dimension: index i has position (i // inner) mod size."""

    dim: int
    size: int
    reach: Reach = Reach()
    inner: int = 1
    """More than 1 where other positions were flattened into the same dimension."""

    @property
    def range(self) -> Interval:
        """What all elements together depend on."""
        return self.reach.at(0)[0], self.reach.at(self.size - 1)[1]


ANY = -1
"""A dimension that is not known, and so is never taken together."""


class Axis(NamedTuple):
    """What the elements of a tensor depend on along one dimension of the input."""

    moving: tuple[Moving, ...] = ()
    """According to their position."""
    fixed: Interval | None = None
    """All alike, as after global pooling."""
    varies: frozenset[int] = frozenset()
    """Dimensions along which some elements depend on less, as where channels with different fields
    lie side by side."""
    is_reached: bool = True
    """Whether some element depends on all of it, not only several together."""

    @property
    def is_untouched(self) -> bool:
        """Whether each element depends on its own position alone."""
        return len(self.moving) == 1 and not self.fixed and self.moving[0].reach == Reach()


class Dependence(NamedTuple):
    """What the elements of a tensor depend on."""

    axes: tuple[Axis, ...]
    """By spatial dimension of the input."""
    is_view: bool = False
    """Whether it shares memory with a tensor of another arrangement."""

    @property
    def is_constant(self) -> bool:
        """Whether nothing depends on the input."""
        return not any(axis.moving or axis.fixed for axis in self.axes)

    def each(self, change: Callable[[Axis], Axis], *, is_view: bool = False) -> Dependence:
        """The same with each axis changed."""
        return Dependence(tuple(map(change, self.axes)), is_view)

    def holds(self, *dims: int) -> bool:
        """Whether positions lie along any of these dimensions."""
        return any(part.dim in dims for axis in self.axes for part in axis.moving)


def hull(*intervals: Interval | None) -> Interval | None:
    """The smallest interval around all that there are."""
    ends = list(zip(*(interval for interval in intervals if interval)))
    return (min(ends[0]), max(ends[1])) if ends else None


def is_within(inner: Interval, outer: Interval) -> bool:
    """Whether one interval lies in the other."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


MOST_PARTS = 4
"""Moving parts that are kept; with more, nothing is told."""


def with_part(moving: Sequence[Moving], part: Moving) -> tuple[Moving, ...]:
    """Moving parts with one more, made one with another of its place where that says the same."""
    new = part.reach
    for i, known in enumerate(moving):
        old, joined = known.reach, None
        if known._replace(reach=new) != part:
            continue
        if (old.jump, *old[3:]) == (new.jump, *new[3:]):
            joined = old._replace(low=min(old.low, new.low), high=max(old.high, new.high))
        elif old.jump * old.rate == new.jump * new.rate:
            period = lcm(old.rate.denominator, new.rate.denominator)
            pairs = [(old.at(q), new.at(q)) for q in range(period)]
            if all(is_within(b, a) for a, b in pairs):
                joined = old
            elif all(is_within(a, b) for a, b in pairs):
                joined = new
        if joined:
            return (*moving[:i], known._replace(reach=joined), *moving[i + 1 :])
    if len(moving) == MOST_PARTS:
        raise Untold
    return (*moving, part)


def united(axes: Sequence[Axis], beside: int | None = None) -> Axis:
    """What elements depend on that each take in one of every tensor, all of one shape.

    With `beside`, each element is of one tensor instead: they lie side by side along that
    dimension.
    """
    known = [axis for axis in axes if axis.moving or axis.fixed] or axes[:1]
    if all(axis == known[0] for axis in known) and (beside is None or len(known) == len(axes)):
        return known[0]
    moving = known[0].moving
    for part in (part for axis in known[1:] for part in axis.moving):
        moving = with_part(moving, part)
    whole = Axis(moving, hull(*(axis.fixed for axis in known)))
    full = [axis for axis in known if axis.is_reached and axis[:2] == whole[:2]]
    full.sort(key=lambda axis: len(axis.varies))
    varies = frozenset[int]().union(*(axis.varies for axis in full[:1] or known))
    if beside is not None:
        return whole._replace(varies=varies | {beside}, is_reached=bool(full))
    uneven = [axis for axis in known if axis.varies]
    is_reached = bool(full) or not uneven or (len(uneven) == 1 and uneven[0].is_reached)
    return whole._replace(varies=varies, is_reached=is_reached)


def combined(states: Iterable[Dependence], beside: int | None = None) -> Dependence:
    """The state of elements that depend on one element of each, or lie `beside` one another."""
    axes = zip(*(state.axes for state in states))
    return Dependence(tuple(united(of_each, beside) for of_each in axes))


def taken(axis: Axis, gone: Collection[int], *, stays: bool = False) -> Axis:
    """The axis of elements that take in all along some dimensions.

    With `stays`, they go on to depend on their own position too.
    """
    parts = [part for part in axis.moving if part.dim in gone]
    varies = axis.varies.difference(gone)
    if not parts and varies == axis.varies:
        return axis
    left = axis.moving if stays else tuple(part for part in axis.moving if part.dim not in gone)
    fixed = hull(axis.fixed, *(part.range for part in parts))
    return Axis(left, fixed, varies, axis.is_reached or not varies)


def moved(axis: Axis, dims: Sequence[int | None]) -> Axis:
    """The same with dimension d become `dims[d]`; None: all along it have been taken together."""
    axis = taken(axis, [d for d, new in enumerate(dims) if new is None])
    new = {d: to for d, to in enumerate(dims) if to is not None}
    parts = tuple(part._replace(dim=new[part.dim]) for part in axis.moving)
    return axis._replace(moving=parts, varies=frozenset(new.get(d, d) for d in axis.varies))


def some_of(axis: Axis, dims: Iterable[int]) -> Axis:
    """The axis of some elements along dimensions, nobody knows which."""
    if axis.varies.isdisjoint(dims):
        return axis
    return axis._replace(varies=frozenset({ANY}), is_reached=False)


# --- what an operation is given ---


class Operand(NamedTuple):
    """A tensor argument of an operation."""

    name: str
    """The argument it is, or is in a list of."""
    shape: Shape
    state: Dependence


class Operands(NamedTuple):
    """The tensors that an operation is given, and its plain arguments."""

    operation: Operation
    tensors: tuple[Operand, ...]
    constant: Dependence
    """The state of a tensor that does not depend on the input."""

    @property
    def out(self) -> Shape:
        """Shape of the first result."""
        return self.operation.output.shape

    def integers(self, *names: str) -> Shape:
        """The first of these arguments that was given, as a tuple; empty where none was.

        Raises:
            Untold: it is something else.
        """
        value = next((v for k, v in self.operation.arguments if k in names and v is not None), ())
        values = value if isinstance(value, tuple) else (value,)
        whole = tuple(v for v in values if isinstance(v, int))
        if len(whole) != len(values):
            raise Untold
        return whole

    def by_dimension(self, name: str, rank: int, default: int) -> Shape:
        """One value of an argument for each of `rank` dimensions."""
        values = self.integers(name) or (default,)
        return values * rank if len(values) == 1 else values

    def dims(self, default: int = 0) -> list[int]:
        """The argument `dim` or `dims`, of the first tensor and counted from the front."""
        rank = max(len(self.tensors[0].shape), 1)
        return [d % rank for d in self.integers("dim", "dims") or (default,)]


def broadcast(tensor: Operand, to: Shape) -> Dependence:
    """The state of a tensor that is repeated along its dimensions of size 1, and new ones."""
    shape, state = tensor.shape, tensor.state
    if shape == to or state.is_constant:
        return state
    shift = len(to) - len(shape)
    repeated = [d for d, size in enumerate(shape) if size == 1 and to[shift + d] != 1]
    dims = range(shift, len(to))
    return state.each(lambda axis: moved(taken(axis, repeated), dims), is_view=state.is_view)
