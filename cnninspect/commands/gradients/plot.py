"""A gradient profile as a picture: one line for each model, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnninspect.commands.gradients.facts import MEASURES, about
from cnninspect.commands.gradients.report import GradientProfile, LayerGradients, Trend
from cnninspect.commands.gradients.tables import chosen_points
from cnninspect.page.plots import (
    TWO,
    in_style,
    line_style,
    literal_text,
    new_figure,
    ramp_style,
    written,
)

MOST_INSIDE = 6
"""Names of curves that have room among them."""
MOST_LINES = 6
"""Steps of training that are drawn."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: sizes with the quartiles around them, from the input on."""

    label: str
    middle: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]


@in_style
def picture(
    report: GradientProfile,
    format: str,  # noqa: A002
    *,
    measure: str = "activation-gradient-rms",
) -> bytes:
    """The content of a picture file: curves by depth or time, and the loss through training.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    is_trained = bool(report.settings.steps)
    figure, axes = new_figure(2, inches=TWO) if is_trained else new_figure()
    over_time = report.settings.over == "time"
    curves = _time_curves(report) if over_time else _depth_curves(report, measure)
    steps = not over_time and len(report.models) == 1 and bool(report.models[0].training)
    _draw(axes[0], curves, in_order=steps)
    what = "gradient at each recurrent state, L2 norm" if over_time else MEASURES[measure]
    axes[0].set_ylabel(what)
    axes[0].set_xlabel(
        "time step (1 is read first)"
        if over_time
        else "depth in weighted layers (1 is nearest the input)"
    )
    if is_trained:
        _draw_losses(axes[1], report)
    figure.suptitle(_title(about(report)), x=0.01, ha="left", fontsize=9, color="#555555")
    return written(figure, format)


def _depth_curves(report: GradientProfile, measure: str) -> list[Curve]:
    models = report.models
    if len(models) == 1 and models[0].training:
        points = chosen_points(models[0].training, MOST_LINES)
        return [
            _depth_curve(f"step {point.step:,}", point.trend, point.layers, measure)
            for point in points
        ]
    return [_depth_curve(m.model.name, m.trend, m.layers, measure) for m in models]


def _depth_curve(name: str, trend: Trend, layers: Sequence[LayerGradients], measure: str) -> Curve:
    field = measure.replace("-", "_")
    return Curve(
        _label(name, trend),
        [getattr(layer, field) for layer in layers],
        [getattr(layer.low, field) for layer in layers],
        [getattr(layer.high, field) for layer in layers],
    )


def _time_curves(report: GradientProfile) -> list[Curve]:
    several = len(report.models) > 1
    curves = []
    for model in report.models:
        for state in model.states:
            name = f"{model.model.name} {state.state}" if several else state.state
            if len({s.layer for s in model.states}) > 1:
                name += f" {state.layer + 1}"
            if state.is_backward:
                name += " backward"
            curves.append(Curve(_label(name, state.trend), state.norms, state.low, state.high))
    return curves


def _label(name: str, trend: Trend) -> str:
    change = "" if trend.orders is None else f", {round(trend.orders, 1) + 0.0:+.1f} orders"
    return literal_text(f"{name}: {trend.verdict}{change}")


def _draw(axes: Any, curves: Sequence[Curve], *, in_order: bool = False) -> None:
    axes.set_yscale("log")
    for number, curve in enumerate(curves):
        style = ramp_style(number, len(curves)) if in_order else line_style(number)
        places = range(1, len(curve.middle) + 1)
        marker = "o" if len(curve.middle) <= 40 else ""
        axes.plot(
            places, _drawable(curve.middle), label=curve.label, marker=marker, markersize=3, **style
        )
        if tuple(curve.low) != tuple(curve.high):
            axes.fill_between(
                places, _drawable(curve.low), _drawable(curve.high),
                color=style["color"], alpha=0.18, linewidth=0,
            )  # fmt: skip
    deepest = max(len(curve.middle) for curve in curves)
    axes.set_xlim(1 - 0.02 * deepest, deepest * 1.02)
    if len(curves) > MOST_INSIDE:  # no corner is free of so many curves
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8)
    else:
        axes.legend(loc="best", fontsize=9)


def _drawable(values: Sequence[float | None]) -> list[float]:
    """With gaps for what has no place on a logarithmic axis."""
    return [v if v is not None and 0 < v < math.inf else math.nan for v in values]


def _draw_losses(axes: Any, report: GradientProfile) -> None:
    for number, model in enumerate(report.models):
        axes.plot(
            [point.step for point in model.training],
            [point.loss for point in model.training],
            label=literal_text(model.model.name),
            marker="o",
            markersize=3,
            **line_style(number),
        )
    axes.set_ylabel("loss")
    axes.set_xlabel(f"steps of {report.settings.optimizer}")
    axes.legend(loc="best", fontsize=9)


def _title(text: str) -> str:
    return literal_text(text)
