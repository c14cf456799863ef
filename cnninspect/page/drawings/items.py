"""What a drawing is made of: rectangles, arrows, words and groups of them, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

INK, FAINT, EDGE, LINE = "#1f2937", "#5b6472", "#64748b", "#94a3b8"
PAPER, FRAME, ENDS, OTHER = "#ffffff", "#f4f6f9", "#e2e8f0", "#ffffff"


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle with round corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = LINE
    radius: float = 5.0
    role: str = ""
    """What it is, for style sheets: `frame`."""


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow along curves: a start, then for each curve two control points and an end."""

    points: tuple[tuple[float, float], ...]
    has_head: bool = True
    title: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of text on one line."""

    x: float
    y: float
    """Of its baseline."""
    text: str
    size: float = 10.0
    color: str = FAINT
    anchor: str = "start"
    is_bold: bool = False
    role: str = ""
    """`outside` where it stands on the background."""


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs to one node."""

    items: tuple[Union[Rect, Words, Line], ...]
    path: str
    """Of the node."""
    title: str
    """All that is known of it, shown when one points at it."""
    inside: str = ""
    """Path of the module whose inside can be shown; empty: there is none."""


Item = Union[Rect, Line, Words, Group]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with everything in its place, the first at the bottom."""

    width: float
    height: float
    items: tuple[Item, ...]
    title: str
    """What it shows, in a sentence for those who cannot see it."""


def extent(items: Sequence[Item]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of all."""
    xs: list[float] = []
    ys: list[float] = []
    pending = list(items)
    while pending:
        item = pending.pop()
        if isinstance(item, Group):
            pending += item.items
        elif isinstance(item, Rect):
            xs += [item.x, item.x + item.width]
            ys += [item.y, item.y + item.height]
        elif isinstance(item, Line):
            xs += [x for x, _ in item.points]
            ys += [y for _, y in item.points]
        else:
            length = text_width(item.text, item.size, item.is_bold)
            start = {"start": 0.0, "middle": -length / 2, "end": -length}[item.anchor]
            xs += [item.x + start, item.x + start + length]
            ys += [item.y - item.size, item.y + 2]
    return (min(xs), min(ys), max(xs), max(ys)) if xs else (0.0, 0.0, 0.0, 0.0)


def moved(item: Item, across: float, down: float) -> Item:
    """The same, so far to the right and down."""
    if isinstance(item, Group):
        items = tuple(moved(part, across, down) for part in item.items)
        return Group(items, item.path, item.title, item.inside)  # type: ignore[arg-type]
    if isinstance(item, Line):
        points = tuple((x + across, y + down) for x, y in item.points)
        return Line(points, item.has_head, item.title)
    if isinstance(item, Rect):
        return Rect(
            item.x + across, item.y + down, item.width, item.height, item.fill, item.stroke,
            item.radius, item.role,
        )  # fmt: skip
    return Words(
        item.x + across, item.y + down, item.text, item.size, item.color, item.anchor,
        item.is_bold, item.role,
    )  # fmt: skip


NARROW, BROAD = frozenset("iIjl.,:;'|!ftr()[]{}/ "), frozenset("mwMW@%—…")


def text_width(text: str, size: float, is_bold: bool = False) -> float:
    """About how wide a text is in Arial or Helvetica, in the units of the picture."""
    units = 0.0
    for sign in text:
        if sign in NARROW:
            units += 0.31
        elif sign in BROAD:
            units += 0.89
        elif sign.isupper():
            units += 0.69
        elif ord(sign) > 0x2E80:
            units += 1.0
        else:
            units += 0.55
    return units * size * (1.06 if is_bold else 1.0)


def fitted(text: str, size: float, room: float, is_bold: bool = False) -> str:
    """The text, or its end behind an ellipsis where there is no room for all of it."""
    if text_width(text, size, is_bold) <= room:
        return text
    start = 0
    while start < len(text) and text_width(f"…{text[start:]}", size, is_bold) > room:
        start += 1
    return f"…{text[start:]}"
