"""How the gradient changes with depth or time, and whether a network can learn with it.

Mean field theory has the gradient grow or shrink by a constant factor each layer, so its logarithm
is a straight line over depth.  Schoenholz, Gilmer, Ganguli, Sohl-Dickstein 2017 (Deep Information
Propagation, arXiv:1611.01232) put it as exp(−depth/ξ) for the mean square, and find in section 5
that random networks can be trained up to a depth of about 6 ξ, where it has changed by exp(6).

That is for layers of one size.  Inside other networks images shrink, channels are added and what is
left is averaged: root mean squares then differ from layer to layer though nothing is lost, and so
do norms, the other way round.  A verdict other than healthy takes both, and both by exp(6), not
exp(3) as the theory has it: what is called vanishing or exploding here, is so beyond doubt.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import combinations

from cnninspect.records.gradient_profile import (
    EXPLODING,
    HEALTHY,
    UNTRAINED,
    VANISHING,
    Trend,
)

MOST_DECADES = 6 / math.log(10)
"""exp(6) in powers of ten, 2.6: by so much a gradient may change from top to bottom."""


def trend_of(rms: Sequence[float | None], norms: Sequence[float | None]) -> Trend:
    """The trend of gradients by depth or time, the nearest to the input first.

    `rms` are root mean squares of their elements, `norms` the L2 norms of the same.  Sizes that are
    unknown, 0 or not finite are left out of the fit; what they mean is not told here.
    """
    points = _logarithms(rms)
    slope = median_slope(points)
    norm_slope = median_slope(_logarithms(norms))
    if slope is None or norm_slope is None:
        return Trend(None, None, None, HEALTHY if points else UNTRAINED)
    span = points[-1][0] - points[0][0]
    decades, norm_decades = -slope * span, -norm_slope * span
    return Trend(slope, decades, norm_decades, verdict_of(decades, norm_decades))


def _logarithms(sizes: Sequence[float | None]) -> list[tuple[float, float]]:
    return [
        (place, math.log10(size))
        for place, size in enumerate(sizes)
        if size is not None and 0 < size < math.inf
    ]


def verdict_of(*decades: float) -> str:
    """The word for changes by so many powers of ten from top to bottom, which all must agree."""
    if max(decades) < -MOST_DECADES:
        return VANISHING
    return EXPLODING if min(decades) > MOST_DECADES else HEALTHY


def median_slope(points: Sequence[tuple[float, float]]) -> float | None:
    """The median of the slopes between all pairs of points; None for fewer than two points.

    One outlier, such as the layer that gives the classes, cannot move it.  Source: Theil 1950, A
    Rank-Invariant Method of Linear and Polynomial Regression Analysis; Sen 1968.
    """
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 != x1]
    return statistics.median(slopes) if slopes else None
