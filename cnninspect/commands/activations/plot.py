"""What flows through the layers as a picture: a panel for each thing that was looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from cnninspect.commands.activations.report import (
    ActivationPoint,
    Activations,
    LayerActivations,
    ModelActivations,
)
from cnninspect.page.plots import (
    TWO,
    in_style,
    line_style,
    literal_text,
    new_figure,
    written,
)
from cnninspect.page.quantities import plural

Panel = Callable[[Any, Activations], None]
AFTER = (0, (4, 2))
"""Dashes of what was seen after training."""
SHARES: tuple[tuple[str, Any], ...] = (
    ("zeros", "-"),
    ("saturated", (0, (4, 2))),
    ("dead channels", (0, (1.5, 1.2))),
)
MOST_ACROSS = 3


@in_style
def picture(report: Activations, format: str) -> bytes:  # noqa: A002
    """The content of a picture file: deviations and shares by depth, then blocks, gates, shifts.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    panels: list[Panel] = [_deviations]
    first = [model.points[0] for model in report.models]
    panels += [_shares] if any(_shares_of(model) for model in report.models) else []
    panels += [_blocks] if any(point.blocks for point in first) else []
    panels += [_gates] if any(point.gates for point in first) else []
    panels += [_shifts] if any(point.shifts for point in first) else []
    across = 2 if len(panels) == 4 else min(len(panels), MOST_ACROSS)
    figure, axes = new_figure(across, inches=TWO, rows=-(-len(panels) // across))
    for axis, draw in zip(axes, panels):
        draw(axis, report)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    settings = report.settings
    parts = [f"{report.models[0].data.name} data", f"batch {settings.batch}"]
    parts.append("training mode" if settings.mode == "train" else "testing mode")
    if settings.steps:
        parts.append(f"dashed: after {plural(settings.steps, 'step')} of {settings.optimizer}")
    title = literal_text(" · ".join(parts))
    figure.suptitle(title, x=0.01, ha="left", fontsize=9, color="#555555")
    return written(figure, format)


def _ends(model: ModelActivations) -> list[tuple[ActivationPoint, Any]]:
    """What was seen first, and after training, with its dashes."""
    found: list[tuple[ActivationPoint, Any]] = [(model.points[0], "-")]
    if len(model.points) > 1:
        found.append((model.points[-1], AFTER))
    return found


def _lines(
    axis: Any, report: Activations, values: Callable[[ActivationPoint], Sequence[float]]
) -> None:
    """A line for each model, and a dashed one for what it was after training."""
    for number, model in enumerate(report.models):
        for point, dashes in _ends(model):
            ys = [y if math.isfinite(y) else math.nan for y in values(point)]
            if not ys:
                continue
            style = {**line_style(number), "linestyle": dashes}
            label = literal_text(model.model.name) if dashes == "-" else None
            marker = "o" if len(ys) <= 30 else ""
            axis.plot(range(1, len(ys) + 1), ys, label=label, marker=marker, markersize=3, **style)
    axis.legend(loc="best", fontsize=8)


def _deviations(axis: Any, report: Activations) -> None:
    _lines(
        axis,
        report,
        lambda point: [each.deviation if each.deviation > 0 else math.nan for each in point.layers],
    )
    axis.set_yscale("log")
    axis.set_xlabel("layers in order (1 is nearest the input)")
    axis.set_ylabel("deviation of what a layer gives")


def _shares(axis: Any, report: Activations) -> None:
    """Zeros, saturated elements, dead channels: at the end of training, where there was any."""
    for number, model in enumerate(report.models):
        for name, ys in _shares_of(model).items():
            style = {**line_style(number), "linestyle": dict(SHARES)[name]}
            label = literal_text(f"{model.model.name}: {name}" if len(report.models) > 1 else name)
            mark = {"marker": "o", "markersize": 3} if len(ys) <= 30 else {}
            axis.plot(range(1, len(ys) + 1), ys, label=label, **mark, **style)
    axis.set_ylim(-0.02, 1.02)
    axis.set_xlabel("layers in order (1 is nearest the input)")
    axis.set_ylabel("share")
    axis.legend(loc="best", fontsize=8)


def _shares_of(model: ModelActivations) -> dict[str, list[float]]:
    """The shares by layer, without those that are 0 or unknown everywhere."""
    layers = model.points[-1].layers
    found = {name: [_share(layer, name) for layer in layers] for name, _ in SHARES}
    return {name: ys for name, ys in found.items() if any(y > 0 for y in ys)}


def _share(layer: LayerActivations, name: str) -> float:
    if name == "zeros":
        return layer.zeros
    if name == "saturated":
        return math.nan if layer.saturated is None else layer.saturated
    return layer.dead_channels / layer.channels if layer.channels else math.nan


def _blocks(axis: Any, report: Activations) -> None:
    _lines(axis, report, lambda point: [each.change for each in point.blocks])
    _from_zero(axis)
    axis.set_xlabel("residual blocks that keep the shape, in order")
    axis.set_ylabel("‖y − x‖ / ‖x‖")


def _gates(axis: Any, report: Activations) -> None:
    """The mean of each gate, one beside the other; an open mark is what it was after training."""
    names: dict[str, None] = {}
    for model in report.models:
        names.update(dict.fromkeys(_gate_names(model.points[0])))
    place = {name: number for number, name in enumerate(names)}
    for number, model in enumerate(report.models):
        shift = (number - (len(report.models) - 1) / 2) * 0.5 / max(len(report.models), 1)
        color = line_style(number)["color"]
        for point, dashes in _ends(model):
            is_first = dashes == "-"
            axis.scatter(
                [place[name] + shift for name in _gate_names(point)],
                [gate.mean for gate in point.gates],
                label=literal_text(model.model.name) if is_first else None,
                color=color if is_first else "none", edgecolors=color,
                s=40 if is_first else 90, zorder=3,
            )  # fmt: skip
    axis.set_xticks(range(len(place)), [literal_text(name) for name in place])
    if len(place) > 3:
        axis.tick_params(axis="x", labelrotation=45)
    axis.set_xlim(-0.6, len(place) - 0.4)
    axis.set_ylim(-0.02, 1.02)
    axis.set_ylabel("mean of the gate")
    axis.legend(loc="best", fontsize=8)


def _gate_names(point: ActivationPoint) -> list[str]:
    several = len({(gate.path, gate.layer, gate.is_backward) for gate in point.gates}) > 1
    return [
        gate.gate
        + (f", layer {gate.layer + 1}" if several else "")
        + (" backward" if gate.is_backward else "")
        for gate in point.gates
    ]


def _shifts(axis: Any, report: Activations) -> None:
    """How far each layer's output moves, at the largest shift."""
    _lines(axis, report, lambda point: [each.changes[-1] for each in point.shifts if each.path])
    _from_zero(axis)
    axis.set_xlabel("layers in order (1 is nearest the input)")
    axis.set_ylabel("relative change of what a layer gives")
    axis.set_title(f"images shifted by {plural(report.shift, 'pixel')}", fontsize=9)


def _from_zero(axis: Any) -> None:
    """Let the axis begin at 0, with room above the largest value."""
    axis.set_ylim(0, 1.08 * max(axis.dataLim.y1, 1e-9))
