"""Gradients as tables: by depth, by time, and through training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cnninspect.records.gradient_profile import (
    GradientProfile,
    LayerGradients,
    StateGradients,
    TrainingPoint,
)
from cnninspect.render.bar_columns import (
    bar_cell,
    bar_columns,
    bar_width,
    room_for,
    scale_remark,
)
from cnninspect.render.escaping import visible
from cnninspect.render.fitting import GAP, cut_front
from cnninspect.render.gradient_facts import style_of
from cnninspect.render.gradient_rows import Row, rows_of
from cnninspect.render.gradient_view import MEASURES, GradientView
from cnninspect.render.log_bars import scale_of
from cnninspect.render.pages import Cell, Column, Kind, Style, Table

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
            Column("decades", Kind.NUMBER, sacrifice=1),
            Column("verdict", Kind.WORD),
        ]
    rows = []
    for points in zip(*(model.training for model in report.models)):
        cells = [Cell(f"{points[0].step:,}", Style.FAINT)]
        for point in points:
            trend = point.trend
            cells += [
                Cell(f"{point.loss:.3f}"),
                Cell("" if trend.decades is None else f"{round(trend.decades, 1) + 0.0:+.1f}"),
                Cell(trend.verdict, style_of(trend.verdict)),
            ]
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows), title=_training_title(report))


def _training_title(report: GradientProfile) -> str:
    settings = report.settings
    rate = f"learning rate {settings.learning_rate:g}"
    return f"{settings.steps:,} steps of {settings.optimizer}, {rate}"
