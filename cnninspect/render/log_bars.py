"""Bars on a logarithmic scale, drawn with block characters beside the numbers they stand for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

NUMBER_WIDTH = 7
"""Characters of `1.0e-02`."""
LEAST_BAR = 4
"""Shorter bars tell nothing."""
EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class LogScale:
    """A scale from one power of ten to another."""

    low: int
    """Exponent at the left end."""
    high: int
    """Exponent at the right end."""

    def share(self, value: float) -> float:
        """Where a positive number lies between the ends: 0 to 1."""
        place = (math.log10(value) - self.low) / (self.high - self.low)
        return min(max(place, 0.0), 1.0)


def scale_of(values: Iterable[float | None]) -> LogScale:
    """The powers of ten around all numbers that have a logarithm."""
    known = [math.log10(v) for v in values if v is not None and 0 < v < math.inf]
    low = math.floor(min(known, default=0.0))
    # The smallest number shall have a bar too, if a short one.
    low -= bool(known) and min(known) - low < 0.05
    return LogScale(low, max(math.ceil(max(known, default=0.0)), low + 1))


def number_text(value: float | None) -> str:
    """`1.0e-02`; `0` for nothing at all; nothing where it is not known.

    >>> number_text(0.0123), number_text(0.0), number_text(None), number_text(float("inf"))
    ('1.2e-02', '0', '', 'inf')
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf"
    return "0" if value == 0 else f"{value:.1e}"


def bar(value: float | None, scale: LogScale, width: int) -> str:
    """A bar of up to `width` characters, to an eighth of one; none for what has no logarithm.

    >>> bar(0.1, LogScale(-3, 1), 8), bar(0.0, LogScale(-3, 1), 8)
    ('████', '')
    """
    if value is None or not 0 < value < math.inf:
        return ""
    eighths = round(scale.share(value) * width * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def axis(scale: LogScale, width: int) -> str:
    """What stands above bars: the powers of ten at their ends, as far as there is room."""
    left, right = f"1e{scale.low:+03d}", f"1e{scale.high:+03d}"
    gap = width - len(left) - len(right)
    return left + " " * gap + right if gap > 0 else ""
