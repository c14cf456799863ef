"""Where names beside points go, so that none covers another name or a point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in pixels."""

RADIUS = 6.0
"""Pixels around a point that belong to it."""
DISTANCES = (8.0, 13.0, 20.0, 30.0, 44.0, 60.0)
"""Pixels between a point and its name, the nearest that works."""
LEADER = 18.0
"""Beyond so many pixels, a line leads from the point to its name."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name that belongs beside a point."""

    text: str
    point: Point
    size: Point
    """Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a name goes."""

    corner: Point
    """Its lower left corner."""
    leader: tuple[Point, Point] | None
    """A line from the point to the name, where that is not right beside it."""


def place(
    labels: Sequence[Label], points: Sequence[Point], frame: Sequence[float], taken: Sequence[Box]
) -> list[Placed | None]:
    """The place of each label; None where there is no room for it.

    Labels stay within `frame` and off every point, every line and every box of `taken`.  Those
    with the most neighbours choose first.
    """
    boxes = [*taken, *((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points)]
    names: list[Box] = []
    leaders: list[tuple[Point, Point]] = []
    found: list[Placed | None] = [None] * len(labels)
    for i in sorted(range(len(labels)), key=lambda i: -_neighbours(labels[i], points)):
        for placed in _candidates(labels[i]):
            box, leader = _box(placed.corner, labels[i].size), placed.leader
            if not _is_inside(box, frame) or any(_overlap(box, other) for other in boxes):
                continue
            if any(_crosses(line, box) for line in leaders):
                continue
            if leader is not None and any(_crosses(leader, other) for other in names):
                continue
            found[i] = placed
            boxes.append(box)
            names.append(box)
            if leader is not None:
                leaders.append(leader)
            break
    return found


def _candidates(label: Label) -> Iterator[Placed]:
    """Places around the point, the nearest first: beside it, above, below, then diagonally."""
    x, y = label.point
    width, height = label.size
    for d in DISTANCES:
        near = 0.7 * d
        for left, bottom in (
            (x + d, y - height / 2),
            (x - d - width, y - height / 2),
            (x - width / 2, y + d),
            (x - width / 2, y - d - height),
            (x + near, y + near),
            (x + near, y - near - height),
            (x - near - width, y + near),
            (x - near - width, y - near - height),
        ):
            # The spot of the label's edge that is nearest to the point.
            end = (min(max(x, left), left + width), min(max(y, bottom), bottom + height))
            yield Placed((left, bottom), ((x, y), end) if d > LEADER else None)


def _neighbours(label: Label, points: Sequence[Point]) -> int:
    x, y = label.point
    width, height = label.size
    return sum(1 for px, py in points if abs(px - x) < width and abs(py - y) < 4 * height)


def _box(corner: Point, size: Point) -> Box:
    return corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]


def _is_inside(box: Box, frame: Sequence[float]) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _crosses(line: tuple[Point, Point], box: Box) -> bool:
    """Whether a line runs through a box, by clipping it to the box (Liang, Barsky 1984)."""
    (x0, y0), (x1, y1) = line
    enter, leave = 0.0, 1.0
    for start, delta, low, high in (
        (x0, x1 - x0, box[0], box[2]),
        (y0, y1 - y0, box[1], box[3]),
    ):
        if delta == 0:
            if not low < start < high:
                return False
            continue
        first, second = sorted(((low - start) / delta, (high - start) / delta))
        enter, leave = max(enter, first), min(leave, second)
    return enter < leave
