"""Up- and down-sampling by a fixed rule."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import lcm

from cnninspect.metrics.dependence.operands import Operands
from cnninspect.metrics.dependence.reach import Untold
from cnninspect.metrics.dependence.sliding import Slide, rank_of, slide_over
from cnninspect.metrics.dependence.states import Dependence
from cnninspect.records.operations import Operation


def nearest(operands: Operands) -> Dependence:
    """Up- or down-sampling to the nearest position, ⌊q·r⌋; `exact` takes ⌊(q + ½)·r⌋."""
    is_exact = "exact" in operands.operation.name

    def slide(size: int, out: int) -> Slide:
        ratio = Fraction(size, out)
        shift = ratio / 2 if is_exact else Fraction(0)
        part = Fraction(1, lcm(ratio.denominator, shift.denominator))
        return Slide(ratio, shift + part - 1, shift)

    return _resample(operands, slide)


def interpolation(before: int, after: int) -> Callable[[Operands], Dependence]:
    """A rule: interpolation between `before` positions up to the exact one and `after` beyond.

    Where the exact position is one of the input's, that alone counts.
    """

    def rule(operands: Operands) -> Dependence:
        has_corners = operands.operation.argument("align_corners") is True

        def slide(size: int, out: int) -> Slide:
            if has_corners:
                ratio = Fraction(size - 1, out - 1) if out > 1 else Fraction(0)
                shift = Fraction(0)
            else:
                ratio = Fraction(size, out)
                shift = (ratio - 1) / 2
            part = Fraction(1, lcm(ratio.denominator, shift.denominator))
            if part == 1:
                return Slide(ratio, shift, shift)
            return Slide(ratio, shift + part - before, shift - part + after)

        return _resample(operands, slide)

    return rule


def pixel_shuffle(operands: Operands) -> Dependence:
    """Channels become positions: r × r neighbours come from the same position."""
    factor = operands.integer("upscale_factor", 1)
    slide = Slide(Fraction(1, factor), Fraction(1 - factor, factor), 0)
    state = operands.first.state
    channel = len(operands.out) - 3
    in_channels = any(part.place.dim == channel for part in state.parts)
    if in_channels or any(axis.share for axis in state.axes):
        raise Untold
    return slide_over(state, operands.first.shape, operands.out, [slide, slide])


def _resample(operands: Operands, slide: Callable[[int, int], Slide]) -> Dependence:
    rank = rank_of(operands)
    shape, out = operands.first.shape, operands.out
    sizes = list(zip(shape[-rank:], out[-rank:]))
    for factor, (size, new) in zip(_scale_factors(operands.operation), sizes):
        if abs(size * factor - new) > 1e-6 * new:
            raise Untold  # the factor was rounded to get a size, but not for the positions
    return slide_over(operands.first.state, shape, out, [slide(*pair) for pair in sizes])


def _scale_factors(operation: Operation) -> list[float]:
    values = [value for name, value in operation.arguments if name.startswith("scale")]
    flat = values[0] if values and isinstance(values[0], tuple) else tuple(values)
    return [value for value in flat if isinstance(value, (int, float))]
