"""How a `TensorDifference` is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnninspect.errors import BadOption
from cnninspect.metrics.difference import OddTensor, TensorDifference
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import plural, sizes

GROUP = 3
"""Tensors that make a group."""
SHOWN = 15
"""Rows of each kind that a table shows unless told otherwise."""
COLUMNS = (
    Column("", Kind.SHAPE, "sign"),
    Column("tensor", Kind.PATH),
    Column("shape", Kind.SHAPE),
    Column("why", Kind.PROSE, sacrifice=1),
)
CSV_FIELDS = ("kind", "tensor", "old_shape", "new_shape", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDifferenceView(View):
    """What to show of the difference between tensors, and how.

    Raises:
        BadOption: the number of rows cannot be used.
    """

    every: bool = False
    """Every tensor; else the first few of each kind."""
    top: int = SHOWN
    """How many are a few."""

    def __post_init__(self) -> None:
        if self.top < 1:
            raise BadOption("--top", self.top, "1 or more")


def page(report: TensorDifference, view: TensorDifferenceView) -> Page:
    """What is missing, unexpected and misshapen, with the reasons, then how much matches."""
    blocks: list[Block] = []
    missing, unexpected = report.missing, report.unexpected
    for rows, number, title in (
        (_odd(missing, "-", Style.BAD, view), len(missing), f"only in {report.old}"),
        (_odd(unexpected, "+", Style.GOOD, view), len(unexpected), f"only in {report.new}"),
        (_misshapen(report), len(report.misshapen), "of another shape"),
    ):
        if rows:
            blocks.append(_table(rows, f"{title}: {plural(number, 'tensor')}", view))
    if report.is_empty:
        blocks.append(Notice("every tensor has its like", style=Style.GOOD))
    blocks.append(Facts(tuple(_facts(report))))
    return Page(f"{report.old} ↔ {report.new}", "tensors", tuple(blocks))


def _odd(
    tensors: Sequence[OddTensor], sign: str, ink: Style, view: TensorDifferenceView
) -> list[tuple[Cell, ...]]:
    """A row for each tensor, or for each group of them that is there for one reason."""
    sizes_of = Counter(tensor.group for tensor in tensors)
    rows: list[tuple[Cell, ...]] = []
    told: set[str] = set()
    for tensor in tensors:
        name, shape = Cell(tensor.name, ink), sizes(tensor.shape)
        number = sizes_of[tensor.group]
        if tensor.group and number >= GROUP and not view.every:
            if tensor.group in told:
                continue
            told.add(tensor.group)
            name, shape = Cell(tensor.group, ink, mark=f"  {plural(number, 'tensor')}"), ""
        rows.append((Cell(sign, ink), name, Cell(shape, ink), Cell(tensor.reason, Style.FAINT)))
    return rows


def _misshapen(report: TensorDifference) -> list[tuple[Cell, ...]]:
    return [
        (
            Cell("~", Style.WARNING),
            Cell(t.name, Style.WARNING),
            Cell(f"{sizes(t.old)} → {sizes(t.new)}", Style.WARNING),
            Cell(t.reason, Style.FAINT),
        )
        for t in report.misshapen
    ]


def _table(rows: Sequence[tuple[Cell, ...]], title: str, view: TensorDifferenceView) -> Table:
    shown = rows if view.every else rows[: view.top]
    more = len(rows) - len(shown)
    remarks = (f"and {plural(more, 'more row')}; --all shows them",) if more else ()
    return Table(COLUMNS, tuple(shown), title=title, remarks=remarks)


def _facts(report: TensorDifference) -> Iterator[Fact]:
    matched = plural(report.matched, "tensor")
    yield Fact("matched", f"{matched} of the same name and shape", Style.GOOD)
    if report.renaming is not None:
        old, new = report.renaming.old, report.renaming.new
        ways = [
            f"{prefix} on the {side} side"
            for prefix, side in ((old, "old"), (new, "new"))
            if prefix
        ]
        why = f": {report.renaming.reason}" if report.renaming.reason else ""
        text = f"{' and '.join(ways)} stands before {plural(report.renaming.tensors, 'name')}{why}"
        yield Fact("prefix", text, Style.ACCENT)
    yield from (Fact("note", note) for note in report.notes)


def rows(
    report: TensorDifference,
    view: TensorDifferenceView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each tensor without its like."""
    odd: list[Sequence[Field]] = [
        ("missing", t.name, t.shape, None, t.reason) for t in report.missing
    ]
    odd += [("unexpected", t.name, None, t.shape, t.reason) for t in report.unexpected]
    odd += [("misshapen", t.name, t.old, t.new, t.reason) for t in report.misshapen]
    return CSV_FIELDS, iter(odd)


RENDERER = Renderer(view=TensorDifferenceView, page=page, rows=rows)
