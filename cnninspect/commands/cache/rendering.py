"""How what is `Remembered` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnninspect.commands.cache.report import Remembered, RememberedMachine
from cnninspect.errors import BadOption
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Table
from cnninspect.page.quantities import bytes_text, count, plural

ROWS = 20
"""Traces that a table shows unless it is asked for more."""
COLUMNS = (
    Column("trace of", Kind.PATH),
    Column("bytes", Kind.NUMBER),
    Column("traced", Kind.WORD, sacrifice=1),
)
CSV_FIELDS = ("title", "bytes", "traced")


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedView(View):
    """How many of the traces to show.

    Raises:
        BadOption: the number cannot be used.
    """

    top: int | None = None
    """None: in a table `ROWS`, else all."""

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 0:
            raise BadOption("--top", self.top, "0 or more")


def page(report: Remembered, view: RememberedView) -> Page:
    """Place, size and entries, then the newest traces."""
    most = bytes_text(report.most_bytes, human=True)
    facts = [
        Fact("file", report.path),
        Fact("size", f"{bytes_text(report.bytes, human=view.human)} of at most {most}"),
        Fact("traces", f"{len(report.traces):,}"),
        Fact("figures", f"{report.figures:,}"),
        Fact("points of design spaces", f"{report.points:,}"),
    ]
    if report.oldest and report.newest:
        facts.append(Fact("made", f"{report.oldest} to {report.newest}"))
    facts += [Fact("this machine", _machine(machine)) for machine in report.machines]
    facts += [Fact("note", note) for note in report.notes]
    blocks: list[Block] = [Facts(tuple(facts))]
    rows = ROWS if view.top is None else view.top
    if report.traces[:rows] and not report.cleared:
        more = len(report.traces) - rows
        blocks.append(
            Table(
                COLUMNS,
                tuple(
                    (Cell(t.title), Cell(count(t.bytes, human=view.human)), Cell(t.traced))
                    for t in report.traces[:rows]
                ),
                remarks=(f"and {plural(more, 'trace')} more; --top {len(report.traces)}",)
                if more > 0
                else (),
            )
        )
    if not report.cleared and report.traces:
        blocks.append(Notice("cnninspect cache clear forgets all of it"))
    return Page("forgotten" if report.cleared else "remembered", blocks=tuple(blocks))


def _machine(machine: RememberedMachine) -> str:
    """`calibrated 2026-11-28 (cpu, 2 threads): --device-spec this`."""
    on = f"cpu, {plural(machine.threads, 'thread')}" if machine.device == "cpu" else machine.device
    name = "this" if machine.device == "cpu" else f"this-{machine.device}"
    return f"calibrated {machine.measured} ({on}): --device-spec {name}"


def rows(
    report: Remembered, view: RememberedView
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each trace."""
    return CSV_FIELDS, ((t.title, t.bytes, t.traced) for t in report.traces[: view.top])


RENDERER = Renderer(view=RememberedView, page=page, rows=rows)
