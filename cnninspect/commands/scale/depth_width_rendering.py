"""How a `DepthWidthGrid` is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cnninspect.commands.scale.report import DepthWidthGrid, DepthWidthPoint
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Page, Style, Table
from cnninspect.page.quantities import plural, scaled

FIELDS = ("depth", "width", "reference", "parameters", "macs")


def page(report: DepthWidthGrid, view: View) -> Page:  # noqa: ARG001
    """A table of parameters, one of MACs, and one for each data set with errors in print."""
    blocks: list[Block] = [
        _table(report, "parameters", lambda point: scaled(point.parameters)),
        _table(report, "MACs", lambda point: scaled(point.macs)),
    ]
    blocks += [
        _table(report, f"test error on {data}, %", _error_on(data)) for data in _data(report)
    ]
    facts = [Fact("errors", report.source)] if report.source else []
    facts += [Fact("note", note) for note in report.notes]
    if facts:
        blocks.append(Facts(tuple(facts)))
    about = f"{plural(len(report.depths), 'depth')} × {plural(len(report.widths), 'width')}"
    return Page(report.model.name, about, tuple(blocks))


def _data(report: DepthWidthGrid) -> list[str]:
    return list(dict.fromkeys(error.data for point in report.points for error in point.errors))


def _error_on(data: str) -> Callable[[DepthWidthPoint], str]:
    def text(point: DepthWidthPoint) -> str:
        found = [error.percent for error in point.errors if error.data == data]
        return f"{found[0]:.2f}" if found else ""

    return text


def _table(report: DepthWidthGrid, title: str, text: Callable[[DepthWidthPoint], str]) -> Table:
    """A row for each depth, a column for each width."""
    by_size = {(point.depth, point.width): point for point in report.points}
    columns = [Column("depth", Kind.NUMBER)]
    columns += [Column(f"width {width:g}", Kind.NUMBER) for width in report.widths]
    rows = []
    for depth in report.depths:
        found = [by_size.get((depth, width)) for width in report.widths]
        if any(found):
            cells = (
                Cell("") if p is None else Cell(text(p), Style.ACCENT if p.is_own else Style.PLAIN)
                for p in found
            )
            rows.append((Cell(f"{depth}", Style.FAINT), *cells))
    return Table(tuple(columns), tuple(rows), title=title)


def rows(
    report: DepthWidthGrid,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each point."""
    data = _data(report)
    errors = [_error_on(name) for name in data]
    return (*FIELDS, *(f"error on {name}" for name in data)), (
        (*(getattr(point, name) for name in FIELDS), *(text(point) for text in errors))
        for point in report.points
    )


RENDERER = Renderer(view=View, page=page, rows=rows)
