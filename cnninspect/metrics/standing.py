"""How a model stands to a baseline and to limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cnninspect.errors import BadQuantity
from cnninspect.metrics.figures import Figures, figure, ratio
from cnninspect.metrics.limits import QUANTITIES, Limit


@dataclass(frozen=True, slots=True)
class Ratios:
    """A model's figures divided by those of the baseline; None where that has 0."""

    parameters: float | None
    macs: float | None
    activations: float | None
    parameter_bytes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel(Figures):
    """A model with how it stands to the baseline and to the limits."""

    ratios: Ratios | None
    """None where the baseline is not known."""
    fits: bool | None
    """Whether it keeps every limit; None where there is none, or where operations without a
    formula leave it open."""
    exceeded: tuple[str, ...] = ()
    """The limits that it does not keep: `max_macs`."""


@dataclass(frozen=True, slots=True)
class LimitText:
    """A limit as it was typed, and what it comes to."""

    name: str
    """`max_macs`."""
    text: str
    """As it was typed: `4G`."""
    limit: int
    """The number; a share is one of the baseline's."""


def limit_texts(limits: Iterable[Limit], baseline: Figures | None) -> tuple[LimitText, ...]:
    """The limits as they were typed, with what they come to.

    Raises:
        BadQuantity: one is a share, and there is nothing that it could be a share of.
    """
    return tuple(
        LimitText(limit.name, limit.bound.text, limit.limit(_baseline_figure(limit, baseline)))
        for limit in limits
    )


def _baseline_figure(limit: Limit, baseline: Figures | None) -> int:
    if not limit.bound.is_share:
        return 0
    if baseline is None:
        option = f"--{limit.name.replace('_', '-')}"
        raise BadQuantity(option, limit.bound.text, "a share needs --baseline MODEL to be one of")
    return figure(baseline, limit.quantity)


def compared(figures: Figures, baseline: Figures | None, limits: Sequence[Limit]) -> dict[str, Any]:
    """The fields of a model that is compared."""
    broken, is_open = [], False
    for limit in limits:
        value, whole = figure(figures, limit.quantity), _baseline_figure(limit, baseline)
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
