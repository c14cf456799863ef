"""The charts of a page, as plain data for plotly's JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.commands.report.report import Overview, Portrait
from cnninspect.metrics.summary import LayerSummary
from cnninspect.page.escaping import html_text, visible
from cnninspect.page.plots import COLORS
from cnninspect.page.quantities import scaled, scaled_time, shapes_text, share
from cnninspect.records.traces import parent_of

Chart = dict[str, Any]
SIZES = {
    "macs": "MACs",
    "parameters": "parameters",
    "activation_bytes": "activation bytes",
    "saved_bytes": "bytes saved for backward",
    "seconds": "least time",
}
"""What the size of a box of the icicle can be."""


def _text(raw: str) -> str:
    """Foreign text for plotly, which reads a few tags of HTML in what it shows."""
    return html_text(raw)


def icicle(portrait: Portrait) -> Chart:
    """The tree of modules, with the values of every size that can be chosen."""
    layers = portrait.summary.layers
    saved = {layer.path: layer.total.saved_bytes for layer in _memory_layers(portrait)}
    values: dict[str, list[float]] = {
        "macs": [layer.total.macs for layer in layers],
        "parameters": [layer.total.parameters for layer in layers],
        "activation_bytes": [layer.total.activation_bytes for layer in layers],
        "seconds": [layer.roofline.total.seconds if layer.roofline else 0 for layer in layers],
    }
    if saved:
        values["saved_bytes"] = [saved.get(layer.path, 0) for layer in layers]
    formulas = {formula.path: formula.text for formula in portrait.formulas}
    name = portrait.summary.model.name
    return {
        "kind": "icicle",
        "ids": [identity(layer.path) for layer in layers],
        "labels": [_text(layer.path.rpartition(".")[2] or name) for layer in layers],
        "parents": [identity(parent_of(layer.path)) if layer.path else "" for layer in layers],
        "values": values,
        "hover": [_hover(layer, portrait, formulas.get(layer.path, "")) for layer in layers],
        "label": f"Modules of {visible(name)} by size",
    }


def identity(path: str) -> str:
    """A name for a module that is not empty, as plotly wants it, and that shows every sign.

    No two paths have the same one.
    """
    return visible("/" + path.replace("\\", "\\\\"))


def _memory_layers(portrait: Portrait) -> Sequence[Any]:
    return portrait.memory.layers if portrait.memory is not None else ()


def _hover(layer: LayerSummary, portrait: Portrait, formula: str) -> str:
    whole = portrait.summary.totals
    lines = [
        f"<b>{_text(layer.path or portrait.summary.model.name)}</b> {_text(layer.type)}",
        f"output {shapes_text(layer.output_shapes)}",
        _part(layer.total.parameters, whole.parameters, "parameters"),
        _part(layer.total.macs, whole.macs, "MACs"),
        f"{layer.total.activation_bytes:,} activation bytes",
    ]
    if layer.roofline:
        lines.append(f"at least {scaled_time(layer.roofline.total.seconds)}")
    lines += [_text(part) for part in _wrapped(formula)]
    return "<br>".join(lines)


def _part(value: int, whole: int, what: str) -> str:
    return f"{value:,} {what} ({share(value, whole) or 0} %)"


def _wrapped(text: str, width: int = 70) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


def gradients_by_depth(report: Overview) -> Chart | None:
    """Norms of the gradient of the loss by each layer's output, over depth; shared axes."""
    if report.gradients is None:
        return None
    traces = []
    for number, model in enumerate(report.gradients.models):
        layers = [x for x in model.layers if x.activation_gradient_norm]
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers",
                "name": _text(f"{model.model.name}: {model.verdict}"),
                "x": [layer.depth for layer in layers],
                "y": [layer.activation_gradient_norm for layer in layers],
                "text": [_text(f"{layer.path} {layer.type}") for layer in layers],
                "hovertemplate": "%{text}<br>depth %{x}<br>norm %{y:.3g}<extra></extra>",
                "line": {"color": COLORS[number % len(COLORS)]},
            }
        )  # fmt: skip
    return _axes("Gradient norms by depth", traces, "depth (1 is nearest the input)",
                 "norm of the gradient by the output", log_y=True)  # fmt: skip


