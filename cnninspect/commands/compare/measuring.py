"""Measures the models of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.commands.compare.analysis import compare
from cnninspect.commands.compare.report import Comparison
from cnninspect.errors import BadOption
from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.store.cache import Memory
from cnninspect.store.survey import BaselineFailed, Subject, measuring_and_limits, outcomes_of


def compare_models(
    subjects: Sequence[Subject],
    baseline: Subject | None,
    *,
    remember: bool,
    **options: Any,
) -> Comparison:
    """The models side by side; see `cnninspect.compare`."""
    measuring, limits = measuring_and_limits(options)
    listed = list(subjects)
    if not listed:
        raise BadOption("compare", "of nothing", "given one model or more")
    position = 0 if baseline is None else _position(baseline, listed)
    memory = Memory() if remember else None
    outcomes = outcomes_of(listed, measuring, memory)
    first = outcomes[position]
    if isinstance(first, Unmeasured) and any(limit.bound.is_share for limit in limits):
        raise BaselineFailed(first)
    return compare(
        [outcome for outcome in outcomes if isinstance(outcome, Figures)],
        [outcome for outcome in outcomes if isinstance(outcome, Unmeasured)],
        baseline=first if isinstance(first, Figures) else None,
        limits=limits,
        notes=memory.notes if memory else (),
    )


def _position(baseline: Subject, listed: list[Subject]) -> int:
    """Where the baseline is; it is put first where it is not among the models."""
    for i, subject in enumerate(listed):
        if subject is baseline or (isinstance(subject, str) and subject == baseline):
            return i
    listed.insert(0, baseline)
    return 0
