"""Networks against limits, and against what was written down of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnninspect.sources.open import Model, as_arguments, as_subject

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Unpack

    from cnninspect.commands.check.budget_file import BudgetRules
    from cnninspect.commands.check.measuring import Gate
    from cnninspect.commands.check.report import BudgetCheck
    from cnninspect.metrics.difference import Difference


def check(
    model: Model | None = None,
    inputs: Any = None,
    *,
    budget: str | PathLike[str] | None = None,
    locked: str | PathLike[str] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    seconds: float = 1.0,
    threads: int | None = None,
    **rules: Unpack[BudgetRules],
) -> BudgetCheck:
    """Whether a model keeps its limits; without one, every model that the budget file names.

    `rules` are the keys of a budget file: `max_params="22M"`, `forbid=["Dropout"]`,
    `layers={"layer4.*": {"max_params": "60%"}}`, `baseline="resnet18"`, `max_growth="2%"`, …; they
    replace what the file says of the same.  `locked` is a lock file that it must not have moved
    from.  Where `max_latency="20ms"` limits it, the model is timed on this machine, for `seconds`
    on `threads`; `max_bound` limits the least time on `device_spec`.

    Raises:
        NothingToCheck: there is no limit, since a gate that checks nothing must not pass.
        PatternMatchesNothing: a pattern for layers fits none.
        UnknownKey, BadBudget, BadQuantity, Contradiction: a rule cannot be used.
    """
    gate = _gate(budget, inputs, kwargs, rules, locked=locked)
    gate = replace(gate, seconds=seconds, threads=threads)
    return gate.check(None if model is None else as_subject(model))


def lock_text(
    model: Model | None,
    path: str | PathLike[str],
    *,
    budget: str | PathLike[str] | None = None,
    **rules: Unpack[BudgetRules],
) -> tuple[str, tuple[Difference, ...]]:
    """The text of a lock file with these models put in, and where they moved from what it said."""
    from cnninspect.commands.check.measuring import merged_lock

    gate = _gate(budget, None, None, rules)
    subjects = gate.subjects(None if model is None else as_subject(model), is_to_lock=True)
    models = [gate.lock_of(subject, allowed) for subject, allowed in subjects]
    return merged_lock(Path(path), models)


def _gate(
    budget: str | PathLike[str] | None,
    inputs: Any,
    kwargs: Mapping[str, Any] | None,
    rules: Mapping[str, Any],
    locked: str | PathLike[str] | None = None,
) -> Gate:
    from cnninspect.commands.check.budget_file import typed_budget
    from cnninspect.commands.check.measuring import Gate

    return Gate(
        typed=typed_budget(rules),
        file=None if budget is None else Path(budget),
        lock=None if locked is None else Path(locked),
        arguments=as_arguments(inputs),
        kwargs=kwargs,
    )
