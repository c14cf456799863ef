"""Pictures: what all plots share, and where names beside points go."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from cnninspect.errors import BadOption, MissingLibrary

P = ParamSpec("P")
FORMATS = ("png", "svg", "pdf")
"""What a picture can be written as, by the file's suffix."""
COLORS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D00",
)  # fmt: skip
"""Okabe and Ito's colours, which people with any colour vision can tell apart; the yellow, too
pale for lines on white, is a brown."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
"""So that lines differ in print without colour."""
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that pictures are the same everywhere
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11.0,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "cnninspect",  # else every SVG has other names inside
    "svg.fonttype": "path",
}
INCHES = (8.0, 5.0)
DOTS_PER_INCH = 150


def format_of(path: Path) -> str:
    """What a picture of that name is written as.

    Raises:
        BadOption: the suffix is none of those known.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise BadOption("--plot", path, "a file that ends in .png, .svg or .pdf")
    return kind


def require_matplotlib() -> Any:
    """The matplotlib package.

    Raises:
        MissingLibrary: it is not installed.
    """
    try:
        import matplotlib
    except ImportError as problem:
        raise MissingLibrary("matplotlib", "plot", "a picture") from problem
    return matplotlib


def in_style(picture: Callable[P, bytes]) -> Callable[P, bytes]:
    """The function that draws a picture, from its first axis to its last byte, in our style."""

    @wraps(picture)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> bytes:
        with require_matplotlib().rc_context(STYLE):
            return picture(*args, **kwargs)

    return drawn


def new_figure(columns: int = 1, *, inches: tuple[float, float] = INCHES) -> tuple[Any, list[Any]]:
    """A figure without a window, and its axes side by side.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(inches[0] * columns, inches[1]), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)
    for each in axes[0]:
        each.xaxis.get_major_locator().set_params(integer=True)
    return figure, list(axes[0])


def line_style(number: int) -> dict[str, Any]:
    """Colour and dashes of the line of that number: no two alike up to 32."""
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": DASHES[(number // len(COLORS)) % len(DASHES)],
        "linewidth": 1.8,
    }


def written(figure: Any, format: str) -> bytes:  # noqa: A002
    """The figure as the content of a file; the same figure gives the same bytes."""
    # The date of writing would make each file differ; PNGs hold none.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
    content = io.BytesIO()
    figure.savefig(content, format=format, dpi=DOTS_PER_INCH, metadata=metadata)
    return content.getvalue()


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
