"""Times as a picture: layers against their least times, or networks against their MACs."""

from __future__ import annotations

from typing import Any

from cnninspect.commands.timing.report import TimedModel, TimeReport
from cnninspect.page.escaping import visible
from cnninspect.page.plots import (
    COLORS,
    LABEL_SIZE,
    Label,
    in_style,
    literal_text,
    new_figure,
    place,
    tick_text,
    written,
)
from cnninspect.page.quantities import plural, scaled_time

MOST_BARS = 40
"""Layers drawn, the slowest ones; the rest is one bar."""
UNITS = (("seconds", 1.0), ("ms", 1e-3), ("µs", 1e-6))
MARKERS = ("o", "s", "^", "D", "v", "P")


@in_style
def picture(report: TimeReport, format: str) -> bytes:  # noqa: A002
    """The content of a picture file: of one time its layers, of several time against MACs.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    if len(report.models) == 1 and report.models[0].layers[0].total_s is not None:
        return written(_layers(report.models[0], report.machine.processor), format)
    return written(_models(report), format)


def _layers(model: TimedModel, processor: str) -> Any:
    """Bars by layer, in the order of execution: its own time, and the least in front of it."""
    figure, (axes,) = new_figure(inches=(8.0, 8.0))
    layers = [layer for layer in model.layers if layer.own_s]
    kept = sorted(layers, key=lambda layer: -(layer.own_s or 0.0))[:MOST_BARS]
    shown = [layer for layer in layers if layer in kept]
    rest = [layer for layer in layers if layer not in kept]
    name, unit = _unit(max((layer.own_s or 0.0 for layer in shown), default=0.0))
    labels = [visible(layer.path or f"{model.model.name} itself") for layer in shown]
    measured = [_in(layer.own_s, unit) for layer in shown]
    least = [_in(layer.own_bound_s, unit) for layer in shown]
    if rest:
        labels.append(f"({plural(len(rest), 'other')})")
        measured.append(sum(_in(layer.own_s, unit) for layer in rest))
        least.append(sum(_in(layer.own_bound_s, unit) for layer in rest))
    places = range(len(labels))
    axes.barh(places, measured, color=COLORS[5], label="measured")
    if model.spec is not None:
        axes.barh(places, least, height=0.4, color=COLORS[0], label="at least")
    axes.set_yticks(places, labels, fontsize=7.5)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.xaxis.get_major_locator().set_params(integer=False)
    axes.set_xlabel(f"{name}, each layer by itself")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, fontsize=8, borderaxespad=0.2)
    axes.margins(y=0.01)
    axes.set_title(
        f"{visible(model.model.name)} · {model.backend} · batch {model.batch} · {model.mode} · "
        f"median {scaled_time(model.median_s)}",
        fontsize=10,
    )
    _sign(figure, processor)
    return figure


def _in(seconds: float | None, unit: float) -> float:
    return (seconds or 0.0) / unit


def _unit(largest: float) -> tuple[str, float]:
    """The largest unit of which there is at least one."""
    return next(((name, unit) for name, unit in UNITS if largest >= unit), UNITS[-1])


def _models(report: TimeReport) -> Any:
    """Time for one sample against its MACs: were MACs all, the points would lie on a line."""
    figure, (axes,) = new_figure(inches=(8.0, 5.5))
    groups: dict[str, list[TimedModel]] = {}
    for model in report.models:
        if model.macs:
            groups.setdefault(_group(model, report), []).append(model)
    for number, (label, models) in enumerate(groups.items()):
        axes.scatter(
            *zip(*map(_point, models)),
            label=label, color=COLORS[number % len(COLORS)],
            marker=MARKERS[number % len(MARKERS)], s=34, zorder=3,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(0.15)
    _ticks(axes)
    axes.set_xlabel("MACs for one sample")
    axes.set_ylabel("median time for one sample, ms")
    axes.set_title("measured time against MACs")
    if len(groups) > 1:
        axes.legend(loc="upper left", fontsize=9)
    _name_points(figure, axes, [model for models in groups.values() for model in models])
    _sign(figure, report.machine.processor)
    return figure


def _name_points(figure: Any, axes: Any, models: list[TimedModel]) -> None:
    """Write each network's name beside its slowest point, where no other name or point is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # only then is it known where the axes lie
    renderer = figure.canvas.get_renderer()
    found = axes.transData.transform([_point(model) for model in models])
    points = [(float(x), float(y)) for x, y in found]
    named: dict[str, tuple[float, float]] = {}
    for model, point in sorted(zip(models, points), key=lambda pair: pair[1][1]):
        named[model.model.name] = point
    labels = []
    for name, point in named.items():
        sample = axes.text(0, 0, literal_text(name), fontsize=LABEL_SIZE)
        box = sample.get_window_extent(renderer)
        sample.remove()
        labels.append(Label(sample.get_text(), point, (box.width, box.height)))
    taken = []
    if axes.get_legend() is not None:
        box = axes.get_legend().get_window_extent(renderer)
        taken.append((box.x0, box.y0, box.x1, box.y1))
    frame = axes.get_window_extent(renderer).extents
    back = axes.transData.inverted().transform
    for label, placed in zip(labels, place(labels, points, frame, taken)):
        if placed is None:
            continue
        if placed.leader is not None:
            xs, ys = zip(*back(placed.leader))
            axes.plot(xs, ys, color="#777777", linewidth=0.6, zorder=2)
        x, y = back(placed.corner)
        axes.text(x, y, label.text, fontsize=LABEL_SIZE, va="bottom").set_in_layout(False)


def _point(model: TimedModel) -> tuple[float, float]:
    """MACs and milliseconds for one sample."""
    return model.macs / model.batch, 1e3 / model.samples_per_s


def _ticks(axes: Any) -> None:
    """`10 M` in place of 10⁷; milliseconds as they are."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis, text in ((axes.xaxis, tick_text), (axes.yaxis, lambda value: f"{value:g}")):
        axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _, text=text: text(value)))
        axis.set_minor_formatter(NullFormatter())


def _group(model: TimedModel, report: TimeReport) -> str:
    """What tells the points of one colour from others."""
    parts = []
    if len({each.backend for each in report.models}) > 1:
        parts.append(model.backend)
    if len({each.batch for each in report.models}) > 1:
        parts.append(f"batch {model.batch}")
    return ", ".join(parts) or model.backend


def _sign(figure: Any, processor: str) -> None:
    """Say on what it was measured: times mean nothing without."""
    figure.text(
        0.995, 0.005, visible(processor), ha="right", va="bottom", fontsize=7, color="#777777"
    ).set_in_layout(False)
