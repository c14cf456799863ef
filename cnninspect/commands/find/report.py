"""The answer of `cnninspect find`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

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
from cnninspect.records.operations import TensorSpec
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel(ComparedModel):
    """A model that keeps every limit."""

    frontier: bool
    """Whether no other one that was found is as good in everything and better in something."""


@dataclass(frozen=True, slots=True)
class OtherInput:
    """Models that were left out, since they take something else than those compared."""

    inputs: tuple[TensorSpec, ...]
    models: tuple[str, ...]
    """Their references."""


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
    inputs: tuple[TensorSpec, ...] | None
    """What every model takes; None: different ones take different things."""
    other_inputs: tuple[OtherInput, ...]
    """What the others take that keep the limits as well, the most common first; a latency, where
    one is limited, was not measured of them."""
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
    any_input: bool = False,
    untimed: Sequence[Figures] = (),
    notes: Sequence[str] = (),
) -> Finding:
    """The models that keep every limit, those on the frontier first, each group by MACs.

    Costs compare only between models that do the same work: unless `any_input`, those are left
    out that take something else than most do; of these, the `untimed` keep all limits but those on
    times, as far as is known.  The frontier takes the axes that some model has a value for.

    Raises:
        BadQuantity: a limit is a share, and there is no baseline.
    """
    texts = limit_texts(limits, baseline)
    stands = [compared(figures, baseline, limits) for figures in models]
    fitting = [fields for fields in stands if fields["fits"] is not False]
    every = [fields for fields in fitting if fields["fits"] or not limits]
    groups = _by_input(every)
    chosen = every if any_input or not groups else groups[0][1]
    rest = [fields for _, group in groups[1:] for fields in group]
    rest += [compared(figures, baseline, limits) for figures in untimed]
    used = tuple(a for a in axes if any(cost_on(fields, a) is not None for fields in chosen))
    points = [tuple(or_worst(cost_on(fields, axis)) for axis in used) for fields in chosen]
    found = [FoundModel(**fields, frontier=on) for fields, on in zip(chosen, frontier(points))]
    found.sort(key=lambda m: (not m.frontier, m.totals.macs, m.totals.parameters, m.model.name))
    return Finding(
        sources=tuple(sources),
        pattern=pattern,
        searched=len(models) + len(untimed),
        inputs=groups[0][0] if groups and (len(groups) == 1 or not any_input) else None,
        other_inputs=tuple(
            OtherInput(inputs, tuple(fields["model"].reference for fields in group))
            for inputs, group in ([] if any_input else _by_input(rest))
        ),
        axes=used,
        baseline=baseline.model.reference if baseline else None,
        limits=texts,
        models=tuple(found),
        failed=tuple(failed),
        open=tuple(f["model"].reference for f in fitting if limits and f["fits"] is None),
        notes=tuple(notes),
    )


def of_common_input(models: Sequence[Figures]) -> Sequence[Figures]:
    """Those that take what most of them do."""
    groups = _by_input([{"inputs": figures.inputs, "figures": figures} for figures in models])
    return [fields["figures"] for fields in groups[0][1]] if groups else []


def _by_input(
    stands: Sequence[dict[str, Any]],
) -> list[tuple[tuple[TensorSpec, ...], list[dict[str, Any]]]]:
    """Models by what they take, the most common first."""
    groups: dict[tuple[TensorSpec, ...], list[dict[str, Any]]] = {}
    for fields in stands:
        groups.setdefault(tuple(item.spec for item in fields["inputs"]), []).append(fields)
    return sorted(groups.items(), key=lambda group: -len(group[1]))
