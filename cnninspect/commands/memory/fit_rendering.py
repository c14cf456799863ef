"""How a `BatchFit` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.commands.memory.rendering import inputs_of
from cnninspect.commands.memory.report import BatchFit
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Cell, Column, Fact, Facts, Kind, Page, Style, Table
from cnninspect.page.quantities import bytes_text, scaled

LEFT_OUT = "the CUDA context, workspaces of libraries, what the allocator keeps in reserve"
"""What takes memory beside tensors."""


def page(report: BatchFit, view: View) -> Page:
    """The answer, and the table over batch sizes and optimizers."""
    memory, totals = report.memory, report.memory.totals
    about = [memory.model.source, inputs_of(memory), memory.purpose]
    about += [memory.optimizer] if memory.optimizer else []
    about += [f"autocast to {memory.amp}"] if memory.amp else []

    def text(value: int) -> str:
        return bytes_text(value, human=view.human)

    is_bounded = report.next_peak_bytes > report.limit_bytes
    largest, then = f"{report.batch:,}", "too much"
    if not is_bounded:
        largest, then = f"{largest} or more", "which fits, too; no larger batch is looked for"
    facts = Facts(
        (
            Fact("largest batch", largest, Style.STRONG),
            Fact("its peak", text(totals.peak_bytes)),
            Fact("one more", f"{text(report.next_peak_bytes)}, {then}"),
            Fact("limit", text(report.limit_bytes)),
            Fact("left out", LEFT_OUT),
            Fact("confirmed", f"by {report.traces} traces, at this batch and the next among them"),
        )
    )
    return Page(memory.model.name, " · ".join(about), (facts, _table(report)))


def _table(report: BatchFit) -> Table:
    """Peaks; those over the limit stand out."""
    headers = [name or "peak" for name in report.optimizers]
    return Table(
        columns=(Column("batch", Kind.NUMBER), *(Column(h, Kind.NUMBER) for h in headers)),
        rows=tuple(
            (Cell(f"{row.batch:,}"), *(_peak(peak, report.limit_bytes) for peak in row.peak_bytes))
            for row in report.table
        ),
        title="peak by batch size and optimizer",
        remarks=("× beyond the limit",)
        if any(peak > report.limit_bytes for row in report.table for peak in row.peak_bytes)
        else (),
    )


def _peak(peak: int, limit: int) -> Cell:
    if peak > limit:
        return Cell(f"× {scaled(peak, 'B')}", Style.WARNING)
    return Cell(scaled(peak, "B"))


def rows(report: BatchFit, view: View) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:  # noqa: ARG001
    """A row for each batch size."""
    header = ("batch", *(f"{name}_peak_bytes".lstrip("_") for name in report.optimizers))
    return header, ((row.batch, *row.peak_bytes) for row in report.table)


RENDERER = Renderer(view=View, page=page, rows=rows)
