"""The picture of a design space: its points with the frontier, and a distribution by setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.commands.sweep.report import Models, Sweep, in_order
from cnninspect.page.escaping import visible
from cnninspect.page.plots import in_style, line_style, new_figure, tick_text, written

FIGURES = {
    "parameters": "parameters", "capacity": "parameters", "macs": "MACs",
    "activations": "activations", "bytes": "bytes of parameters", "memory": "bytes in training",
    "least_time": "least time, s", "latency": "latency, s", "depth": "depth",
    "receptive_field": "receptive field", "gradient_orders": "orders of magnitude, gradient",
}  # fmt: skip
MOST_LINES = 8
"""Values of a setting that have a line each; of more, some spread over all."""
MOST_PANELS = 5
"""Settings that have a panel; the others are in the table."""
MOST_DOTS, DOTS = 5_000, 700
"""Points that are all drawn; and dots along an axis, as many as there are pixels."""
OTHERS, FRONTIER = "#9DB4C0", "#D55E00"


@in_style
def picture(report: Sweep, format: str) -> bytes:  # noqa: A002
    """The content of a picture file.

    The first panel has every model that fits, on the first two axes.  The others have, for each
    setting, the empirical distribution of the last of these: the share of models up to each value,
    a line for each value of the setting (as in Radosavovic et al. 2020, arXiv:2003.13678, whose
    distributions are of error).

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    models = report.models
    settings = _settings(report)[:MOST_PANELS]
    figure, axes = new_figure(1 + len(settings), inches=(5.6, 4.6))
    across, up = _drawn_axes(report)
    numbers = models.numbers(across)
    _scatter(axes[0], models, numbers, up)
    _name_axes(axes[0], across, up)
    for panel, name in zip(axes[1:], settings):
        _distributions(panel, models.setting(name), numbers, name)
        _name_axes(panel, across)
    return written(figure, format)


def _drawn_axes(report: Sweep) -> tuple[str, str]:
    """What is drawn across and up: the last axis and the first one, a verdict having no scale."""
    axes = [axis for axis in report.axes if axis in FIGURES]
    return (axes[-1], axes[0]) if len(axes) > 1 else ("macs", axes[0] if axes else "capacity")


def _settings(report: Sweep) -> list[str]:
    """Settings with several values among the models that fit, in the order of their effects."""
    names = dict.fromkeys(effect.setting for effect in report.effects)
    return [name for name in names if len({*report.models.setting(name)} - {None}) > 1]


def _scatter(panel: Any, models: Models, numbers: Sequence[float | None], up: str) -> None:
    small = 5 if len(models) > 500 else 16
    points: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for at, (x, y) in enumerate(zip(numbers, models.numbers(up))):
        if x and y:
            points[at < models.on].append((x, y))
    for on, color, size, label in (
        (False, OTHERS, small, "others"),
        (True, FRONTIER, 22, "frontier"),
    ):
        if points[on]:
            xs, ys = zip(*_told_apart(points[on]))
            panel.scatter(
                xs, ys, s=size, color=color, label=f"{label} ({len(points[on]):,})", linewidths=0,
                zorder=3 if on else 2, rasterized=True,
            )  # fmt: skip
    panel.set_yscale("log")
    panel.set_title(f"{len(models):,} models")
    if panel.get_legend_handles_labels()[0]:
        panel.legend(loc="best", fontsize=9, markerscale=1.5)


def _name_axes(panel: Any, across: str, up: str | None = None) -> None:
    """What is across, and up unless that is a share."""
    panel.set_xscale("log")
    panel.set_xlabel(FIGURES[across])
    _ticks(panel.xaxis, *panel.get_xlim())
    if up is not None:
        panel.set_ylabel(FIGURES[up])
        _ticks(panel.yaxis, *panel.get_ylim())


def _told_apart(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """The points, of very many one where several would be the same dot."""
    if len(points) <= MOST_DOTS:
        return points
    import numpy

    places = numpy.log(numpy.array(points, dtype=float))
    span = places.max(axis=0) - places.min(axis=0)
    cells = numpy.rint((places - places.min(axis=0)) * (DOTS / numpy.maximum(span, 1e-9)))
    _, first = numpy.unique(cells @ (1, 2 * DOTS), return_index=True)
    return [points[i] for i in sorted(first)]


def _distributions(
    panel: Any, settings: Sequence[str | None], numbers: Sequence[float | None], name: str
) -> None:
    values = sorted({value for value in settings if value is not None}, key=in_order)
    if len(values) > MOST_LINES:
        places = {round(i * (len(values) - 1) / (MOST_LINES - 1)) for i in range(MOST_LINES)}
        values = [values[place] for place in sorted(places)]
    by_value: dict[str | None, list[float]] = {value: [] for value in values}
    for value, number in zip(settings, numbers):
        if value in by_value and number:
            by_value[value].append(number)
    for i, value in enumerate(value for value in values if by_value[value]):
        lengths = sorted(by_value[value])
        shares = [(n + 1) / len(lengths) for n in range(len(lengths))]
        panel.plot(
            [lengths[0], *lengths], [0.0, *shares], drawstyle="steps-post",
            label=visible(value), **line_style(i),
        )  # fmt: skip
    panel.set_ylim(0, 1.02)
    panel.set_ylabel("share of models up to there")
    panel.set_title(f"by {visible(name)}")
    panel.legend(loc="best", fontsize=8, title=visible(name), title_fontsize=8)


def _ticks(axis: Any, low: float, high: float) -> None:
    """`10 M` in place of 10⁷."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    subs = (1.0, 2.0, 5.0) if high < 30 * low else (1.0,)
    axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=10))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    axis.set_minor_locator(NullLocator())
