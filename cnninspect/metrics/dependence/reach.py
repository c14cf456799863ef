"""An interval of input positions that moves with the position of the element that needs it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor, lcm
from typing import NamedTuple, Union

Number = Union[int, Fraction]


class Untold(Exception):
    """What an element depends on cannot be told."""


class Reach(NamedTuple):
    """What an element at position q depends on: from `at(q)[0]` to `at(q)[1]`, both included.

        low + jump · ⌈rate · q + first⌉   up to   high + jump · ⌊rate · q + last⌋

    Windows that slide over the tensor before only change `low`, `high` and `jump`: `rate` is then 1
    and `first` and `last` are 0.  The rest is for up-sampling, where several neighbours depend on
    the same position of a coarser tensor: `jump` is the distance of *its* positions, and the
    rounding says which of them an element meets.
    """

    low: int = 0
    high: int = 0
    jump: int = 1
    rate: Number = 1
    first: Number = 0
    last: Number = 0

    def at(self, position: int) -> tuple[int, int]:
        """First and last input position that the element at `position` depends on."""
        if self.rate == 1:
            start = self.jump * position
            return self.low + start, self.high + start
        middle = self.rate * position
        return (
            self.low + self.jump * ceil(middle + self.first),
            self.high + self.jump * floor(middle + self.last),
        )

    def through(self, rate: Number, first: Number, last: Number) -> Reach:
        """The reach of an element that takes in those from ⌈rate·q + first⌉ to ⌊rate·q + last⌋.

        `self` is the reach of the elements taken in, q the position of the one that takes them.

        Raises:
            Untold: two roundings after one another that are not the same as one.
        """
        if not _rounds_once(self, rate, first, last):
            raise Untold
        inner = self.rate
        rate, first, last = inner * rate, self.first + inner * first, self.last + inner * last
        n = rate.denominator
        if n != 1:  # rate · q is a multiple of 1/n, so that finer shifts make no difference
            first, last = Fraction(ceil(first * n), n), Fraction(floor(last * n), n)
            return Reach(self.low, self.high, self.jump, rate, first, last)
        return Reach(
            self.low + self.jump * ceil(first),
            self.high + self.jump * floor(last),
            self.jump * int(rate),
        )

    @property
    def period(self) -> int:
        """After how many positions the number of input positions repeats itself."""
        return self.rate.denominator


def _rounds_once(reach: Reach, rate: Number, first: Number, last: Number) -> bool:
    """Whether rounding an inner position and then the outer one is rounding once.

    ⌈(⌈x⌉ + n) / m⌉ = ⌈(x + n) / m⌉ for whole n and m, and the same for ⌊ ⌋.
    """
    if reach.rate == 1 or rate.denominator == first.denominator == last.denominator == 1:
        return True
    m = reach.rate.denominator
    return (
        reach.rate.numerator == 1
        and (m * reach.first).denominator == 1
        and (m * reach.last).denominator == 1
    )


def joined(one: Reach, other: Reach, size: int) -> Reach | None:
    """The reach of an element that depends on both, of `size` such elements; None: keep both."""
    if one == other:
        return one
    if (one.jump, *one[3:]) == (other.jump, *other[3:]):
        return one._replace(low=min(one.low, other.low), high=max(one.high, other.high))
    positions = range(size)
    if one.jump * one.rate == other.jump * other.rate:
        positions = range(lcm(one.period, other.period))
    for inner, outer in ((one, other), (other, one)):
        if all(is_within(inner.at(q), outer.at(q)) for q in positions):
            return outer
    return None


def is_within(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    """Whether one interval lies in the other."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def hull(intervals: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The smallest interval around all."""
    lows, highs = zip(*intervals)
    return min(lows), max(highs)
