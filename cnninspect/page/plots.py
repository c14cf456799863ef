"""Pictures: what all plots share, where names beside points go, and models as points."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from cnninspect.errors import BadOption, MissingLibrary
from cnninspect.metrics.figures import ComparedModel, LimitText
from cnninspect.page.escaping import visible
from cnninspect.page.quantities import plural, scaled, sizes

P = ParamSpec("P")
FORMATS = ("png", "svg", "pdf")
"""What a picture can be written as, by the file's suffix."""
COLORS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D00",
)  # fmt: skip
"""Okabe and Ito's colours, which people with any colour vision can tell apart; the yellow, too
pale for lines on white, is a brown."""
RAMP = "viridis"
"""The colours of what has an order, such as steps: from dark to light, even in print."""
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
TWO = (5.6, 4.4)
"""Of each of two panels side by side, so that their text stays large in a column of a page."""
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


def literal_text(text: str) -> str:
    """Foreign text as it stands: its hidden signs made visible, and no `$` begins a formula."""
    return visible(text).replace("$", r"\$")


def new_figure(
    columns: int = 1, *, inches: tuple[float, float] = INCHES, rows: int = 1
) -> tuple[Any, list[Any]]:
    """A figure without a window, and its axes side by side, row by row.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(inches[0] * columns, inches[1] * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for each in axes.flat:
        each.xaxis.get_major_locator().set_params(integer=True)
    return figure, list(axes.flat)


def line_style(number: int) -> dict[str, Any]:
    """Colour and dashes of the line of that number: no two alike up to 32."""
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": DASHES[(number // len(COLORS)) % len(DASHES)],
        "linewidth": 1.8,
    }


def ramp_style(number: int, of: int) -> dict[str, Any]:
    """Colour of the line of that number among some that have an order, from dark to light."""
    colors = require_matplotlib().colormaps[RAMP]
    return {"color": colors(0.9 * number / max(of - 1, 1)), "linestyle": "-", "linewidth": 1.8}


def written(figure: Any, format: str) -> bytes:  # noqa: A002
    """The figure as the content of a file; the same figure gives the same bytes.

    As format `figure` it is the figure itself, for `Report.plot`.
    """
    if format == "figure":
        itself: bytes = figure
        return itself
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
    rank: int = 0
    """Names of a lower rank choose their place first."""


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
    order = sorted(
        range(len(labels)), key=lambda i: (labels[i].rank, -_neighbours(labels[i], points))
    )
    for i in order:
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


FITS, BROKEN, FRONTIER, LIMIT = COLORS[0], COLORS[1], COLORS[2], "#777777"
LABEL_SIZE = 8.5
MOST_LABELS = 60
"""Beyond so many points, only the frontier has names."""
FEW_DECADES = 10**3
"""Under such a ratio of the largest to the smallest, 2 and 5 are marked beside 1 and 10."""
FADED = {"s": 18, "alpha": 0.35, "linewidths": 0}
"""How the rest is drawn where there is a frontier to be seen."""
MOST_SIZES = 3
"""Input sizes that are said, at most."""
AXES = {"macs": "MACs", "params": "parameters"}


def picture_of_models(report: Any, format: str) -> bytes:  # noqa: A002
    """The picture of a report that has models with their figures, with its limits and frontier."""
    on = [m.model.reference for m in report.models if getattr(m, "frontier", False)]
    return picture(report.models, format, limits=report.limits, frontier=on)


@in_style
def picture(
    models: Sequence[ComparedModel],
    format: str,  # noqa: A002
    *,
    limits: Sequence[LimitText] = (),
    frontier: Collection[str] = (),
) -> bytes:
    """The content of a picture file; `frontier` are the references on it.

    A model without parameters or without MACs has no place on logarithmic axes and is left out.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    drawn = [model for model in models if model.totals.macs and model.totals.parameters]
    figure, (axes,) = new_figure()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("MACs")
    axes.set_ylabel("parameters")
    axes.grid(True, which="major")
    for group, label, look in _groups(drawn, frontier):
        axes.scatter(
            [model.totals.macs for model in group],
            [model.totals.parameters for model in group],
            label=label, zorder=3, **look,
        )  # fmt: skip
    _draw_limits(axes, limits)
    axes.margins(0.12)
    _format_ticks(axes)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(loc="upper left", fontsize=9, frameon=False)
    figure.suptitle(_inputs_text(drawn), x=0.01, ha="left", fontsize=9, color="#555555")
    named = drawn
    if len(drawn) > MOST_LABELS:
        named = [model for model in drawn if model.model.reference in frontier][:MOST_LABELS]
    _name(figure, axes, named, drawn, first=frontier)
    return written(figure, format)


