"""The Pareto frontier: what nothing else beats in every respect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.records.models import Accuracy

Point = tuple[float, ...]


def frontier(points: Sequence[Point]) -> tuple[bool, ...]:
    """For each point, whether no other is at most as large in everything and smaller in something.

    Everything is a cost: what should be large is given with its sign turned.  Equal points are on
    the frontier together.
    """
    order = sorted(range(len(points)), key=lambda i: points[i])
    if points and len(points[0]) == 2:
        return _in_the_plane(points, order)
    kept: list[Point] = []  # a later point cannot beat an earlier one, unless it is equal
    on_it = [False] * len(points)
    for i in order:
        point = points[i]
        on_it[i] = not any(_beats(other, point) for other in kept)
        if on_it[i] and (not kept or kept[-1] != point):
            kept.append(point)
    return tuple(on_it)


def _in_the_plane(points: Sequence[Point], order: Sequence[int]) -> tuple[bool, ...]:
    """The same for two axes in one pass: whatever comes later must be smaller on the second."""
    on_it = [False] * len(points)
    last: Point | None = None
    for i in order:
        on_it[i] = last is None or points[i][1] < last[1] or points[i] == last
        if on_it[i]:
            last = points[i]
    return tuple(on_it)


def _beats(one: Point, other: Point) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other))


AXES = ("parameters", "macs", "accuracy", "capacity")
"""What a frontier can be of: as few parameters, as few MACs, as high an accuracy; capacity is as
many parameters, for networks of which no accuracy is known."""


def cost_on(fields: dict[str, Any], axis: str) -> float | None:
    """A model's place on an axis of the frontier, the smaller the better; None: it has none."""
    if axis == "accuracy":
        accuracy: Accuracy | None = fields["accuracy"]
        return None if accuracy is None else -accuracy.top1
    if axis == "capacity":
        return -float(fields["totals"].parameters)
    value: float = getattr(fields["totals"], axis)
    return value


def or_worst(cost: float | None) -> float:
    """What is not known counts as worse than everything that is."""
    return float("inf") if cost is None else cost
