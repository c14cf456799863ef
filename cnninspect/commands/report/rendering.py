"""How an `Overview` is written: the page of HTML, or a list of what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.commands.report.report import Overview
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Cell, Column, Fact, Facts, Kind, Page, Table
from cnninspect.page.quantities import count

CSV_FIELDS = ("model", "parameters", "macs", "layers", "drawings")


def page(report: Overview, view: View) -> Page:
    """The models and what was asked of them."""
    columns = (
        Column("model", Kind.PATH),
        Column("parameters", Kind.NUMBER),
        Column("MACs", Kind.NUMBER),
        Column("layers", Kind.NUMBER),
        Column("drawings", Kind.NUMBER),
    )
    rows = []
    for portrait in report.models:
        totals = portrait.summary.totals
        numbers = (totals.parameters, totals.macs, totals.layers, len(portrait.graphs))
        cells = (Cell(count(number, human=view.human)) for number in numbers)
        rows.append((Cell(portrait.summary.model.reference), *cells))
    facts = [Fact("with", ", ".join(report.parts) or "nothing more"), Fact("device", report.device)]
    facts += [Fact("note", note) for note in report.notes]
    return Page(
        "report", "-o FILE.html writes it", (Table(columns, tuple(rows)), Facts(tuple(facts)))
    )


def rows(report: Overview, view: View) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:  # noqa: ARG001
    """A row for each model."""
    return CSV_FIELDS, (
        (
            p.summary.model.reference, p.summary.totals.parameters, p.summary.totals.macs,
            p.summary.totals.layers, len(p.graphs),
        )
        for p in report.models
    )  # fmt: skip


def html(report: Overview, view: View) -> str:  # noqa: ARG001
    """The page."""
    from cnninspect.commands.report.webpage import write_report

    return write_report(report)


RENDERER = Renderer(view=View, page=page, rows=rows, writers={"html": html})