def _inputs_text(models: Sequence[ComparedModel]) -> str:
    """The sizes of the inputs, and how many models have each."""
    shapes = Counter(", ".join(sizes(t.spec.shape) for t in m.inputs) for m in models)
    if len(shapes) == 1:
        return f"input {next(iter(shapes))}"
    told = [f"{shape} ({number})" for shape, number in shapes.most_common(MOST_SIZES)]
    more = len(shapes) - len(told)
    return f"inputs {' · '.join(told)}{f' · {more} other sizes' if more else ''}"


def _groups(
    models: Sequence[ComparedModel], frontier: Collection[str]
) -> list[tuple[list[ComparedModel], str, dict[str, Any]]]:
    """The points by what they are, with a form and a colour each."""
    on = [model for model in models if model.model.reference in frontier]
    rest = [model for model in models if model.model.reference not in frontier]
    broken = [model for model in rest if model.exceeded]
    fits = [model for model in rest if not model.exceeded]
    groups = [
        (
            fits,
            "fits" if broken else "others" if on else "",
            {"color": FITS, **(FADED if on else {"s": 36})},
        ),
        (broken, "over a limit", {"color": BROKEN, "marker": "X", "s": 44}),
        (on, "frontier", {"color": FRONTIER, "marker": "D", "s": 36}),
    ]
    return [group for group in groups if group[0]]


def _draw_limits(axes: Any, limits: Sequence[LimitText]) -> None:
    """A dashed line for each limit that the axes show, with its side said."""
    for limit in limits:
        side, _, quantity = limit.name.partition("_")
        if quantity not in AXES or not limit.limit:
            continue
        style = {"color": LIMIT, "linestyle": (0, (4, 3)), "linewidth": 1.2, "zorder": 1}
        sign = "≤" if side == "max" else "≥"
        text = f"{sign} {tick_text(limit.limit)} {AXES[quantity]}"
        if quantity == "macs":
            axes.axvline(limit.limit, **style)
            axes.text(
                limit.limit, 0.01, f" {text}", transform=axes.get_xaxis_transform(),
                rotation=90, va="bottom", ha="right", fontsize=LABEL_SIZE, color=LIMIT,
            )  # fmt: skip
        else:
            axes.axhline(limit.limit, **style)
            axes.text(
                0.995, limit.limit, text, transform=axes.get_yaxis_transform(),
                va="bottom", ha="right", fontsize=LABEL_SIZE, color=LIMIT,
            )  # fmt: skip


def _format_ticks(axes: Any) -> None:
    """`10 M` in place of 10⁷, and marks at 2 and 5 where there is room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        subs = (1.0, 2.0, 5.0) if high < FEW_DECADES * low else (1.0,)
        axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
        axis.set_minor_formatter(NullFormatter())


def tick_text(value: float) -> str:
    """A round number with a power of 1000: `500 M`, `2 G`.

    >>> tick_text(5e8), tick_text(2e9), tick_text(200.0)
    ('500 M', '2 G', '200')
    """
    digits, _, prefix = scaled(value).partition(" ")
    return f"{float(digits):g} {prefix}".rstrip()


def _name(
    figure: Any,
    axes: Any,
    named: Sequence[ComparedModel],
    drawn: Sequence[ComparedModel],
    *,
    first: Collection[str],
) -> None:
    """Write names beside the points so that none covers another name or a point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # only then is it known where the axes lie
    renderer = figure.canvas.get_renderer()
    points = axes.transData.transform([(m.totals.macs, m.totals.parameters) for m in drawn])
    at = {id(model): tuple(point) for model, point in zip(drawn, points)}
    labels = []
    for model in named:
        text = literal_text(model.model.name)
        sample = axes.text(0, 0, text, fontsize=LABEL_SIZE)
        box = sample.get_window_extent(renderer)
        sample.remove()
        rank = int(model.model.reference not in first)
        labels.append(Label(text, at[id(model)], (box.width, box.height), rank))
    frame = axes.get_window_extent(renderer)
    taken = [text.get_window_extent(renderer) for text in axes.texts]
    if axes.get_legend() is not None:
        taken.append(axes.get_legend().get_window_extent(renderer))
    taken += [line.get_window_extent(renderer) for line in axes.lines]
    boxes = [(box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1) for box in taken]
    places = place(labels, [tuple(point) for point in points], frame.extents, boxes)
    back = axes.transData.inverted().transform
    for label, placed in zip(labels, places):
        if placed is None:
            continue
        if placed.leader is not None:
            xs, ys = zip(*back(placed.leader))
            axes.plot(xs, ys, color=LIMIT, linewidth=0.6, zorder=2)
        x, y = back(placed.corner)
        axes.text(x, y, label.text, fontsize=LABEL_SIZE, va="bottom", ha="left").set_in_layout(
            False
        )
    unnamed = len(drawn) - sum(1 for placed in places if placed is not None)
    if unnamed:
        figure.text(
            0.995, 0.005, f"{plural(unnamed, 'model')} without room for a name",
            ha="right", va="bottom", fontsize=LABEL_SIZE, color=LIMIT,
        ).set_in_layout(False)  # fmt: skip
