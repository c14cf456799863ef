"""From figures of models to a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.commands.compare.report import Comparison
from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.metrics.limits import Limit
from cnninspect.metrics.standing import ComparedModel, compared, limit_texts


def compare(
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
