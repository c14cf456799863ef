"""What a person may choose for a tree of modules: of a network, or of a file of weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Union

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.render.renderers import View

TABLE_LEVEL = 3
"""Levels that a table shows unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeView(View):
    """What to show of a tree of modules, and how.

    Raises:
        UnknownChoice: there is no such column or order.
        BadOption: the level or the number of rows is of no use, or folding meets sorting.
    """

    known_columns: ClassVar[Collection[str]]
    known_orders: ClassVar[Collection[str]]
    aliases: ClassVar[Mapping[str, str]] = {}
    """Other names for columns and orders."""

    level: Union[int, Literal["auto"], None] = "auto"
    """Names in the paths down to which rows are shown; None: all; auto: 3 in tables, else all.
    What is deeper is added to the nearest module shown."""
    sort: str | None = None
    """A column to sort by, largest first (names from a to z); the rows are then a flat list.
    None: the tree, with totals."""
    top: int | None = None
    """Only so many rows, the largest unless `sort` says otherwise, and one for the rest."""
    columns: tuple[str, ...] = ()
    """Columns in their order; empty: those that fit by themselves."""
    fold: bool = False
    """Runs of identical modules shown once."""

    def __post_init__(self) -> None:
        for name in self.columns:
            if self.aliases.get(name, name) not in self.known_columns:
                raise UnknownChoice("--columns", name, self.known_columns)
        if (
            self.sort is not None
            and self.aliases.get(self.sort, self.sort) not in self.known_orders
        ):
            raise UnknownChoice("--sort", self.sort, self.known_orders)
        if isinstance(self.level, int) and self.level < 0:
            raise BadOption("--level", self.level, "0 or more")
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")
        if self.fold and self.is_flat:
            raise BadOption("--fold", "with --sort or --top", "used without them")

    @property
    def is_flat(self) -> bool:
        """Whether the rows are a list without totals, not a tree."""
        return self.sort is not None or self.top is not None
