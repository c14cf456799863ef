"""Pictures: what all plots share, and the only place that knows matplotlib.

A report's own file draws, `in_style`, on the axes that `new_figure` gives, and `written` turns the
figure into the bytes of a file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
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
