"""How an `Activations` report is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from cnninspect.commands.activations.report import (
    ActivationPoint,
    Activations,
    LayerActivations,
    ModelActivations,
)
from cnninspect.errors import BadOption
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import plural, sizes

ROUNDING = 1e-6
"""A mean below so many deviations is shown as 0."""
LAYER_FIELDS = tuple(
    field.name for field in fields(LayerActivations) if not field.name.startswith("channel_")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationsView(View):
    """What to show of activations.

    Raises:
        BadOption: the number of rows cannot be used.
    """

    rows: int | None = 40
    """Layers of each model at most, in their order; None: all."""

    def __post_init__(self) -> None:
        if self.rows is not None and self.rows < 1:
            raise BadOption("--rows", self.rows, "1 or more, or all")


def page(report: Activations, view: ActivationsView) -> Page:
    """For each model its layers, then its blocks and gates."""
    blocks: list[Block] = []
    several = len(report.models) > 1
    for model in report.models:
        blocks.append(_layers(model, view, several=several))
        first = model.points[0]
        if first.blocks:
            blocks.append(_changes(model, view, several=several))
        if first.gates:
            blocks.append(_gates(model, several=several))
        blocks += [
            _shifts(model, point, view, several=several)
            for point in _both_ends(model)
            if point.shifts
        ]
        blocks += _notices(model, several=several)
    names = " · ".join(model.model.name for model in report.models)
    return Page(f"activations of {names}", _about(report), tuple(blocks))


def _about(report: Activations) -> str:
    settings = report.settings
    shapes = dict.fromkeys(
        " and ".join(sizes(tensor.spec.shape) for tensor in model.inputs) for model in report.models
    )
    parts = [
        f"{report.models[0].data.name} data of {' or '.join(shapes)}",
        "training mode" if settings.mode == "train" else "testing mode",
    ]
    parts += [f"{settings.init} initialisation"] if settings.init != "default" else []
    parts += ["weights from a file"] if settings.weights else []
    if settings.steps:
        parts.append(f"{settings.steps:,} steps of {settings.optimizer}")
    parts += [settings.dtype] if settings.dtype else []
    return " · ".join(parts)


COLUMNS = (
    Column("layer", Kind.PATH),
    Column("type", Kind.WORD, sacrifice=1),
    Column("mean", Kind.NUMBER),
    Column("deviation", Kind.NUMBER),
    Column("zeros\n%", Kind.NUMBER, name="zeros", sacrifice=4),
    Column("saturated\n%", Kind.NUMBER, name="saturated", sacrifice=3),
    Column("dead\nchannels", Kind.NUMBER, name="dead channels", sacrifice=2),
)
AFTER = (
    Column("mean\nafter", Kind.NUMBER, name="mean after"),
    Column("deviation\nafter", Kind.NUMBER, name="deviation after"),
    Column("shift", Kind.NUMBER),
)


def _layers(model: ModelActivations, view: ActivationsView, *, several: bool) -> Table:
    first, last = model.points[0], model.points[-1]
    is_trained = len(model.points) > 1
    later = {layer.path: layer for layer in last.layers}
    shown = first.layers if view.rows is None else first.layers[: view.rows]
    rows = []
    for layer in shown:
        cells = [
            Cell(layer.path),
            Cell(layer.type, Style.FAINT),
            Cell(_mean(layer)),
            Cell(f"{layer.deviation:.3g}"),
            Cell(f"{100 * layer.zeros:.1f}"),
            Cell("" if layer.saturated is None else f"{100 * layer.saturated:.1f}"),
            Cell(
                f"{layer.dead_channels}/{layer.channels}" if layer.dead_channels else "",
                Style.WARNING,
            ),
        ]
        if is_trained:
            cells += _after(layer, later.get(layer.path))
        rows.append(tuple(cells))
    remarks = []
    if is_trained:
        remarks.append(
            f"after: {last.step:,} steps; shift: how far the mean moved, in deviations of the start"
        )
    left_out = len(first.layers) - len(shown)
    if left_out:
        remarks.append(f"{plural(left_out, 'more layer')}; --rows all shows each")
    return Table(
        COLUMNS + (AFTER if is_trained else ()),
        tuple(rows),
        title=model.model.name if several else "",
        remarks=tuple(remarks),
    )


def _mean(layer: LayerActivations) -> str:
    """The mean; 0 where it is what rounding leaves of that."""
    return "0" if abs(layer.mean) < ROUNDING * layer.deviation else f"{layer.mean:+.3g}"


def _after(start: LayerActivations, end: LayerActivations | None) -> list[Cell]:
    if end is None:
        return [Cell("")] * 3
    shift = (end.mean - start.mean) / start.deviation if start.deviation else float("nan")
    return [
        Cell(_mean(end)),
        Cell(f"{end.deviation:.3g}"),
        Cell(f"{shift:+.2f}" if shift == shift else ""),
    ]


def _changes(model: ModelActivations, view: ActivationsView, *, several: bool) -> Table:
    shown = model.points if len(model.points) < 4 else (model.points[0], model.points[-1])
    blocks = model.points[0].blocks
    blocks = blocks if view.rows is None else blocks[: view.rows]
    columns = [Column("block", Kind.PATH), Column("type", Kind.WORD, sacrifice=1)]
    columns += [
        Column("‖y − x‖ / ‖x‖" if len(shown) == 1 else f"step {point.step}", Kind.NUMBER)
        for point in shown
    ]
    by_step = [{each.path: each.change for each in point.blocks} for point in shown]
    rows = tuple(
        (
            Cell(block.path),
            Cell(block.type, Style.FAINT),
            *(Cell(f"{changes[block.path]:.3f}" if block.path in changes else "") for changes in
              by_step),
        )
        for block in blocks
    )  # fmt: skip
    name = f"{model.model.name}: " if several else ""
    return Table(
        tuple(columns), rows, title=f"{name}how far residual blocks move what passes through them"
    )


def _gates(model: ModelActivations, *, several: bool) -> Table:
    first, last = model.points[0], model.points[-1]
    columns = [
        Column("layer", Kind.PATH),
        Column("gate", Kind.WORD),
        Column("mean", Kind.NUMBER),
        Column("closed\n%", Kind.NUMBER, name="closed"),
        Column("open\n%", Kind.NUMBER, name="open"),
    ]
    if len(model.points) > 1:
        columns.append(Column("mean\nafter", Kind.NUMBER, name="mean after"))
    rows = []
    for gate, later in zip(first.gates, last.gates):
        where = f"{gate.path or '(model)'} {gate.layer + 1}"
        cells = [
            Cell(where + (" backward" if gate.is_backward else "")),
            Cell(gate.gate),
            Cell(f"{gate.mean:.3f}"),
            Cell(f"{100 * gate.closed:.1f}"),
            Cell(f"{100 * gate.open:.1f}"),
        ]
        if len(model.points) > 1:
            cells.append(Cell(f"{later.mean:.3f}"))
        rows.append(tuple(cells))
    name = f"{model.model.name}: " if several else ""
    return Table(
        tuple(columns),
        tuple(rows),
        title=f"{name}gates",
        remarks=("closed: below 0.1; open: above 0.9",),
    )


MOST_SHIFTS = 8
"""Columns of shifts; of more, some at even distances."""


def _both_ends(model: ModelActivations) -> tuple[ActivationPoint, ...]:
    """What was seen first and last, which may be one."""
    return (model.points[0], model.points[-1]) if len(model.points) > 1 else model.points


def _shifts(
    model: ModelActivations, point: ActivationPoint, view: ActivationsView, *, several: bool
) -> Table:
    """How far each output moves, by pixels; the network's own output and its answers last."""
    count = len(point.shifts[0].changes)
    shown = range(count)
    if count > MOST_SHIFTS:
        shown = [round(i * (count - 1) / (MOST_SHIFTS - 1)) for i in range(MOST_SHIFTS)]  # type: ignore[assignment]
    columns = (
        Column("layer", Kind.PATH),
        Column("type", Kind.WORD, sacrifice=1),
        *(Column(f"by {plural(pixels + 1, 'pixel')}", Kind.NUMBER) for pixels in shown),
    )
    *layers, whole = point.shifts
    kept = layers if view.rows is None else layers[: view.rows]
    rows = [
        (
            Cell(each.path or "(output)", Style.PLAIN if each.path else Style.STRONG),
            Cell(each.type, Style.FAINT),
            *(Cell(_shift_text(each.changes[i])) for i in shown),
        )
        for each in (*kept, whole)
    ]
    if point.same_answers:
        shares = (Cell(f"{100 * point.same_answers[i]:.1f} %") for i in shown)
        rows.append((Cell("same answer", Style.STRONG), Cell(""), *shares))
    remarks = ["‖shifted − as it was‖ / ‖as it was‖, mean over the examples"]
    if len(kept) < len(layers):
        remarks.append(f"{plural(len(layers) - len(kept), 'more layer')}; --rows all shows each")
    name = f"{model.model.name}: " if several else ""
    when = f", after {plural(point.step, 'step')}" if point.step else ""
    return Table(
        columns,
        tuple(rows),
        title=f"{name}how far outputs move when the images do{when}",
        remarks=tuple(remarks),
    )


def _shift_text(change: float) -> str:
    return f"{change:.3f}" if change == change else ""


def _notices(model: ModelActivations, *, several: bool) -> Iterator[Notice]:
    name = f"{model.model.name}: " if several else ""
    for point in model.points:
        broken = next((layer for layer in point.layers if layer.not_finite), None)
        if broken is not None:
            yield Notice(
                f"{name}numbers that are infinite or none, first in {broken.path}, at step "
                f"{point.step:,}",
                style=Style.BAD,
            )
            break
    losses = [point.loss for point in model.points if point.loss is not None]
    if len(losses) > 1:
        yield Notice(f"{name}loss from {losses[0]:.3f} to {losses[-1]:.3f}")
    for note in model.notes:
        yield Notice(note)


def rows(
    report: Activations,
    view: ActivationsView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each layer of each model at each measured step."""
    return ("model", "step", *LAYER_FIELDS), (
        (model.model.name, point.step, *(getattr(layer, name) for name in LAYER_FIELDS))
        for model in report.models
        for point in model.points
        for layer in point.layers
    )


RENDERER = Renderer(
    view=ActivationsView,
    page=page,
    rows=rows,
    picture="cnninspect.commands.activations.plot:picture",
)
