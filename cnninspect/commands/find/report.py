"""The answer of `cnninspect find`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.figures import Unmeasured
from cnninspect.metrics.standing import ComparedModel, LimitText
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel(ComparedModel):
    """A model that keeps every limit."""

    frontier: bool
    """Whether no other one that was found is as good in everything and better in something."""


@dataclass(frozen=True, slots=True)
class Finding(Report):
    """Every architecture that keeps the limits, the frontier first."""

    schema: ClassVar[str] = "cnninspect.find/1"
    rendering: ClassVar[str] = "cnninspect.commands.find.rendering"

    sources: tuple[str, ...]
    pattern: str
    """What names had to match."""
    searched: int
    """Architectures that were measured."""
    axes: tuple[str, ...]
    """What the frontier is of: `parameters`, `macs`, `accuracy`."""
    baseline: str | None
    limits: tuple[LimitText, ...]
    models: tuple[FoundModel, ...]
    """Those on the frontier first, each group by MACs."""
    failed: tuple[Unmeasured, ...]
    """Architectures that could not be measured."""
    open: tuple[str, ...]
    """Those left out since operations without a formula leave it open whether they fit."""
    notes: tuple[str, ...] = ()
    """What a reader should know."""
