"""What a person may choose for tables of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.render.figure_columns import COLUMNS
from cnninspect.render.renderers import View

OTHERS = 20
"""Models beside the frontier that a table shows unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonView(View):
    """What to show of a comparison, and how.

    Raises:
        UnknownChoice: there is no such column or order, or nothing to show it by.
        BadOption: the number of rows is of no use.
    """

    columns: tuple[str, ...] = ()
    """Columns in their order; empty: those that say something."""
    sort: str | None = None
    """A column to sort by, largest first (names from a to z); None: as they were given."""
    top: int | None = None
    """Only so many rows."""
    by: str = "model"
    """`model`, or `stage`: each stage with the models under it."""

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in COLUMNS:
                raise UnknownChoice("--columns", name, COLUMNS)
        if self.sort is not None and self.sort not in COLUMNS:
            raise UnknownChoice("--sort", self.sort, COLUMNS)
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")
        if self.by not in ("model", "stage"):
            raise UnknownChoice("--by", self.by, ("model", "stage"))
        if self.by == "stage" and self.columns:
            raise BadOption("--columns", "with --by stage", "used without it")


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView(ComparisonView):
    """What to show of what was found, and how."""

    rows: int | Literal["auto"] | None = "auto"
    """Models beside the frontier; None: all; auto: 20 in tables, else all."""
    frontier_only: bool = False
    """Whether to leave out all others."""
