"""Models side by side: how each stands to a baseline and to limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from cnninspect.analyses.frontier import frontier
from cnninspect.errors import BadOption, BadQuantity
from cnninspect.records.comparison import (
    DTYPES,
    Accuracy,
    ComparedModel,
    Comparison,
    Figures,
    Finding,
    FoundModel,
    LimitText,
    Ratios,
    Unmeasured,
)
from cnninspect.records.limits import QUANTITIES, Limit

AXES = ("parameters", "macs", "accuracy", "capacity")
"""What a frontier can be of: as few parameters, as few MACs, as high an accuracy; capacity is as
many parameters, for networks of which no accuracy is known."""


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
    stands = tuple(_compared(figures, baseline, limits) for figures in models)
    return Comparison(
        baseline=baseline.model.reference if baseline else None,
        limits=limit_texts(limits, baseline),
        models=tuple(ComparedModel(**fields) for fields in stands),
        failed=tuple(failed),
        notes=tuple(notes),
    )


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
    stands = [_compared(figures, baseline, limits) for figures in models]
    fitting = [fields for fields in stands if fields["fits"] is not False]
    chosen = [fields for fields in fitting if fields["fits"] or not limits]
    used = tuple(a for a in axes if any(_cost(fields, a) is not None for fields in chosen))
    points = [tuple(_worst(_cost(fields, axis)) for axis in used) for fields in chosen]
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


def stored_as(figures: Figures, dtype: str) -> Figures:
    """The same model with the bytes of its parameters as they are in that dtype."""
    size = next(item.bytes for item in figures.bytes_as if item.dtype == dtype)
    return replace(figures, totals=replace(figures.totals, parameter_bytes=size))


def check_dtype(dtype: str | None) -> None:
    """See that figures know the bytes in that dtype.

    Raises:
        BadOption: they do not.
    """
    if dtype is not None and dtype not in DTYPES:
        raise BadOption("--dtype", dtype, f"one of {', '.join(DTYPES)}")


def limit_texts(limits: Iterable[Limit], baseline: Figures | None) -> tuple[LimitText, ...]:
    """The limits as they were typed, with what they come to.

    Raises:
        BadQuantity: one is a share, and there is nothing that it could be a share of.
    """
    return tuple(
        LimitText(limit.name, limit.bound.text, limit.limit(_whole(limit, baseline)))
        for limit in limits
    )


def figure(figures: Figures, quantity: str) -> int:
    """The value of a quantity that can be limited."""
    field = QUANTITIES[quantity].field
    holder = figures.totals if hasattr(figures.totals, field) else figures
    value: int = getattr(holder, field)
    return value


def ratio(value: int, whole: int) -> float | None:
    """One number divided by another; None where that is 0."""
    return value / whole if whole else None


def _whole(limit: Limit, baseline: Figures | None) -> int:
    if not limit.bound.is_share:
        return 0
    if baseline is None:
        option = f"--{limit.name.replace('_', '-')}"
        raise BadQuantity(option, limit.bound.text, "a share needs --baseline MODEL to be one of")
    return figure(baseline, limit.quantity)


def _compared(
    figures: Figures, baseline: Figures | None, limits: Sequence[Limit]
) -> dict[str, Any]:
    """The fields of a model that is compared."""
    broken, is_open = [], False
    for limit in limits:
        value, whole = figure(figures, limit.quantity), _whole(limit, baseline)
        is_bound = QUANTITIES[limit.quantity].is_work and (
            bool(figures.uncounted) or not figures.has_work
        )
        if not limit.keeps(value, whole):
            if limit.is_max or not is_bound:
                broken.append(limit.name)
            else:
                is_open = True  # it may be as much, with what has no formula
        elif is_bound and limit.is_max:
            is_open = True
    fits = None if not limits or (is_open and not broken) else not broken
    fields = {f.name: getattr(figures, f.name) for f in dataclasses.fields(Figures)}
    return {
        **fields,
        "ratios": _ratios(figures, baseline) if baseline else None,
        "fits": fits,
        "exceeded": tuple(broken),
    }


def _ratios(figures: Figures, baseline: Figures) -> Ratios:
    ours, theirs, runs = figures.totals, baseline.totals, figures.has_work
    return Ratios(
        parameters=ratio(ours.parameters, theirs.parameters),
        macs=ratio(ours.macs, theirs.macs) if runs else None,
        activations=ratio(ours.activations, theirs.activations) if runs else None,
        parameter_bytes=ratio(ours.parameter_bytes, theirs.parameter_bytes),
    )


def _cost(fields: dict[str, Any], axis: str) -> float | None:
    """A model's place on an axis of the frontier, the smaller the better; None: it has none."""
    if axis == "accuracy":
        accuracy: Accuracy | None = fields["accuracy"]
        return None if accuracy is None else -accuracy.top1
    if axis == "capacity":
        return -float(fields["totals"].parameters)
    value: float = getattr(fields["totals"], axis)
    return value


def _worst(cost: float | None) -> float:
    """What is not known counts as worse than everything that is."""
    return float("inf") if cost is None else cost
