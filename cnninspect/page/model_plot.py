"""Models as points: parameters against MACs, both on logarithmic axes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from cnninspect.metrics.standing import ComparedModel, LimitText
from cnninspect.page.escaping import visible
from cnninspect.page.plots import COLORS, Label, in_style, new_figure, place, written
from cnninspect.page.quantities import plural, scaled

FITS, BROKEN, FRONTIER, LIMIT = COLORS[0], COLORS[1], COLORS[2], "#777777"
LABEL_SIZE = 8.5
MOST_LABELS = 60
"""Beyond so many points, only the frontier has names."""
FEW_DECADES = 10**3
"""Under such a ratio of the largest to the smallest, 2 and 5 are marked beside 1 and 10."""
AXES = {"macs": "MACs", "params": "parameters"}


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
    named = drawn
    if len(drawn) > MOST_LABELS:
        named = [model for model in drawn if model.model.reference in frontier][:MOST_LABELS]
    _name(figure, axes, named, drawn)
    return written(figure, format)


def _groups(
    models: Sequence[ComparedModel], frontier: Collection[str]
) -> list[tuple[list[ComparedModel], str, dict[str, Any]]]:
    """The points by what they are, with a form and a colour each."""
    on = [model for model in models if model.model.reference in frontier]
    rest = [model for model in models if model.model.reference not in frontier]
    broken = [model for model in rest if model.exceeded]
    fits = [model for model in rest if not model.exceeded]
    groups = [
        (fits, "fits" if broken else "others" if on else "", {"color": FITS, "s": 36}),
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
    figure: Any, axes: Any, named: Sequence[ComparedModel], drawn: Sequence[ComparedModel]
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
        text = visible(model.model.name).replace("$", r"\$")
        sample = axes.text(0, 0, text, fontsize=LABEL_SIZE)
        box = sample.get_window_extent(renderer)
        sample.remove()
        labels.append(Label(text, at[id(model)], (box.width, box.height)))
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
