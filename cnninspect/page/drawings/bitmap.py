"""A drawing as PNG or PDF, by matplotlib: no program of the system is needed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from cnninspect.metrics.dataflow import Graph
from cnninspect.page.drawings.drawing import drawn
from cnninspect.page.drawings.items import EDGE, Drawing, Group, Item, Line, Rect, Words
from cnninspect.page.plots import require_matplotlib

POINTS = 72.0
"""Units of a drawing to an inch."""
DOTS_PER_INCH = 160
LARGEST = 30_000
"""Dots along a side, which what reads pictures can still show."""
NARROWER = 0.86
"""DejaVu Sans, which comes with matplotlib, is wider than the font that a drawing reckons with."""
SIDES = {"start": "left", "middle": "center", "end": "right"}


def write_bitmap(drawing: Drawing, format: str) -> bytes:  # noqa: A002
    """The drawing as the content of a `png` or `pdf` file.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    matplotlib = require_matplotlib()
    from matplotlib.figure import Figure

    size = drawing.width / POINTS, drawing.height / POINTS
    dots = min(DOTS_PER_INCH, LARGEST / max(*size, 1.0))
    style = {"font.family": "DejaVu Sans", "pdf.fonttype": 42, "text.parse_math": False}
    with matplotlib.rc_context(style):
        figure: Any = Figure(figsize=size)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, drawing.width)
        axes.set_ylim(drawing.height, 0)
        axes.axis("off")
        for layer, item in enumerate(_flat(drawing.items)):
            _draw(axes, item, layer)
        if format == "figure":
            itself: bytes = figure
            return itself
        content = io.BytesIO()
        metadata = {"CreationDate": None} if format == "pdf" else {"Title": drawing.title}
        figure.savefig(content, format=format, dpi=dots, metadata=metadata)
    return content.getvalue()


def picture(graph: Graph, format: str) -> bytes:  # noqa: A002
    """The picture of a graph as the content of a file, or as a `figure`."""
    return write_bitmap(drawn(graph), format)


def _flat(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        if isinstance(item, Group):
            yield from item.items
        else:
            yield item


def _draw(axes: Any, item: Item, layer: int) -> None:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path

    if isinstance(item, Rect):
        radius = min(item.radius, item.width / 2, item.height / 2)
        axes.add_patch(
            FancyBboxPatch(
                (item.x, item.y), item.width, item.height, facecolor=item.fill,
                edgecolor=item.stroke, linewidth=0.9, zorder=layer,
                boxstyle=f"round,pad=0,rounding_size={radius}",
            )
        )  # fmt: skip
    elif isinstance(item, Line):
        codes = [Path.MOVETO, *([Path.CURVE4] * (len(item.points) - 1))]
        axes.add_patch(
            FancyArrowPatch(
                path=Path(list(item.points), codes), arrowstyle="-|>", mutation_scale=8,
                color=EDGE, linewidth=1.1, shrinkA=0, shrinkB=0, zorder=layer, fill=True,
            )
        )  # fmt: skip
    elif isinstance(item, Words):
        axes.text(
            item.x, item.y, item.text, fontsize=item.size * NARROWER, color=item.color,
            ha=SIDES[item.anchor], va="baseline", zorder=layer,
            fontweight="bold" if item.is_bold else "normal",
        )  # fmt: skip
