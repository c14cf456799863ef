"""What a person may choose for the table of a summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Union

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.records.summary import Summary, limit_level
from cnninspect.render.layer_columns import COLUMNS
from cnninspect.render.layer_order import SORT_KEYS
from cnninspect.render.renderers import View

TABLE_LEVEL = 3
"""Levels that a table shows unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryView(View):
    """What to show of a summary, and how.

    Raises:
        UnknownChoice: there is no such column or order.
        BadOption: the level or the number of rows is of no use, or folding meets sorting.
    """

    level: Union[int, Literal["auto"], None] = "auto"
    """Names in the paths down to which layers are shown; None: all; auto: 3 in tables, else all.
    What is hidden is added to the nearest layer shown."""
    sort: str | None = None
    """A column to sort by, largest first (names from a to z); the rows are then a flat list with
    their own counts.  None: the tree, with totals."""
    top: int | None = None
    """Only so many rows, by MACs unless `sort` says otherwise, and one for the rest."""
    columns: tuple[str, ...] = ()
    """Columns in their order; empty: those that fit by themselves."""
    fold: bool = False
    """Runs of identical blocks shown once."""

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in COLUMNS:
                raise UnknownChoice("--columns", name, COLUMNS)
        if self.sort is not None and self.sort not in SORT_KEYS:
            raise UnknownChoice("--sort", self.sort, SORT_KEYS)
        if isinstance(self.level, int) and self.level < 0:
            raise BadOption("--level", self.level, "0 or more")
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")
        if self.fold and self.is_flat:
            raise BadOption("--fold", "with --sort or --top", "used without them")

    @property
    def is_flat(self) -> bool:
        """Whether the rows are a list of layers by themselves, not a tree with totals."""
        return self.sort is not None or self.top is not None

    def limited(self, report: Summary, *, auto: int | None) -> Summary:
        """The report down to the level chosen, or to `auto`."""
        level = auto if self.level == "auto" else self.level
        return report if level is None else limit_level(report, level)
