"""What differs between two networks, or between a network and a file of weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Union

from cnninspect.errors import BadOption
from cnninspect.records.models import ModelInfo
from cnninspect.sources.open import Model, trace, weights_table

if TYPE_CHECKING:
    from cnninspect.metrics.difference import Difference, LayerFacts, TensorDifference
    from cnninspect.metrics.summary import Summary
    from cnninspect.records.checkpoint import Checkpoint


def diff(
    old: Model,
    new: Model | None = None,
    inputs: Any = None,
    *,
    base: str | None = None,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
) -> Union[Difference, TensorDifference]:
    """Which layers were added, removed, renamed and changed, and what that costs.

    Where one of the two is a file of weights: which tensors of the file do not fit the network,
    and why.  With `base`, a revision of git, `old` is the file as it was then, and `new` the same
    file as it is unless something else is given.  The other arguments are those of `trace`, for
    both.  A report that `summary --format json` saved is a network, too; the other one is run with
    its inputs unless others are given.

    Raises:
        BadOption: there is nothing to compare with.
        BadReference: there is no such repository, revision, or file in it.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.commands.diff import analysis as weight_matching
    from cnninspect.metrics.alignment import difference
    from cnninspect.metrics.saved import given_as, is_saved_report, read_report

    if base is not None:
        old, new = _at(base, old), old if new is None else new
    if new is None:
        raise BadOption("NEW", "left out", "given, or a revision to compare with: --base HEAD~1")
    before, after = (_table(old, new), _table(new, old))
    if before is not None and after is not None:
        return weight_matching.match_files(before, after)
    run: dict[str, Any] = {"kwargs": kwargs, "mode": mode, "batch": batch}
    if after is not None:
        return weight_matching.match_network(trace(old, inputs, **run), after)
    if before is not None:
        return weight_matching.match_network(trace(new, inputs, **run), before)
    saved = next((read_report(m) for m in (old, new) if is_saved_report(m)), None)
    if saved is not None:  # what it is compared with is run as it was
        inputs = given_as(saved.summary.inputs, inputs, batch)
    was, told_before = _facts(old, inputs, **run)
    is_now, told_now = _facts(new, inputs, **run)
    found = difference(was, is_now, uncounted=(told_before.uncounted, told_now.uncounted))
    return replace(
        found,
        old=replace(found.old, notes=told_before.engine.notes),
        new=replace(found.new, notes=told_now.engine.notes),
    )


def _table(model: Model, other: Model) -> Checkpoint | None:
    """The tensors of a file of weights; None: it is a network.

    Raises:
        BadOption: a file of weights and a saved report, which holds no buffers, are compared.
    """
    from cnninspect.metrics.saved import is_saved_report

    if is_saved_report(model):
        return None
    table = weights_table(model)
    if table is not None and is_saved_report(other):
        raise BadOption("a file of weights", table.reference, "compared with a network or a file")
    return table


def _at(revision: str, model: Model) -> str:
    """The model as it was."""
    from cnninspect.sources.revisions import with_revision

    if not isinstance(model, (str, os.PathLike)):
        raise BadOption("--base", revision, "left out for what is no file under git")
    return with_revision(os.fspath(model), revision)


def _facts(
    model: Model, inputs: Any, **run: Any
) -> tuple[tuple[ModelInfo, tuple[LayerFacts, ...]], Summary]:
    """A network's layers, and its summary."""
    from cnninspect.metrics.difference import facts_of
    from cnninspect.metrics.saved import is_saved_report, read_report
    from cnninspect.metrics.summarizing import summarize_trace

    if is_saved_report(model):
        saved = read_report(model)
        return (saved.summary.model, facts_of(saved.network, saved.summary)), saved.summary
    traced = trace(model, inputs, **run)
    summary = summarize_trace(traced, "macs")
    return (traced.model, facts_of(traced, summary)), summary
