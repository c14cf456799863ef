"""The laws by which a network grows: exact polynomials of one of its sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cnninspect.commands.scale.report import Law, LayerShare, Rational, ScalingPoint, Term
from cnninspect.metrics.summarizing import costed_calls
from cnninspect.metrics.summary import Counts
from cnninspect.records.traces import Trace

QUANTITIES = ("macs", "parameters", "activations")


@dataclass(frozen=True, slots=True)
class Sample:
    """A network at one size."""

    size: Fraction
    own: Mapping[str, Counts]
    """What each layer has and does by itself, by path."""

    def total(self, quantity: str) -> int:
        """A quantity of the whole network."""
        return sum(getattr(counts, quantity) for counts in self.own.values())


def sample_of(size: Fraction, trace: Trace) -> Sample:
    """A trace as a sample: its counts alone."""
    own = {
        layer.path: Counts(
            parameters=sum(p.spec.numel for p in layer.parameters if p.shared_with is None)
        )
        for layer in trace.layers
    }
    for call, costed in costed_calls(trace):
        cost = costed.cost
        if cost.macs or cost.activations:
            own[call.layer] += Counts(macs=cost.macs, activations=cost.activations)
    return Sample(size, own)


def laws_of(samples: Sequence[Sample]) -> tuple[Law, ...]:
    """The law of each quantity, from the same network at several sizes."""
    return tuple(_law(samples, quantity) for quantity in QUANTITIES)


def points_of(samples: Sequence[Sample]) -> tuple[ScalingPoint, ...]:
    """The totals at each size."""
    return tuple(
        ScalingPoint(
            rational(sample.size),
            sample.total("parameters"),
            sample.total("macs"),
            sample.total("activations"),
        )
        for sample in samples
    )


def rational(value: Fraction) -> Rational:
    """A fraction as a record."""
    return Rational(value.numerator, value.denominator)


def _law(samples: Sequence[Sample], quantity: str) -> Law:
    totals = [(sample.size, sample.total(quantity)) for sample in samples]
    found = fit(totals)
    if found is None:
        return Law(quantity, (), (), (), _exponent(totals))
    shares = _shares(samples, quantity)
    terms = tuple(
        Term(power, rational(found[power]), _bringing(shares, power))
        for power in range(len(found) - 1, -1, -1)
        if found[power] or len(found) == 1
    )
    sizes = tuple(rational(sample.size) for sample in samples)
    return Law(quantity, terms, sizes[: len(found)], sizes[len(found) :], _exponent(totals))


def _exponent(totals: Sequence[tuple[Fraction, int]]) -> float | None:
    (low, first), (high, last) = min(totals), max(totals)
    if first <= 0 or last <= 0 or high == low:
        return None
    return math.log(last / first) / math.log(high / low)


def _shares(samples: Sequence[Sample], quantity: str) -> dict[str, Coefficients]:
    """The polynomial of each layer by itself.

    Where layers come and go with the size, as with the depth, those right under the model stand
    for all that is under them; what still cannot be told is left out.
    """
    by_layer = [
        {path: getattr(counts, quantity) for path, counts in sample.own.items()}
        for sample in samples
    ]
    if len({frozenset(own) for own in by_layer}) > 1:
        by_layer = [_by_child(own) for own in by_layer]
    found = {}
    for path in by_layer[-1]:
        polynomial = fit([(s.size, own.get(path, 0)) for s, own in zip(samples, by_layer)])
        if polynomial is not None:
            found[path] = polynomial
    return found


def _by_child(own: Mapping[str, int]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for path, value in own.items():
        child = path.partition(".")[0]
        totals[child] = totals.get(child, 0) + value
    return totals


def _bringing(shares: Mapping[str, Coefficients], power: int) -> tuple[LayerShare, ...]:
    found = [
        (path, polynomial[power])
        for path, polynomial in shares.items()
        if len(polynomial) > power and polynomial[power]
    ]
    found.sort(key=lambda item: -item[1])
    return tuple(LayerShare(path, rational(value)) for path, value in found)


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
