"""How a `CompoundGrid` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from cnninspect.commands.scale.report import CompoundGrid, GridPoint
from cnninspect.errors import BadOption
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import count, plural

SHOWN = 20
"""Rows that a table shows unless told otherwise."""
COLUMNS = (
    Column("α\ndepth", Kind.NUMBER),
    Column("β\nwidth", Kind.NUMBER),
    Column("γ\nresolution", Kind.NUMBER),
    Column("α·β²·γ²", Kind.NUMBER, sacrifice=2),
    Column("pixels", Kind.NUMBER, sacrifice=1),
    Column("parameters", Kind.NUMBER, sacrifice=3),
    Column("MACs", Kind.NUMBER),
    Column("×", Kind.NUMBER),
    Column("", Kind.WORD, "published"),
)
CSV_FIELDS = tuple(field.name for field in fields(GridPoint))


@dataclass(frozen=True, slots=True, kw_only=True)
class CompoundGridView(View):
    """What to show of a grid, and how.

    Raises:
        BadOption: the number of rows cannot be used.
    """

    top: int = SHOWN
    """Only so many rows in a table, and the published one."""

    def __post_init__(self) -> None:
        if self.top < 1:
            raise BadOption("--top", self.top, "1 or more")


def page(report: CompoundGrid, view: CompoundGridView) -> Page:
    """The points whose work is the nearest to the target."""
    shown = [point for i, point in enumerate(report.points) if i < view.top or point.published]
    blocks: list[Block] = []
    if shown:
        more = len(report.points) - len(shown)
        remarks = (f"{plural(more, 'other')} in the grid; --top shows them",) if more else ()
        rows = tuple(_row(point, human=view.human) for point in shown)
        blocks.append(Table(COLUMNS, rows, remarks=remarks))
    else:
        blocks.append(Notice("no point of the grid is so near; --tolerance widens it"))
    facts = [
        Fact("itself", f"{count(report.parameters, human=view.human)} parameters · "
             f"{count(report.macs, human=view.human)} MACs"),
        Fact("rounding", "channels go to multiples of 8, blocks up: so × is not α·β²·γ²"),
        Fact("choice", "all of these cost about the same; which one learns best, training tells"),
        *(Fact("note", note) for note in report.notes),
    ]  # fmt: skip
    blocks.append(Facts(tuple(facts)))
    target = f"α·β²·γ² = {report.target:g} ± {report.tolerance:g}"
    points = plural(len(report.points), "point")
    return Page(report.model.name, f"{target} · {points}", tuple(blocks))


def _row(point: GridPoint, *, human: bool) -> tuple[Cell, ...]:
    ink = Style.ACCENT if point.published else Style.PLAIN
    return (
        Cell(f"{point.alpha:.2f}", ink),
        Cell(f"{point.beta:.2f}", ink),
        Cell(f"{point.gamma:.2f}", ink),
        Cell(f"{point.product:.3f}", ink),
        Cell(f"{point.resolution}", ink),
        Cell(count(point.parameters, human=human), ink),
        Cell(count(point.macs, human=human), ink),
        Cell(f"{point.ratio:.3f}", ink),
        Cell("the paper's" if point.published else "", ink),
    )


def rows(
    report: CompoundGrid,
    view: CompoundGridView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each point."""
    return CSV_FIELDS, (tuple(getattr(p, name) for name in CSV_FIELDS) for p in report.points)


RENDERER = Renderer(view=CompoundGridView, page=page, rows=rows)
