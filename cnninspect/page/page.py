"""What a report becomes before it is text: a page of tables, facts and notices.

A report's own file builds a `Page`; `terminal`, `markdown` and `webpage` each write any page.
Strings on a page are raw, as they came from the model: those who write it escape them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Union


class Style(Enum):
    """How a piece of text stands out, in words that every medium can follow."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    ACCENT = "accent"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Kind(Enum):
    """What a column holds, which says how it is aligned and what may be cut from it."""

    PATH = "path"
    """A name or path: left, cut at its front, never at its end."""
    WORD = "word"
    """A short word such as a type: left, cut at its end."""
    PROSE = "prose"
    """Sentences: left, run over several lines, and begin a new one at each line break."""
    SHAPE = "shape"
    """Sizes: right, never cut."""
    BAR = "bar"
    """A bar: left, never cut."""
    NUMBER = "number"
    """A number: right, never cut."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    header: str
    """What stands above it."""
    kind: Kind = Kind.WORD
    """What it holds."""
    name: str = ""
    """What to call it where the header is not enough; empty: the header."""
    sacrifice: int = 0
    """Where there is no room, columns go in this order: 1 first; 0 never."""
    ruler: str = ""
    """What a terminal shows under the header, such as the ends of a scale."""

    @property
    def heading(self) -> str:
        """Header and ruler, as a terminal shows them."""
        return f"{self.header}\n{self.ruler}" if self.ruler else self.header


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str = ""
    """What it says."""
    style: Style = Style.PLAIN
    """How it stands out."""
    guide: str = ""
    """Branches of a tree drawn before the text, three characters a level; terminals and
    notebooks show them."""
    mark: str = ""
    """Something after the text that is not part of it, such as `×3`."""
    full: str = ""
    """What to write instead of guide and text where there are no guides: the whole path."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A line across all columns, above the rows that it speaks of."""

    text: str
    """What they are."""
    about: str = ""
    """More of it, in sentences."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...] | Heading, ...]
    """One cell for each column, or a line across."""
    title: str = ""
    """A line above it."""
    remarks: tuple[str, ...] = ()
    """What one must know to read it, in lines right under it."""
    chooser: str = ""
    """How to have columns that were left out for want of room: `--columns chooses`."""


def chooser(chosen: Sequence[str]) -> str:
    """The `chooser` of a table whose columns `--columns` chooses, or has chosen already."""
    return "a larger COLUMNS makes room" if chosen else "--columns chooses"


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what it stands for."""

    label: str
    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled facts, one to a line."""

    facts: tuple[Fact, ...]
    title: str = ""
    """A line above them."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to be told apart from the rest: a warning, or a faint remark."""

    text: str
    items: tuple[str, ...] = ()
    """Particulars, one to a line."""
    style: Style = Style.FAINT


Block = Union[Table, Facts, Notice]


@dataclass(frozen=True, slots=True)
class Page:
    """A report, ready to be written in any medium."""

    title: str
    """What it is about: a name."""
    about: str = ""
    """The rest of the title line."""
    blocks: tuple[Block, ...] = ()
