"""A memory report as a picture: what each layer needs, and what is alive over the step."""

from __future__ import annotations

from typing import Any

from cnninspect.records.memory import LayerMemory, Memory, Needs
from cnninspect.render.escaping import visible
from cnninspect.render.plots import COLORS, new_figure, written

MOST_BARS = 24
"""Layers drawn, the largest ones; the rest is one bar."""
PARTS = (
    ("parameter_bytes", "parameters"),
    ("gradient_bytes", "gradients"),
    ("optimizer_bytes", "optimiser"),
    ("saved_bytes", "saved for backward"),
)
MEGABYTE = 1e6


def picture(report: Memory, format: str, *, level: int = 2) -> bytes:  # noqa: A002
    """The content of a picture file: stacked bars by layer, and the bytes alive after each call.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    figure, (bars, line) = new_figure(2)
    _draw_bars(bars, _rows(report, level))
    _draw_timeline(line, report)
    shapes = ", ".join("×".join(map(str, t.spec.shape)) for t in report.inputs)
    what = " · ".join(filter(None, (report.purpose, report.optimizer, report.amp)))
    title = f"{visible(report.model.name)} · input {shapes} · {what}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9, color="#555555")
    return written(figure, format)


def _rows(report: Memory, level: int) -> list[tuple[str, Needs]]:
    """The layers that stand for themselves at that level, in order; the small ones as one."""
    paths = {layer.path for layer in report.layers}
    shown = [
        layer
        for layer in report.layers
        if layer.level <= level
        and layer.total != Needs()
        and not _has_children(layer, level, paths)
    ]
    ranked = sorted(shown, key=lambda layer: -_together(layer.total))[:MOST_BARS]
    kept = [layer for layer in shown if layer in ranked]
    rest = sum((layer.total for layer in shown if layer not in ranked), Needs())
    rows = [(visible(layer.path or report.model.name), layer.total) for layer in kept]
    return [*rows, (f"({len(shown) - len(kept)} others)", rest)] if rest != Needs() else rows


def _has_children(layer: LayerMemory, level: int, paths: set[str]) -> bool:
    prefix = f"{layer.path}." if layer.path else ""
    return layer.level < level and any(
        p and p != layer.path and p.startswith(prefix) for p in paths
    )


def _together(needs: Needs) -> int:
    return sum(getattr(needs, field) for field, _ in PARTS)


def _draw_bars(axes: Any, rows: list[tuple[str, Needs]]) -> None:
    places = range(len(rows))
    left = [0.0] * len(rows)
    for (field, label), color in zip(PARTS, COLORS):
        sizes = [getattr(needs, field) / MEGABYTE for _, needs in rows]
        if any(sizes):
            axes.barh(places, sizes, left=left, label=label, color=color)
        left = [a + b for a, b in zip(left, sizes)]
    axes.set_yticks(places, [name for name, _ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.set_xlabel("MB (10⁶ bytes)")
    axes.set_title("by layer")
    axes.legend(fontsize=8)


def _draw_timeline(axes: Any, report: Memory) -> None:
    alive = [size / MEGABYTE for size in report.timeline]
    axes.fill_between(range(len(alive)), alive, color=COLORS[0], alpha=0.25, linewidth=0)
    axes.plot(range(len(alive)), alive, color=COLORS[0], linewidth=1.2)
    peak = report.totals.peak_bytes / MEGABYTE
    axes.axhline(peak, color=COLORS[1], linewidth=1, linestyle="--")
    axes.annotate(
        f"peak {peak:,.0f} MB", (0, peak), xytext=(4, 4), textcoords="offset points", fontsize=8
    )
    if report.purpose == "training":
        axes.axvline(report.backward_from, color="#555555", linewidth=1, linestyle=":")
        axes.annotate(
            "backward",
            (report.backward_from, 0),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_ylim(0, peak * 1.1 or 1)
    axes.set_xlim(0, max(len(alive) - 1, 1))
    axes.set_xlabel("call of the step")
    axes.set_ylabel("MB alive")
    axes.set_title("over the step")
