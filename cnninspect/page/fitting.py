"""A table made to fit: which columns there is room for, how wide each is, and what is cut.

Numbers and shapes are never cut.  Where room is short, words lose their end first; then columns go
in the order that they say, each time with the branches of a tree drawn wide, then narrow; names
lose their front last of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from cnninspect.page.escaping import visible
from cnninspect.page.page import Cell, Column, Heading, Kind, Table

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
        key=lambda i: table.columns[i].sacrifice,
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
