"""How a `Memory` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from cnninspect.metrics.training_memory import LayerMemory, Memory, Needs
from cnninspect.page.footers import warnings
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Table
from cnninspect.page.quantities import ZERO, bytes_text, count, plural, scaled, short_name, sizes

TABLE_LEVEL = 2
"""Levels that a table shows unless told otherwise."""
BAR = 12
"""Characters of the longest bar."""
EIGHTHS = " ▏▎▍▌▋▊▉"
CSV_FIELDS = (
    "path", "type", "level",
    *(f"{side}_{f.name}" for side in ("own", "total") for f in fields(Needs)),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryView(View):
    """What to show of a memory report, and how."""

    level: int | None = TABLE_LEVEL
    """Names in the paths down to which layers are shown; None: all."""


COLUMNS = (
    Column("layer", Kind.PATH),
    Column("type", Kind.WORD, sacrifice=2),
    Column("parameters", Kind.NUMBER),
    Column("gradients", Kind.NUMBER, sacrifice=1),
    Column("optimizer", Kind.NUMBER, sacrifice=4),
    Column("saved", Kind.NUMBER),
    Column("", Kind.BAR, name="bars", sacrifice=3),
    Column("forward\nMACs", Kind.NUMBER, name="forward MACs", sacrifice=6),
    Column("backward\nMACs", Kind.NUMBER, name="backward MACs", sacrifice=5),
    Column("ratio", Kind.NUMBER, sacrifice=7),
)
TRAINING_ONLY = ("gradients", "optimizer", "saved", "bars", "backward MACs", "ratio")


def page(report: Memory, view: MemoryView) -> Page:
    """Title, table by layer, and what the peak is made of."""
    about = [report.model.source, inputs_of(report), report.purpose]
    if report.optimizer:
        about.append(report.optimizer)
    if report.amp:
        about.append(f"autocast to {report.amp}")
    blocks: list[Block] = [_table(report, view), _facts(report, view)]
    blocks += warnings(report.uncounted)
    if report.notes:
        blocks.append(Notice("how it was traced", report.notes))
    return Page(report.model.name, " · ".join(about), tuple(blocks))


def inputs_of(report: Memory) -> str:
    """The inputs' shapes and dtypes."""
    shapes = ", ".join(f"{sizes(t.spec.shape)} {t.spec.dtype}" for t in report.inputs)
    return f"input {shapes}"


def _table(report: Memory, view: MemoryView) -> Table:
    layers = [
        x
        for x in report.layers
        if (view.level is None or x.level <= view.level) and (x.total != Needs() or not x.path)
    ]
    largest = max((_shown_saved(x) for x in layers if x.path), default=0)
    columns = [
        i
        for i, column in enumerate(COLUMNS)
        if report.purpose == "training" or (column.name or column.header) not in TRAINING_ONLY
    ]
    rows = [_row(layer, largest, report, human=view.human) for layer in layers]
    hidden = sum(1 for x in report.layers if view.level is not None and x.level > view.level)
    remarks = []
    if hidden:
        remarks.append(
            f"{plural(hidden, 'deeper layer')} counted with the layer that holds them; "
            "--level shows more"
        )
    return Table(
        columns=tuple(COLUMNS[i] for i in columns),
        rows=tuple(tuple(row[i] for i in columns) for row in rows),
        remarks=tuple(remarks),
    )


def _row(layer: LayerMemory, largest: int, report: Memory, *, human: bool) -> tuple[Cell, ...]:
    needs = layer.total
    *_, name = layer.path.split(".")
    ratio = needs.backward_macs / needs.forward_macs if needs.forward_macs else None
    return (
        Cell(
            name if layer.path else short_name(report.model.name),
            guide="   " * max(layer.level - 1, 0),
            full=layer.path or report.model.name,
        ),
        Cell(layer.type),
        Cell(_bytes(needs.parameter_bytes)),
        Cell(_bytes(needs.gradient_bytes)),
        Cell(_bytes(needs.optimizer_bytes)),
        Cell(_bytes(needs.saved_bytes)),
        Cell(_bar(needs.saved_bytes, largest) if layer.path else ""),
        Cell(_macs(needs.forward_macs, human=human)),
        Cell(_macs(needs.backward_macs, human=human)),
        Cell("" if ratio is None else f"{ratio:.3f}"),
    )


def _shown_saved(layer: LayerMemory) -> int:
    return layer.total.saved_bytes


def _bytes(value: int) -> str:
    return scaled(value, "B") if value else ZERO


def _macs(value: int, *, human: bool) -> str:
    return count(value, human=human) if value else ZERO


def _bar(value: int, largest: int) -> str:
    if not value or not largest:
        return ""
    eighths = max(round(8 * BAR * value / largest), 1)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _facts(report: Memory, view: MemoryView) -> Facts:
    totals, human = report.totals, view.human
    text = {
        "parameters": totals.parameter_bytes,
        "buffers": totals.buffer_bytes,
        "gradients": totals.gradient_bytes,
        "optimizer": totals.optimizer_bytes,
        "saved": totals.saved_bytes,
        "inputs": totals.input_bytes,
    }
    facts = [Fact(name, bytes_text(n, human=human)) for name, n in text.items() if n]
    peak = bytes_text(totals.peak_bytes, human=human)
    facts.append(Fact("peak", " · ".join(filter(None, (peak, _where(report))))))
    macs = f"forward {_macs(totals.forward_macs, human=human)}"
    if totals.forward_macs and report.purpose == "training":
        ratio = totals.backward_macs / totals.forward_macs
        macs += f" · backward {_macs(totals.backward_macs, human=human)} ({ratio:.3f} ×)"
    facts.append(Fact("MACs", macs))
    return Facts(tuple(facts))


def _where(report: Memory) -> str:
    """In which part of a training step the peak is."""
    if not report.timeline:
        return ""
    if report.purpose != "training":
        return f"at {report.peak_layer or 'the model itself'}"
    place = report.timeline.index(report.totals.peak_bytes)
    if report.peak_layer is None:
        return "while the optimizer updates the parameters"
    which = "forward" if place < report.backward_from else "backward"
    return f"in the {which} pass of {report.peak_layer or 'the model itself'}"


def rows(report: Memory, view: MemoryView) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:  # noqa: ARG001
    """A row for each layer, all of them."""
    return CSV_FIELDS, (
        (x.path, x.type, x.level, *_values(x.own), *_values(x.total)) for x in report.layers
    )


def _values(needs: Needs) -> tuple[int, ...]:
    return tuple(getattr(needs, f.name) for f in fields(Needs))


RENDERER = Renderer(
    view=MemoryView, page=page, rows=rows, picture="cnninspect.commands.memory.plot:picture"
)
