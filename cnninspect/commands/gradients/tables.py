"""Gradients as tables: by depth, by time and through training, with bars on a logarithmic scale."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from cnninspect.commands.gradients.facts import MEASURES, GradientView, style_of
from cnninspect.commands.gradients.report import (
    GradientProfile,
    LayerGradients,
    StateGradients,
    TrainingPoint,
)
from cnninspect.page.escaping import visible
from cnninspect.page.page import Cell, Column, Kind, Style, Table
from cnninspect.page.terminal import GAP, cut_front, wrapped

NUMBER_WIDTH = 7
"""Characters of `1.0e-02`."""
LEAST_BAR = 4
"""Shorter bars tell nothing."""
EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class LogScale:
    """A scale from one power of ten to another."""

    low: int
    """Exponent at the left end."""
    high: int
    """Exponent at the right end."""

    def share(self, value: float) -> float:
        """Where a positive number lies between the ends: 0 to 1."""
        place = (math.log10(value) - self.low) / (self.high - self.low)
        return min(max(place, 0.0), 1.0)


def scale_of(values: Iterable[float | None]) -> LogScale:
    """The powers of ten around all numbers that have a logarithm."""
    known = [math.log10(v) for v in values if v is not None and 0 < v < math.inf]
    low = math.floor(min(known, default=0.0))
    # The smallest number has a bar too, if a short one.
    low -= bool(known) and min(known) - low < 0.05
    return LogScale(low, max(math.ceil(max(known, default=0.0)), low + 1))


def number_text(value: float | None) -> str:
    """`1.0e-02`; `0` for nothing at all; nothing where it is not known.

    >>> number_text(0.0123), number_text(0.0), number_text(None), number_text(float("inf"))
    ('1.2e-02', '0', '', 'inf')
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf"
    return "0" if value == 0 else f"{value:.1e}"


