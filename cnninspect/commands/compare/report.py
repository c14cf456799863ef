"""The answer of `cnninspect compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.figures import (
    ComparedModel,
    Figures,
    LimitText,
    Unmeasured,
    compared,
    limit_texts,
)
from cnninspect.metrics.limits import Limit
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


def comparison_of(
    models: Sequence[Figures],
    failed: Sequence[Unmeasured],
    *,
    baseline: Figures | None,
    limits: Sequence[Limit] = (),
    notes: Sequence[str] = (),
) -> Comparison:
    """The models with their ratios to the baseline, and what fits.

    Raises:
        BadQuantity: a limit is a share, and the baseline is not known.
    """
    stands = tuple(compared(figures, baseline, limits) for figures in models)
    return Comparison(
        baseline=baseline.model.reference if baseline else None,
        limits=limit_texts(limits, baseline),
        models=tuple(ComparedModel(**fields) for fields in stands),
        failed=tuple(failed),
        notes=tuple(notes),
    )
