"""The answer of `cnninspect compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.figures import Unmeasured
from cnninspect.metrics.standing import ComparedModel, LimitText
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class Comparison(Report):
    """Models side by side."""

    schema: ClassVar[str] = "cnninspect.compare/1"
    rendering: ClassVar[str] = "cnninspect.commands.compare.rendering"

    baseline: str | None
    """Reference of the model that ratios are to; None where it failed."""
    limits: tuple[LimitText, ...]
    models: tuple[ComparedModel, ...]
    failed: tuple[Unmeasured, ...]
    notes: tuple[str, ...] = ()
    """What a reader should know."""
