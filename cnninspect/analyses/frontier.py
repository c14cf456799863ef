"""The Pareto frontier: what nothing else beats in every respect."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, ...]


def frontier(points: Sequence[Point]) -> tuple[bool, ...]:
    """For each point, whether no other is at most as large in everything and smaller in something.

    Everything is a cost: what should be large is given with its sign turned.  Equal points are on
    the frontier together.
    """
    order = sorted(range(len(points)), key=lambda i: points[i])
    kept: list[Point] = []  # a later point cannot beat an earlier one, unless it is equal
    on_it = [False] * len(points)
    for i in order:
        point = points[i]
        on_it[i] = not any(_beats(other, point) for other in kept)
        if on_it[i] and (not kept or kept[-1] != point):
            kept.append(point)
    return tuple(on_it)


def _beats(one: Point, other: Point) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other))
