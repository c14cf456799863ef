"""The picture of a design space: its points with the frontier, and a distribution by setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cnninspect.commands.sweep.report import AXES, Sweep, SweptModel, in_order
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
    settings = _settings(report.models)[:MOST_PANELS]
    figure, axes = new_figure(1 + len(settings), inches=(5.6, 4.6))
    across, up = _drawn_axes(report)
    _scatter(axes[0], report.models, across, up)
    for panel, name in zip(axes[1:], settings):
        _distributions(panel, report.models, name, across)
    return written(figure, format)


def _drawn_axes(report: Sweep) -> tuple[str, str]:
    """What is drawn across and up: the last axis and the first one, a verdict having no scale."""
    axes = [axis for axis in report.axes if axis in FIGURES]
    return (axes[-1], axes[0]) if len(axes) > 1 else ("macs", axes[0] if axes else "capacity")


def _settings(models: Sequence[SweptModel]) -> list[str]:
    """Settings with several values."""
    values: dict[str, set[str]] = {}
    for model in models:
        for name, value in model.settings.items():
            values.setdefault(name, set()).add(value)
    return [name for name, found in values.items() if len(found) > 1]


def _scatter(panel: Any, models: Sequence[SweptModel], across: str, up: str) -> None:
    small = 5 if len(models) > 500 else 16
    read_x, read_y = AXES[across][0], AXES[up][0]
    for on, color, size, label in (
        (False, OTHERS, small, "others"),
        (True, FRONTIER, 22, "frontier"),
    ):
        points = [
            (x, y)
            for model in models
            if model.frontier is on and (x := read_x(model)) and (y := read_y(model))
        ]
        if points:
            xs, ys = zip(*_told_apart(points))
            panel.scatter(
                xs, ys, s=size, color=color, label=f"{label} ({len(points):,})", linewidths=0,
                zorder=3 if on else 2, rasterized=True,
            )  # fmt: skip
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel(FIGURES[across])
    panel.set_ylabel(FIGURES[up])
    panel.set_title(f"{len(models):,} models")
    _ticks(panel.xaxis, *panel.get_xlim())
    _ticks(panel.yaxis, *panel.get_ylim())
    if panel.get_legend_handles_labels()[0]:
        panel.legend(loc="best", fontsize=9, markerscale=1.5)


def _told_apart(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """The points, of very many one where several would be the same dot."""
    if len(points) <= MOST_DOTS:
        return points
    low = [math.log(min(column)) for column in zip(*points)]
    high = [math.log(max(column)) for column in zip(*points)]
    scale = [DOTS / max(h - m, 1e-9) for m, h in zip(low, high)]
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for x, y in points:
        found.setdefault((int(scale[0] * math.log(x)), int(scale[1] * math.log(y))), (x, y))
    return list(found.values())


def _distributions(panel: Any, models: Sequence[SweptModel], name: str, figure: str) -> None:
    by_value: dict[str, list[float]] = {}
    read = AXES[figure][0]
    for model in models:
        number = read(model)
        if number and name in model.settings:
            by_value.setdefault(model.settings[name], []).append(number)
    values = sorted(by_value, key=in_order)
    if len(values) > MOST_LINES:
        places = {round(i * (len(values) - 1) / (MOST_LINES - 1)) for i in range(MOST_LINES)}
        values = [values[place] for place in sorted(places)]
    for i, value in enumerate(values):
        numbers = sorted(by_value[value])
        shares = [(n + 1) / len(numbers) for n in range(len(numbers))]
        panel.plot(
            [numbers[0], *numbers], [0.0, *shares], drawstyle="steps-post",
            label=visible(value), **line_style(i),
        )  # fmt: skip
    panel.set_xscale("log")
    panel.set_ylim(0, 1.02)
    panel.set_xlabel(FIGURES[figure])
    panel.set_ylabel("share of models up to there")
    panel.set_title(f"by {visible(name)}")
    _ticks(panel.xaxis, *panel.get_xlim())
    panel.legend(loc="best", fontsize=8, title=visible(name), title_fontsize=8)


def _ticks(axis: Any, low: float, high: float) -> None:
    """`10 M` in place of 10⁷."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    subs = (1.0, 2.0, 5.0) if high < 30 * low else (1.0,)
    axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=10))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    axis.set_minor_formatter(NullFormatter())
