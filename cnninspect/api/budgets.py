"""Networks against others, against limits, against what they were, and as they grow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from cnninspect.api.loading import (
    Model,
    as_arguments,
    as_subject,
    load,
    several,
    trace,
    weights_table,
)
from cnninspect.records.models import ModelInfo

if TYPE_CHECKING:
    from os import PathLike

    from torch import nn

    from cnninspect.records.budget_check import BudgetCheck
    from cnninspect.records.comparison import Comparison, Finding
    from cnninspect.records.difference import Difference, LayerFacts, TensorDifference
    from cnninspect.records.scaling import CompoundGrid, Scaling
    from cnninspect.records.summary import Uncounted
    from cnninspect.surveys.gate import Gate


def compare(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    baseline: Model | None = None,
    remember: bool = False,
    **options: Any,
) -> Comparison:
    """Models side by side, with their ratios to the baseline, which is the first unless named.

    `options` are limits, such as `max_params="25M"` or `min_macs=10**9`; `kwargs`, `batch`, `mode`
    and `convention`, as for `summarize`; `dtype`, for bytes as if parameters were stored so; and
    `jobs`, the processes that measure references, 1 unless given.  `remember` keeps what is
    measured of named architectures in the user's cache folder.  A model that fails is in `failed`.

    Raises:
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    from cnninspect.surveys.panel import compare_models

    subjects = [as_subject(model) for model in several(models)]
    first = None if baseline is None else as_subject(baseline)
    given = as_arguments(inputs)
    return compare_models(subjects, first, remember=remember, arguments=given, **options)


def find(
    pattern: str = "*",
    inputs: Any = None,
    *,
    sources: Sequence[str] = ("zoo",),
    axes: Sequence[str] = ("parameters", "macs", "accuracy"),
    baseline: str | None = None,
    remember: bool = True,
    **options: Any,
) -> Finding:
    """Every architecture of these sources that keeps the limits, the Pareto frontier first.

    `pattern` is matched against names as in a shell, and otherwise as a part of them.  The
    frontier is of those `axes` that something is known of.  `options` are those of `compare`.

    Raises:
        UnknownChoice: there is no such source or axis.
        UnknownModel: no name matches.
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    from cnninspect.surveys.panel import find_models

    return find_models(
        pattern,
        sources=sources,
        axes=axes,
        baseline=baseline,
        remember=remember,
        arguments=as_arguments(inputs),
        **options,
    )


def check(
    model: Model | None = None,
    inputs: Any = None,
    *,
    budget: str | PathLike[str] | None = None,
    locked: str | PathLike[str] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    **rules: Any,
) -> BudgetCheck:
    """Whether a model keeps its limits; without one, every model that the budget file names.

    `rules` are the keys of a budget file: `max_params="22M"`, `forbid=["Dropout"]`,
    `layers={"layer4.*": {"max_params": "60%"}}`, `baseline="resnet18"`, `max_growth="2%"`, …; they
    replace what the file says of the same.  `locked` is a lock file that it must not have moved
    from.

    Raises:
        NothingToCheck: there is no limit, since a gate that checks nothing must not pass.
        PatternMatchesNothing: a pattern for layers fits none.
        UnknownKey, BadBudget, BadQuantity, Contradiction: a rule is of no use.
    """
    gate = _gate(budget, inputs, kwargs, rules, locked=locked)
    return gate.check(None if model is None else as_subject(model))


def lock_text(
    model: Model | None,
    path: str | PathLike[str],
    *,
    budget: str | PathLike[str] | None = None,
    **rules: Any,
) -> tuple[str, tuple[Difference, ...]]:
    """The text of a lock file with these models put in, and where they moved from what it said."""
    from cnninspect.surveys.gate import merged_lock

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
    from cnninspect.analyses.budget_file import typed_budget
    from cnninspect.surveys.gate import Gate

    return Gate(
        typed=typed_budget(rules),
        file=None if budget is None else Path(budget),
        lock=None if locked is None else Path(locked),
        arguments=as_arguments(inputs),
        kwargs=kwargs,
    )


def diff(
    old: Model,
    new: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
) -> Union[Difference, TensorDifference]:
    """Which layers were added, removed, renamed and changed, and what that costs.

    Where one of the two is a file of weights: which tensors of the file do not fit the network,
    and why.  The other arguments are those of `trace`, for both.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses import weight_matching
    from cnninspect.analyses.diffing import difference

    before, after = weights_table(old), weights_table(new)
    if before is not None and after is not None:
        return weight_matching.match_files(before, after)
    run: dict[str, Any] = {"kwargs": kwargs, "mode": mode, "batch": batch}
    if after is not None:
        return weight_matching.match_network(trace(old, inputs, **run), after)
    if before is not None:
        return weight_matching.match_network(trace(new, inputs, **run), before)
    was, gaps_before = _facts(old, inputs, **run)
    is_now, gaps_now = _facts(new, inputs, **run)
    return difference(was, is_now, uncounted=(gaps_before, gaps_now))


def _facts(
    model: Model, inputs: Any, **run: Any
) -> tuple[tuple[ModelInfo, tuple[LayerFacts, ...]], tuple[Uncounted, ...]]:
    """A network's layers, and its operations without a formula."""
    from cnninspect.analyses.layer_facts import facts_of
    from cnninspect.analyses.summarizing import summarize_trace

    traced = trace(model, inputs, **run)
    summary = summarize_trace(traced, "macs")
    return (traced.model, facts_of(traced, summary)), summary.uncounted


def scale(
    model: Union[str, nn.Module],
    inputs: Any = None,
    *,
    over: str = "resolution",
    sizes: Sequence[Union[int, float, Fraction]] = (),
    batch: int = 1,
    mode: str = "eval",
) -> Scaling:
    """How a network grows over its resolution, batch, width, depth, sequence, or a setting.

    It is run at several sizes, and exact polynomials are fitted to what is counted, which further
    sizes must confirm.  Without `sizes`, they are chosen so that layers round nothing.

    Raises:
        CannotScale: it has no such size, or does not tell.
    """
    from cnninspect.surveys.scaling_runs import scale as run

    return run(
        model if isinstance(model, str) else load(model),
        as_arguments(inputs),
        over=over,
        sizes=tuple(Fraction(size) for size in sizes),
        batch=batch,
        mode=mode,
    )


def scale_grid(
    model: str,
    *,
    tolerance: float = 0.1,
    jobs: int | None = 1,
    remember: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> CompoundGrid:
    """Every α, β, γ for depth, width and resolution with α·β²·γ² ≈ 2, and what it costs.

    For networks with settings of these names, such as `efficientnet_b0`.

    Raises:
        CannotScale: the network has no such settings.
    """
    from cnninspect.surveys.compound import compound_grid
    from cnninspect.surveys.remembering import Memory

    memory = Memory() if remember else None
    return compound_grid(model, tolerance=tolerance, jobs=jobs, memory=memory, progress=progress)
