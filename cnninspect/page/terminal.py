"""Writes a page for a terminal: columns are narrowed, cut or left out until they fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.style import Style as RichStyle

from cnninspect.page.escaping import visible
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
from cnninspect.page.quantities import ZERO

GAP = 2
"""Spaces between columns."""
LEAST = {Kind.WORD: 8, Kind.PATH: 24, Kind.PROSE: 24}
"""How narrow a column may become before another one goes."""
WIDE_PATH = 32
"""How narrow names may become before their branches do."""
SEPARATOR = " · "
"""What stands between the parts of a line."""
SMALLEST = {Kind.WORD: 8, Kind.PATH: 6, Kind.PROSE: 12}
"""How narrow a column becomes where none can go."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a table is drawn."""

    shown: tuple[int, ...]
    """Positions of the columns that there is room for."""
    widths: tuple[int, ...]
    """Width of each of those."""
    is_compact: bool
    """Whether the branches of a tree are two characters a level, not three."""

    @property
    def width(self) -> int:
        """Width of the whole table."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)


def fit(table: Table, width: int | None) -> Fit:
    """The widest layout of `table` that fits into `width`; None: all of it."""
    natural = {compact: _natural_widths(table, compact=compact) for compact in (False, True)}
    everything = tuple(range(len(table.columns)))
    if width is None:
        return Fit(everything, natural[False], is_compact=False)
    order = sorted(
        (i for i in everything if table.columns[i].sacrifice),
        key=lambda i: (_says_something(table, i), table.columns[i].sacrifice),
    )
    for gone in range(len(order) + 1):
        shown = tuple(i for i in everything if i not in order[:gone])
        columns = [table.columns[i] for i in shown]
        for compact in (False, True):
            wanted = [natural[compact][i] for i in shown]
            least = LEAST if compact else {**LEAST, Kind.PATH: WIDE_PATH}
            needed = [min(w, least.get(c.kind, w)) for w, c in zip(wanted, columns)]
            if _total(needed) <= width:
                narrowed = _narrowed(columns, wanted, width, least=least)
                return Fit(shown, narrowed, is_compact=compact)
    return Fit(shown, _narrowed(columns, wanted, width, least=SMALLEST), is_compact=True)


def _says_something(table: Table, column: int) -> bool:
    """Whether any row has more in a column than the sign for zero."""
    rows = (row for row in table.rows if not isinstance(row, Heading))
    return any(row[column].text not in ("", ZERO) for row in rows)


def _natural_widths(table: Table, *, compact: bool) -> tuple[int, ...]:
    widths = [max(cell_len(line) for line in c.heading.split("\n")) for c in table.columns]
    for row in table.rows:
        if isinstance(row, Heading):
            continue  # it runs over several lines
        for i, cell in enumerate(row):
            length = cell_len(guide_of(cell, compact=compact) + visible(cell.text) + cell.mark)
            widths[i] = max(widths[i], length)
    return tuple(widths)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _narrowed(
    columns: Sequence[Column],
    wanted: Sequence[int],
    width: int,
    *,
    least: Mapping[Kind, int],
) -> tuple[int, ...]:
    """Widths taken off prose, then words, then paths, each down to its least, to fit `width`."""
    widths = list(wanted)
    for kind in (Kind.PROSE, Kind.WORD, Kind.PATH):
        while (excess := _total(widths) - width) > 0:
            candidates = [
                i for i, c in enumerate(columns) if c.kind == kind and widths[i] > least[kind]
            ]
            if not candidates:
                break
            widest = max(candidates, key=lambda i: widths[i])
            smaller = widths[widest] - max(1, excess // len(candidates))
            widths[widest] = max(least[kind], smaller)
    return tuple(widths)


def guide_of(cell: Cell, *, compact: bool) -> str:
    """The cell's branches, two characters a level where `compact`."""
    if not compact:
        return cell.guide
    return "".join(cell.guide[i] + " " for i in range(0, len(cell.guide), 3))


def cut_end(text: str, width: int) -> str:
    """`text` without what does not fit at its end: `AdaptiveAv…`."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…"


def cut_front(text: str, width: int) -> str:
    """`text` without what does not fit at its front: `…1.0.conv1`."""
    if cell_len(text) <= width:
        return text
    kept = text[-4 * max(width, 1) :]  # enough, though some signs take no cell; a name may be long
    while kept and cell_len(kept) >= width:
        kept = kept[1:]
    return "…" + kept


def flowed(text: str, width: int) -> tuple[str, ...]:
    """As `wrapped`, but broken at ` · ` where that is possible, so that numbers keep their unit."""
    lines: list[str] = []
    for part in text.split(SEPARATOR):
        if lines and cell_len(lines[-1] + SEPARATOR + part) <= width:
            lines[-1] += SEPARATOR + part
        else:
            lines += wrapped(part, width)
    return tuple(lines)


def wrapped(text: str, width: int) -> tuple[str, ...]:
    """`text` as lines of at most `width`, broken between words, or in them where one is longer."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        candidate = f"{line} {word}" if line else word
        if cell_len(candidate) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        *full, line = pieces_of(word, width)
        lines += full
    return (*lines, line) if line or not lines else tuple(lines)


def pieces_of(word: str, width: int) -> Iterator[str]:
    """A word in pieces of at most `width`, in time that grows with its length alone."""
    start = 0
    while width > 1:
        reach = 4 * width
        while (piece := word[start : start + reach]) and cell_len(piece) <= width:
            if start + reach >= len(word):
                yield piece
                return
            reach *= 2  # signs that take no room
        if not piece:
            break
        head = set_cell_size(piece, width).rstrip(" ") or piece[0]
        yield head
        start += len(head)
    yield word[start:]


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
    table = replace(table, columns=tuple(map(_harmless, table.columns)))
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
    for remark in map(visible, remarks):
        lines = (remark,) if width is None else wrapped(remark, width)
        yield from ((Span(line, Style.FAINT),) for line in lines)


def _harmless(column: Column) -> Column:
    """The column with a header that prints as itself, line by line: classes of data stand there."""
    header = "\n".join(map(visible, column.header.split("\n")))
    return replace(column, header=header, name=visible(column.name))


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
