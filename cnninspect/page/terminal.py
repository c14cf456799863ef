"""A page as lines for a terminal, a pipe or a text file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style as RichStyle

from cnninspect.page.escaping import visible
from cnninspect.page.fitting import GAP, Fit, cut_end, cut_front, fit, flowed, guide_of, wrapped
from cnninspect.page.page import (
    Block,
    Cell,
    Column,
    Facts,
    Heading,
    Kind,
    Notice,
    Page,
    Style,
    Table,
)

INKS = {
    Style.STRONG: RichStyle(bold=True),
    Style.FAINT: RichStyle(dim=True),
    Style.ACCENT: RichStyle(color="cyan"),
    Style.GOOD: RichStyle(color="green"),
    Style.WARNING: RichStyle(color="yellow"),
    Style.BAD: RichStyle(color="red"),
}
"""The terminal's own sixteen colours, so that a light or dark theme stays readable."""


class Span(NamedTuple):
    """A run of text in one style."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Span, ...]


def write_terminal(page: Page, *, width: int | None, color: bool, has_room: bool = False) -> str:
    """The page as text; with escape codes only if `color`.

    No line is wider than `width`, as far as that is possible without cutting numbers; but tables
    may be if there `has_room`.
    """
    lines = list(_title(page, width))
    for block in page.blocks:
        body = list(_block(block, width, has_room=has_room))
        if body:
            lines += [(), *body]
    return "".join(_inked(line, color=color) + "\n" for line in lines)


def _inked(line: Line, *, color: bool) -> str:
    while line and not line[-1].text.rstrip():
        line = line[:-1]
    if line:
        line = (*line[:-1], line[-1]._replace(text=line[-1].text.rstrip()))
    line = _uncommanded(line)
    if not color:
        return "".join(span.text for span in line)
    return "".join(
        INKS[span.style].render(span.text, color_system=ColorSystem.STANDARD)
        if span.style in INKS
        else span.text
        for span in line
    )


def _uncommanded(line: Line) -> Line:
    """The line, so that no log takes it for a command: a word may have come to its begin."""
    text = "".join(span.text for span in line)
    if not text.lstrip().startswith("::"):
        return line
    at = next(i for i, span in enumerate(line) if span.text.strip())
    changed = line[at]._replace(text=line[at].text.replace(":", r"\x3a", 1))
    return (*line[:at], changed, *line[at + 1 :])


def _title(page: Page, width: int | None) -> Iterator[Line]:
    title, about = visible(page.title), visible(page.about)
    if width is None or cell_len(title) + GAP + cell_len(about) <= width:
        yield (Span(title, Style.STRONG), Span(" " * GAP), Span(about, Style.FAINT))
        return
    yield from ((Span(line, Style.STRONG),) for line in wrapped(title, width))
    if about:
        yield from ((Span(line, Style.FAINT),) for line in flowed(about, width))


def _block(block: Block, width: int | None, *, has_room: bool) -> Iterator[Line]:
    if isinstance(block, Table):
        yield from _table(block, width, has_room=has_room)
    elif isinstance(block, Facts):
        yield from _facts(block, width)
    else:
        yield from _notice(block, width)


def _table(table: Table, width: int | None, *, has_room: bool) -> Iterator[Line]:
    fitted = fit(table, None if has_room else width)
    columns = [table.columns[i] for i in fitted.shown]
    if table.title:
        title = visible(table.title)
        lines = (title,) if width is None else wrapped(title, width)
        yield from ((Span(line, Style.STRONG),) for line in lines)
    yield from _header(columns, fitted)
    yield (Span("─" * fitted.width, Style.FAINT),)
    for i, row in enumerate(table.rows):
        if isinstance(row, Heading):
            yield from _heading(row, width, is_first=i == 0)
        else:
            yield from _row([row[i] for i in fitted.shown], columns, fitted)
    hidden = [c.name or c.header for i, c in enumerate(table.columns) if i not in fitted.shown]
    remarks = list(table.remarks)
    if hidden:
        chooser = f"; {table.chooser}" if table.chooser else ""
        remarks.append(f"no room at {width} columns for {', '.join(hidden)}{chooser}")
    for remark in remarks:
        lines = (remark,) if width is None else wrapped(visible(remark), width)
        yield from ((Span(line, Style.FAINT),) for line in lines)


def _header(columns: Iterable[Column], fitted: Fit) -> Iterator[Line]:
    headers = [column.heading.split("\n") for column in columns]
    height = max(len(lines) for lines in headers)
    for i in range(height):
        texts = [([""] * (height - len(lines)) + lines)[i] for lines in headers]
        yield _joined(
            (_aligned((Span(cut_end(text, width), Style.FAINT),), column, width),)
            for text, column, width in zip(texts, columns, fitted.widths)
        )


def _heading(heading: Heading, width: int | None, *, is_first: bool) -> Iterator[Line]:
    if not is_first:
        yield ()
    text, about = visible(heading.text), visible(heading.about)
    indent = cell_len(text) + GAP
    lines = (about,) if width is None else wrapped(about, max(width - indent, 16))
    yield (Span(text, Style.STRONG), Span(" " * GAP), Span(lines[0], Style.FAINT))
    yield from ((Span(" " * indent + line, Style.FAINT),) for line in lines[1:])


def _row(cells: Iterable[Cell], columns: list[Column], fitted: Fit) -> Iterator[Line]:
    drawn = [
        _cell(cell, column, width, compact=fitted.is_compact)
        for cell, column, width in zip(cells, columns, fitted.widths)
    ]
    for i in range(max(len(lines) for lines in drawn)):
        yield _joined(
            (_aligned(lines[i] if i < len(lines) else (), column, width),)
            for lines, column, width in zip(drawn, columns, fitted.widths)
        )


def _cell(cell: Cell, column: Column, width: int, *, compact: bool) -> tuple[Line, ...]:
    if column.kind == Kind.PROSE:
        paragraphs = [wrapped(visible(text), width) for text in cell.text.split("\n")]
        return tuple((Span(line, cell.style),) for lines in paragraphs for line in lines)
    text = visible(cell.text)
    guide = guide_of(cell, compact=compact)
    if column.kind == Kind.PATH:
        room = width - cell_len(cell.mark)
        if cell_len(guide) + min(cell_len(text), 4) > room:
            guide = cut_front(guide, max(room - 4, 1))
        text = cut_front(text, room - cell_len(guide))
    elif column.kind == Kind.WORD:
        text = cut_end(text, width)
    spans = (Span(guide, Style.FAINT), Span(text, cell.style), Span(cell.mark, Style.ACCENT))
    return (tuple(span for span in spans if span.text),)


def _aligned(line: Line, column: Column, width: int) -> Line:
    space = Span(" " * (width - sum(cell_len(span.text) for span in line)))
    return (space, *line) if column.kind in (Kind.NUMBER, Kind.SHAPE) else (*line, space)


def _joined(cells: Iterable[Iterable[Line]]) -> Line:
    spans: list[Span] = []
    for cell in cells:
        if spans:
            spans.append(Span(" " * GAP))
        spans += [span for line in cell for span in line]
    return tuple(spans)


def _facts(facts: Facts, width: int | None) -> Iterator[Line]:
    if facts.title:
        yield (Span(visible(facts.title), Style.STRONG),)
    indent = max((cell_len(visible(fact.label)) for fact in facts.facts), default=0) + GAP
    for fact in facts.facts:
        text = visible(fact.text)
        lines = (text,) if width is None else flowed(text, max(width - indent, 16))
        for i, line in enumerate(lines):
            label = visible(fact.label) if i == 0 else ""
            space = " " * (indent - cell_len(label))
            yield (Span(label + space, Style.FAINT), Span(line, fact.style))


def _notice(notice: Notice, width: int | None) -> Iterator[Line]:
    for text, indent in ((notice.text, ""), *((item, "  ") for item in notice.items)):
        text = visible(text)
        lines = (text,) if width is None else wrapped(text, max(width - 2 * len(indent), 16))
        for i, line in enumerate(lines):
            yield (Span(indent * (2 if i else 1) + line, notice.style),)