def memory_over_the_step(report: Overview) -> Chart | None:
    """Bytes allocated after each call of a step of training, forward and backward."""
    traces = []
    for number, portrait in enumerate(report.models):
        memory = portrait.memory
        if memory is None or not memory.timeline:
            continue
        last = max(len(memory.timeline) - 1, 1)
        traces.append(
            {
                "type": "scatter", "mode": "lines", "name": _text(memory.model.name),
                "x": [round(100 * i / last, 3) for i in range(len(memory.timeline))],
                "y": list(memory.timeline),
                "hovertemplate": "%{y:.4s}B at %{x:.0f} % of the step<extra></extra>",
                "line": {"color": COLORS[number % len(COLORS)]},
            }
        )  # fmt: skip
    if not traces:
        return None
    return _axes("Memory over a step of training", traces, "% of the calls of the step",
                 "bytes allocated", suffix="B")  # fmt: skip


def rooflines(report: Overview) -> Chart | None:
    """Layers by their FLOPs for each byte, under what the device can do at most."""
    if "roofline" not in report.parts:
        return None
    traces: list[dict[str, Any]] = []
    points: list[float] = []
    for number, portrait in enumerate(report.models):
        layers = [x for x in portrait.summary.layers if x.roofline and x.roofline.own.flops]
        own = [x.roofline.own for x in layers if x.roofline]
        points += [line.intensity for line in own]
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": _text(portrait.summary.model.name),
                "x": [line.intensity for line in own],
                "y": [line.flops / line.seconds if line.seconds else None for line in own],
                "text": [
                    _text(f"{x.path} {x.type}: {scaled(line.flops, 'FLOPs')}, "
                          f"{scaled_time(line.seconds)}, {line.bound}-bound")
                    for x, line in zip(layers, own)
                ],
                "hovertemplate": "%{text}<br>%{x:.3g} FLOPs/byte<extra></extra>",
                "marker": {"color": COLORS[number % len(COLORS)], "size": 7, "opacity": 0.75},
            }
        )  # fmt: skip
    device = report.models[0].summary.device
    if device is None or not points:
        return None
    ridge = device.flops_per_second / device.bytes_per_second
    low, high = min([*points, ridge]) / 3, max([*points, ridge]) * 3
    traces.append(
        {
            "type": "scatter", "mode": "lines", "name": _text(f"roof of {device.name}"),
            "x": [low, ridge, high],
            "y": [low * device.bytes_per_second, device.flops_per_second, device.flops_per_second],
            "line": {"color": "#888888", "dash": "dash"}, "hoverinfo": "skip",
        }
    )  # fmt: skip
    return _axes("Layers under the roofs of the device", traces, "FLOPs for each byte moved",
                 "FLOP/s at most", log_x=True, log_y=True)  # fmt: skip


def growth(report: Overview) -> Chart | None:
    """MACs over the size that grows."""
    traces = []
    over = ""
    for number, portrait in enumerate(report.models):
        scaling = portrait.scaling
        if scaling is None:
            continue
        over = scaling.over
        sizes_ = [point.size.numerator / point.size.denominator for point in scaling.points]
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": _text(scaling.model.name),
                "x": sizes_, "y": [point.macs for point in scaling.points],
                "hovertemplate": "%{x}: %{y:.4s}MACs<extra></extra>",
                "line": {"color": COLORS[number % len(COLORS)]},
            }
        )  # fmt: skip
    if not traces:
        return None
    return _axes(f"MACs over the {over}", traces, over, "MACs")


def _axes(
    label: str,
    traces: list[dict[str, Any]],
    x: str,
    y: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    suffix: str = "",
) -> Chart:
    return {
        "kind": "axes",
        "label": label,
        "traces": traces,
        "x": {"title": {"text": _text(x)}, "type": "log" if log_x else "linear"},
        "y": {
            "title": {"text": _text(y)}, "type": "log" if log_y else "linear",
            "ticksuffix": suffix, "exponentformat": "SI" if suffix or not log_y else "power",
        },
    }  # fmt: skip
