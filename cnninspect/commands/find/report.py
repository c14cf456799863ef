"""The answer of `cnninspect find`."""

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
from cnninspect.metrics.frontier import cost_on, frontier, or_worst
from cnninspect.metrics.limits import Limit
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


def select(
    models: Sequence[Figures],
    failed: Sequence[Unmeasured],
    *,
    baseline: Figures | None,
    limits: Sequence[Limit],
    axes: Sequence[str],
    sources: Sequence[str],
    pattern: str,
    notes: Sequence[str] = (),
) -> Finding:
    """The models that keep every limit, those on the frontier first, each group by MACs.

    The frontier takes the axes that some model has a value for.

    Raises:
        BadQuantity: a limit is a share, and there is no baseline.
    """
    texts = limit_texts(limits, baseline)
    stands = [compared(figures, baseline, limits) for figures in models]
    fitting = [fields for fields in stands if fields["fits"] is not False]
    chosen = [fields for fields in fitting if fields["fits"] or not limits]
    used = tuple(a for a in axes if any(cost_on(fields, a) is not None for fields in chosen))
    points = [tuple(or_worst(cost_on(fields, axis)) for axis in used) for fields in chosen]
    found = [FoundModel(**fields, frontier=on) for fields, on in zip(chosen, frontier(points))]
    found.sort(key=lambda m: (not m.frontier, m.totals.macs, m.totals.parameters, m.model.name))
    return Finding(
        sources=tuple(sources),
        pattern=pattern,
        searched=len(models),
        axes=used,
        baseline=baseline.model.reference if baseline else None,
        limits=texts,
        models=tuple(found),
        failed=tuple(failed),
        open=tuple(f["model"].reference for f in fitting if limits and f["fits"] is None),
        notes=tuple(notes),
    )
