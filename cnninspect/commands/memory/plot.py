"""A memory report as a picture: what each layer needs, and what each operation has allocated."""

from __future__ import annotations

from typing import Any

from cnninspect.metrics.training_memory import Memory, Needs
from cnninspect.page.escaping import visible
from cnninspect.page.plots import COLORS, TWO, in_style, new_figure, written
from cnninspect.page.quantities import scaled, sizes
from cnninspect.records.traces import parent_of

MOST_BARS = 24
"""Layers drawn, the largest ones; the rest is one bar."""
PARTS = (
    ("parameter_bytes", "parameters"),
    ("gradient_bytes", "gradients"),
    ("optimizer_bytes", "optimizer"),
    ("saved_bytes", "saved for backward"),
)
UNITS = (("bytes", 1), ("kB (10³ bytes)", 1e3), ("MB (10⁶ bytes)", 1e6), ("GB (10⁹ bytes)", 1e9))
"""What an axis is in: its label, and the bytes that it counts as one."""
UPDATE_SHARE = 0.03
"""Width of the optimizer's update, which is one moment, as a share of that of all calls."""


@in_style
def picture(report: Memory, format: str, *, level: int = 2) -> bytes:  # noqa: A002
    """The content of a picture file: stacked bars by layer, and the bytes allocated.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    figure, (bars, line) = new_figure(2, inches=TWO)
    _draw_bars(bars, _rows(report, level))
    _draw_timeline(line, report)
    shapes = ", ".join(sizes(t.spec.shape) for t in report.inputs)
    what = " · ".join(filter(None, (report.purpose, report.optimizer, report.amp)))
    title = f"{visible(report.model.name)} · input {shapes} · {what}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=9, color="#555555")
    return written(figure, format)


def _rows(report: Memory, level: int) -> list[tuple[str, Needs]]:
    """The layers down to that level, or to one above where they are too many, in order.

    Stages are better to look at than many blocks and one bar for the rest, which would be longer
    than all of them.  Where even stages are too many, the small ones are one bar.
    """
    for upper in range(level, 0, -1):
        rows = _rows_at(report, upper)
        if len(rows) <= MOST_BARS:
            return rows
    return _gathered(_rows_at(report, 1))


def _rows_at(report: Memory, level: int) -> list[tuple[str, Needs]]:
    """The layers down to that level, in order.

    A layer whose parts are shown stands for what it needs without them, so that all rows together
    are the whole.
    """
    parents = {parent_of(x.path) for x in report.layers if x.path and x.level <= level}
    shown = []
    for layer in report.layers:
        name = visible(layer.path or report.model.name)
        is_parent = layer.path in parents
        needs = layer.own if is_parent else layer.total
        if layer.level <= level and _together(needs):
            shown.append((f"{name} itself" if is_parent else name, needs))
    return shown


def _gathered(shown: list[tuple[str, Needs]]) -> list[tuple[str, Needs]]:
    """The largest rows, in order, and one for the others."""
    places = sorted(range(len(shown)), key=lambda place: -_together(shown[place][1]))
    kept = [shown[place] for place in sorted(places[:MOST_BARS])]
    rest = sum((shown[place][1] for place in places[MOST_BARS:]), Needs())
    return [*kept, (f"({len(shown) - len(kept)} others)", rest)] if _together(rest) else kept


def _together(needs: Needs) -> int:
    return sum(getattr(needs, field) for field, _ in PARTS)


def _draw_bars(axes: Any, rows: list[tuple[str, Needs]]) -> None:
    places = range(len(rows))
    left = [0.0] * len(rows)
    name, unit = _unit(max((_together(needs) for _, needs in rows), default=0))
    for (field, label), color in zip(PARTS, COLORS):
        sizes = [getattr(needs, field) / unit for _, needs in rows]
        if any(sizes):
            axes.barh(places, sizes, left=left, label=label, color=color)
        left = [a + b for a, b in zip(left, sizes)]
    axes.set_yticks(places, [name for name, _ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.xaxis.get_major_locator().set_params(integer=False)
    axes.set_xlabel(name)
    axes.set_title("by layer")
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(PARTS),
        fontsize=8,
        frameon=False,
        borderaxespad=0.2,
    )


def _draw_timeline(axes: Any, report: Memory) -> None:
    name, unit = _unit(report.totals.peak_bytes)
    alive = [size / unit for size in report.timeline]
    places: list[float] = list(range(len(alive)))
    marks: list[tuple[str, float]] = []
    if report.purpose == "training":
        update = places[-1] - 0.5
        marks = [("backward", report.backward_from), ("update", update)]
        places = [*places[:-1], update, update + max(UPDATE_SHARE * update, 1)]
        alive = [*alive, alive[-1]]
    axes.fill_between(places, alive, color=COLORS[0], alpha=0.25, linewidth=0)
    axes.plot(places, alive, color=COLORS[0], linewidth=1.2)
    peak = report.totals.peak_bytes / unit
    axes.axhline(peak, color=COLORS[1], linewidth=1, linestyle="--")
    said = f"peak {scaled(report.totals.peak_bytes, 'B')}"
    axes.annotate(said, (0, peak), xytext=(4, 4), textcoords="offset points", fontsize=8)
    for number, (mark, place) in enumerate(marks):
        axes.axvline(place, color="#555555", linewidth=1, linestyle=":")
        side, shift = ("right", -4) if number else ("left", 4)
        axes.annotate(
            mark, (place, 0), xytext=(shift, 4), ha=side, textcoords="offset points", fontsize=8
        )
    axes.set_ylim(0, peak * 1.1 or 1)
    axes.set_xlim(0, max(places[-1] if places else 0, 1))
    axes.set_xlabel("operation index")
    axes.set_ylabel(f"allocated, {name}")
    axes.set_title("allocated memory by operation")


def _unit(largest: int) -> tuple[str, float]:
    """The largest unit of which there is at least one."""
    return next(((name, unit) for name, unit in reversed(UNITS) if largest >= unit), UNITS[0])
