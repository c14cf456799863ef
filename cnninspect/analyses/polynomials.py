"""Polynomials that go exactly through points, with fractions for coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

Point = tuple[Fraction, int]
Coefficients = tuple[Fraction, ...]
"""By power, from 0."""

MOST_DEGREE = 6
SPARE = 2
"""Points beside those that determine a polynomial, at which it must be right as well."""


def fit(points: Sequence[Point]) -> Coefficients | None:
    """The polynomial of the lowest degree through all points; None where there is none.

    At least two points must confirm what the others determine, so that chance cannot.

    >>> fit([(Fraction(x), 3 * x * x + 1) for x in range(1, 6)])
    (Fraction(1, 1), Fraction(0, 1), Fraction(3, 1))
    """
    for degree in range(min(MOST_DEGREE, len(points) - 1 - SPARE) + 1):
        found = interpolated(points[: degree + 1])
        if all(value_at(found, x) == y for x, y in points[degree + 1 :]):
            return found
    return None


def interpolated(points: Sequence[Point]) -> Coefficients:
    """The polynomial of the lowest degree through these points, by Newton's differences."""
    xs = [x for x, _ in points]
    differences = [Fraction(y) for _, y in points]
    for order in range(1, len(points)):
        for i in range(len(points) - 1, order - 1, -1):
            rise = differences[i] - differences[i - 1]
            differences[i] = rise / (xs[i] - xs[i - order])
    coefficients = [Fraction(0)]
    for x, difference in zip(reversed(xs), reversed(differences)):
        shifted = [Fraction(0), *coefficients]  # times the variable
        for power, value in enumerate(coefficients):
            shifted[power] -= x * value
        shifted[0] += difference
        coefficients = shifted
    while len(coefficients) > 1 and coefficients[-1] == 0:
        coefficients.pop()
    return tuple(coefficients)


def value_at(coefficients: Coefficients, x: Fraction) -> Fraction:
    """The polynomial's value."""
    value = Fraction(0)
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value