def bar(value: float | None, scale: LogScale, width: int) -> str:
    """A bar of up to `width` characters, to an eighth of one; none for what has no logarithm.

    >>> bar(0.1, LogScale(-3, 1), 8), bar(0.0, LogScale(-3, 1), 8)
    ('████', '')
    """
    if value is None or not 0 < value < math.inf:
        return ""
    eighths = round(scale.share(value) * width * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def axis(scale: LogScale, width: int) -> str:
    """What stands above bars: the powers of ten at their ends, as far as there is room."""
    left, right = f"1e{scale.low:+03d}", f"1e{scale.high:+03d}"
    gap = width - len(left) - len(right)
    return left + " " * gap + right if gap > 0 else ""


WIDEST_BAR = 40


def room_for(width: int | None, used: int, columns: int) -> int:
    """Characters for each of so many equal columns beside what is `used`."""
    widest = NUMBER_WIDTH + 1 + WIDEST_BAR
    if width is None:
        return widest
    return max(min((width - used) // columns - GAP, widest), NUMBER_WIDTH)


def bar_width(room: int) -> int:
    """Characters for a bar beside its number in a column; 0: no bars."""
    bars = room - NUMBER_WIDTH - 1
    return bars if bars >= LEAST_BAR else 0


def bar_columns(names: Sequence[str], scale: LogScale, room: int) -> tuple[Column, ...]:
    """Columns of bars under their names, which are broken where they are wider."""
    ends = axis(scale, bar_width(room))
    ruler = " " * (NUMBER_WIDTH + 1) + ends if ends else ""
    return tuple(
        Column("\n".join(broken(visible(name), room)), Kind.WORD, name=name, ruler=ruler)
        for name in names
    )


def broken(name: str, room: int) -> list[str]:
    """A name as lines of at most `room`, broken after its signs where that is possible.

    >>> broken("plain20@activation=sigmoid,norm=none cell", 20)
    ['plain20@activation=', 'sigmoid,norm=none', 'cell']
    """
    lines: list[str] = []
    for part in re.split(r"(?<=[@,:/= ])", name):
        if lines and cell_len(lines[-1] + part.rstrip()) <= room:
            lines[-1] += part
        else:
            lines += wrapped(part.rstrip(), room) if cell_len(part.rstrip()) > room else [part]
    return [line.rstrip() for line in lines]


def scale_remark(scale: LogScale, width: int) -> list[str]:
    """What the ends of bars stand for, where there is no room for it above them."""
    if not width or axis(scale, width):
        return []
    return [f"bars on a logarithmic scale from 1e{scale.low:+03d} to 1e{scale.high:+03d}"]


def bar_cell(value: float | None, scale: LogScale, width: int, style: Style) -> Cell:
    """A number and its bar; in Markdown the number alone."""
    number = number_text(value)
    if value is None:
        return Cell("–", Style.FAINT)
    if value == 0 or not math.isfinite(value):
        return Cell(number, Style.WARNING)
    drawn = f"{number} {bar(value, scale, width)}" if width else number
    return Cell(drawn, style, full=number)


ALIKE = 0.8
"""Share of a model's layers that must have a namesake in the longest, to go by names."""


@dataclass(frozen=True, slots=True)
class Row:
    """Neighbouring layers, by model."""

    depth: str
    """`3`, or `3–5`."""
    label: str
    """Path of the first; empty where the models have other names."""
    more: int
    """How many follow it."""
    layers: tuple[tuple[LayerGradients, ...], ...]
    """For each model its layers here."""

    def value(self, model: int, field: str) -> float | None:
        """The median of a norm over one model's layers; what is not finite comes first."""
        values: list[float | None] = [getattr(layer, field) for layer in self.layers[model]]
        known = [v for v in values if v is not None]
        if not known:
            return None
        broken = [v for v in known if not math.isfinite(v)]
        return broken[0] if broken else statistics.median(known)


def rows_of(models: Sequence[Sequence[LayerGradients]], most: int | None) -> tuple[Row, ...]:
    """The layers of models side by side, in `most` rows at most.

    Layers of the same name stand in one row where the models share most names, as a residual
    network and its plain twin do; else those of the same depth.
    """
    names = _merged_names(models)
    lines = _by_name(models, names) if names else _by_depth(models)
    size = 1 if most is None else -(-len(lines) // most)
    return tuple(
        _row(lines[start : start + size], start, labels=bool(names))
        for start in range(0, len(lines), size)
    )


Line = tuple[LayerGradients | None, ...]
"""One layer of each model, or None where it has none."""


def _row(lines: Sequence[Line], start: int, *, labels: bool) -> Row:
    first, last = start + 1, start + len(lines)
    label = next(layer.path for layer in lines[0] if layer) if labels else ""
    by_model = zip(*lines)
    return Row(
        depth=f"{first}" if first == last else f"{first}–{last}",
        label=label,
        more=len(lines) - 1,
        layers=tuple(tuple(layer for layer in column if layer) for column in by_model),
    )


def _by_depth(models: Sequence[Sequence[LayerGradients]]) -> list[Line]:
    deepest = max(len(layers) for layers in models)
    return [
        tuple(layers[place] if place < len(layers) else None for layers in models)
        for place in range(deepest)
    ]


def _by_name(models: Sequence[Sequence[LayerGradients]], names: Sequence[str]) -> list[Line]:
    found = [{layer.path: layer for layer in layers} for layers in models]
    return [tuple(layers.get(name) for layers in found) for name in names]


def _merged_names(models: Sequence[Sequence[LayerGradients]]) -> tuple[str, ...]:
    """All names in an order that holds for each model; empty where they share too few."""
    longest = max(models, key=len)
    names = [layer.path for layer in longest]
    for layers in models:
        known = set(names)
        own = [layer.path for layer in layers]
        shared = [path for path in own if path in known]
        order = [names.index(path) for path in shared]
        if len(shared) < ALIKE * len(own) or order != sorted(order):
            return ()
        if len(own) < ALIKE * len(longest):  # a part of it: the depths are what tells
            return ()
        after = -1
        for path in own:
            if path in known:
                after = names.index(path)
            else:
                after += 1
                names.insert(after, path)
    return tuple(names)


LEAST_LABEL, WIDEST_LABEL = 8, 32
"""Characters for the names of layers."""


@dataclass(frozen=True, slots=True)
class Series:
    """What one column of bars shows."""

    name: str
    verdict: str
    layers: tuple[LayerGradients, ...]


def profile_table(report: GradientProfile, view: GradientView) -> Table:
    """The gradient by depth: bars for each model side by side.

    One model that was trained has a column for its start, its middle and its end.
    """
    series = _series(report)
    rows = rows_of([each.layers for each in series], view.most_rows)
    values = [[row.value(i, view.field) for i in range(len(series))] for row in rows]
    scale = scale_of(v for line in values for v in line)
    label = _label_width(rows)
    depth = max(5, *(len(row.depth) for row in rows))
    used = depth + (GAP + label if label else 0)
    room = room_for(view.width, used, len(series))
    width = bar_width(room)
    bars = bar_columns([each.name for each in series], scale, room)
    table_rows = []
    for row, line in zip(rows, values):
        cells = [Cell(row.depth, Style.FAINT)]
        if label:
            mark = f" +{row.more}" if row.more else ""
            shown = cut_front(visible(row.label), label - len(mark))
            cells.append(Cell(shown, mark=mark, full=row.label))
        cells += [
            bar_cell(v, scale, width, style_of(each.verdict)) for v, each in zip(line, series)
        ]
        table_rows.append(tuple(cells))
    columns = [Column("depth", Kind.NUMBER)]
    columns += [Column("layer", Kind.PATH)] if label else []
    remarks = [f"{MEASURES[view.measure]}; depth 1 is nearest the input"]
    remarks += scale_remark(scale, width)
    together = max(row.more for row in rows) + 1
    if together > 1:
        remarks.append(
            f"a row is the median of {together} neighbouring layers; --rows all shows each"
        )
    return Table(
        (*columns, *bars),
        tuple(table_rows),
        remarks=tuple(remarks),
    )


def _series(report: GradientProfile) -> list[Series]:
    models = report.models
    if len(models) == 1 and models[0].training:
        return [
            Series(f"step {point.step}", point.trend.verdict, point.layers)
            for point in chosen_points(models[0].training, 3)
        ]
    return [Series(m.model.name, m.trend.verdict, m.layers) for m in models]


def chosen_points(points: Sequence[TrainingPoint], most: int) -> list[TrainingPoint]:
    """The first, the last, and some between at even distances."""
    if len(points) <= most:
        return list(points)
    places = (round(i * (len(points) - 1) / (most - 1)) for i in range(most))
    return [points[place] for place in places]


def _label_width(rows: Iterable[Row]) -> int:
    """Characters for names of layers; 0 where the rows have none."""
    if not any(row.label for row in rows):
        return 0
    longest = max(len(row.label) + (len(f" +{row.more}") if row.more else 0) for row in rows)
    return min(max(longest, LEAST_LABEL), WIDEST_LABEL)


# --- over time ---


def states_table(report: GradientProfile, view: GradientView) -> Table:
    """The gradient at each time step, for every recurrent state of every model."""
    several = len(report.models) > 1
    states = [
        (_state_name(m.model.name if several else "", m.states, s), s)
        for m in report.models
        for s in m.states
    ]
    longest = max(len(state.norms) for _, state in states)
    most = view.most_rows or longest
    size = -(-longest // most)
    rows = []
    scale = scale_of(norm for _, state in states for norm in state.norms)
    room = room_for(view.width, len("time step"), len(states))
    width = bar_width(room)
    for start in range(0, longest, size):
        end = min(start + size, longest)
        cells = [Cell(f"{start + 1}" if size == 1 else f"{start + 1}–{end}", Style.FAINT)]
        for _, state in states:
            part = sorted(state.norms[start:end])
            value = part[len(part) // 2] if part else None
            cells.append(bar_cell(value, scale, width, style_of(state.trend.verdict)))
        rows.append(tuple(cells))
    remarks = ["L2 norm of the gradient at each state; time step 1 is read first"]
    remarks += scale_remark(scale, width)
    if size > 1:
        remarks.append(f"a row is the median of {size} time steps; --rows all shows each")
    columns = (
        Column("time step", Kind.NUMBER),
        *bar_columns([name for name, _ in states], scale, room),
    )
    return Table(columns, tuple(rows), remarks=tuple(remarks))


def _state_name(model: str, states: Sequence[StateGradients], state: StateGradients) -> str:
    """What tells a state from the others: `lstm cell`, `hidden of layer 2, backward`."""
    parts = [model] if model else []
    if len({s.path for s in states}) > 1:
        parts.append(state.path)
    if len({s.state for s in states}) > 1 or not model:
        parts.append(state.state)
    if len({s.layer for s in states}) > 1:
        parts.append(f"layer {state.layer + 1}")
    if len({s.is_backward for s in states}) > 1:
        parts.append("backward" if state.is_backward else "forward")
    return " ".join(parts)


# --- through training ---


def training_table(report: GradientProfile) -> Table:
    """Loss, and what the gradient comes to, at each measured step."""
    several = len(report.models) > 1
    columns = [Column("step", Kind.NUMBER)]
    for model in report.models:
        name = f"{model.model.name}\n" if several else ""
        columns += [
            Column(f"{name}loss", Kind.NUMBER),
            Column("orders of\nmagnitude", Kind.NUMBER, sacrifice=1),
            Column("verdict", Kind.WORD),
        ]
    rows = []
    for points in zip(*(model.training for model in report.models)):
        cells = [Cell(f"{points[0].step:,}", Style.FAINT)]
        for point in points:
            trend = point.trend
            cells += [
                Cell(f"{point.loss:.3f}"),
                Cell("" if trend.orders is None else f"{round(trend.orders, 1) + 0.0:+.1f}"),
                Cell(trend.verdict, style_of(trend.verdict)),
            ]
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows), title=_training_title(report))


def _training_title(report: GradientProfile) -> str:
    settings = report.settings
    rate = f"learning rate {settings.learning_rate:g}"
    return f"{settings.steps:,} steps of {settings.optimizer}, {rate}"
