"""Measures the models among which is searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.commands.find.analysis import select
from cnninspect.commands.find.report import Finding
from cnninspect.errors import UnknownChoice
from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.metrics.frontier import AXES
from cnninspect.metrics.standing import limit_texts
from cnninspect.store.cache import Memory
from cnninspect.store.names import references_in
from cnninspect.store.survey import BaselineFailed, measuring_and_limits, outcomes_of


def find_models(
    pattern: str,
    *,
    sources: Sequence[str],
    axes: Sequence[str],
    baseline: str | None,
    remember: bool,
    **options: Any,
) -> Finding:
    """What fits; see `cnninspect.find`."""
    for axis in axes:
        if axis not in AXES:
            raise UnknownChoice("--axes", axis, AXES)
    measuring, limits = measuring_and_limits({"jobs": None, **options})
    if baseline is None:
        limit_texts(limits, None)  # says at once that a share needs one
    memory = Memory() if remember else None
    references = references_in(sources, pattern, memory)
    outcomes = outcomes_of([*references, *filter(None, [baseline])], measuring, memory)
    first = outcomes[-1] if baseline else None
    if isinstance(first, Unmeasured):
        raise BaselineFailed(first)
    found = outcomes[: len(references)]
    return select(
        [outcome for outcome in found if isinstance(outcome, Figures)],
        [outcome for outcome in found if isinstance(outcome, Unmeasured)],
        baseline=first,
        limits=limits,
        axes=axes,
        sources=sources,
        pattern=pattern,
        notes=memory.notes if memory else (),
    )
