"""Medians and quartiles of what several passes measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import fields

from cnninspect.records.gradient_passes import Norms

Three = tuple[float, float, float]
"""Lower quartile, median, upper quartile."""


def quartiles(values: Sequence[float]) -> Three:
    """Lower quartile, median and upper quartile, between neighbours where need be.

    One value that is not finite makes all three so: it must not hide behind the others.
    """
    for value in values:
        if not math.isfinite(value):
            return value, value, value
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def norms_spread(norms: Sequence[Norms]) -> tuple[Norms, Norms, Norms]:
    """For each norm its quartiles over passes: those of all low, middle and high ones."""
    low, middle, high = {}, {}, {}
    for field in fields(Norms):
        values = [v for v in (getattr(n, field.name) for n in norms) if v is not None]
        if values:
            low[field.name], middle[field.name], high[field.name] = quartiles(values)
    return Norms(**low), Norms(**middle), Norms(**high)
