"""Holds a network against its budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from fractions import Fraction

from cnninspect.commands.check.report import (
    Budget,
    CheckedLimit,
    Growth,
    LayerRule,
    PeakLimit,
    Rule,
)
from cnninspect.errors import BadQuantity, NothingToCheck, PatternMatchesNothing
from cnninspect.metrics.figures import Figures, bytes_of, figure, figures_of, is_known, stored_as
from cnninspect.metrics.limits import QUANTITIES, Limit
from cnninspect.metrics.summary import Summary
from cnninspect.records.timings import Latency
from cnninspect.records.traces import Layer, Trace, parent_of

NAMED = 3
"""Layers named in a reason."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What growth and shares are measured against."""

    reference: str
    values: Mapping[str, int]
    """By the names of `QUANTITIES`."""


def baseline_of(figures: Figures, dtype: str | None = None) -> Baseline:
    """A model as a baseline."""
    stored = stored_as(figures, dtype) if dtype else figures
    values = {name: figure(stored, name) for name in QUANTITIES if is_known(stored, name)}
    return Baseline(figures.model.reference, values)


def check_trace(
    trace: Trace,
    summary: Summary,
    budget: Budget,
    baseline: Baseline | None = None,
    *,
    figures: Figures | None = None,
    latency: Latency | None = None,
    bound_s: float | None = None,
) -> tuple[CheckedLimit, ...]:
    """Every limit of a budget with what the network has; `summary` is that of the same trace.

    `figures` are those of the same trace, which are worked out unless they are given.  Times, which
    are not in a trace, are `latency` and `bound_s`, where the budget limits them.

    Where operations have no formula, the work is a lower bound: unless the budget says how much
    must be known, all of it must, wherever it limits work.

    Raises:
        PatternMatchesNothing: a pattern for layers fits none, and so would check nothing.
        NothingToCheck: the budget has no limit, or a baseline that nothing is compared with.
        BadQuantity: a limit is a share, and there is no baseline.
    """
    check_sense(budget, trace.model.reference)
    check = _Check(trace, summary, budget, baseline, figures or figures_of(trace))
    check.figures = replace(check.figures, latency=latency, bound_s=bound_s)
    return tuple(check.all())


def check_peak(reference: str, limit: PeakLimit, peak: int, what: str) -> CheckedLimit:
    """The limit on the memory of a step; `what` says of which step."""
    most = limit.bound.value.numerator // limit.bound.value.denominator
    return CheckedLimit(
        model=reference,
        name="max_memory",
        subject="peak memory",
        layers="",
        limit=most,
        value=peak,
        ok=peak <= most,
        unit="bytes",
        text=limit.bound.text,
        reason=what,
        line=limit.line,
    )


def check_sense(budget: Budget, model: str) -> None:
    """See that a budget can fail.

    Raises:
        NothingToCheck: it cannot, or its baseline is compared with nothing.
        BadQuantity: a growth is limited, and there is no baseline.
    """
    if budget.memory is None and (budget.memory_of or budget.optimizer):
        raise NothingToCheck(
            f"of the memory of {model}",
            "add --max-memory 8GB, which memory_of and optimizer are of",
        )
    if not budget.checks_something:
        raise NothingToCheck(
            f"of {model}", "add a limit, such as --max-params 22M, or --budget budget.toml"
        )
    has_share = any(limit.bound.is_share for limit in budget.limits)
    if budget.baseline is not None and not budget.growth and not has_share:
        raise NothingToCheck(
            f"against the baseline {budget.baseline.text}",
            "add --max-growth 2%, or a share as a limit: --max-params 60%",
        )
    if budget.growth and budget.baseline is None:
        growth = budget.growth[0]
        missing = "--baseline" if growth.line is None else "baseline"
        place = _place("max_growth", growth.line)
        raise BadQuantity(place, growth.bound.text, f"add the {missing} that it is over")


class _Check:
    """One network and its budget."""

    def __init__(
        self,
        trace: Trace,
        summary: Summary,
        budget: Budget,
        baseline: Baseline | None,
        figures: Figures,
    ) -> None:
        self.trace = trace
        self.budget = budget
        self.baseline = baseline
        self.figures = figures
        if budget.dtype:
            self.figures = stored_as(self.figures, budget.dtype)
        self.rows = {layer.path: layer for layer in summary.layers}

    def all(self) -> Iterator[CheckedLimit]:
        """Limits of the whole, of layers, of types, of growth, of coverage."""
        for limit in self.budget.limits:
            yield self.whole(limit)
        for rule in self.budget.layers:
            yield from self.layers(rule)
        for pattern in self.budget.forbidden:
            yield self.forbidden(pattern)
        for growth in self.budget.growth:
            yield self.growth(growth)
        yield from self.coverage()

    def whole(self, limit: Limit) -> CheckedLimit:
        """A limit of the whole network."""
        value, whole, of = figure(self.figures, limit.quantity), 0, ""
        if limit.bound.is_share:
            if self.baseline is None:
                place = _place(limit.name, limit.line)
                raise BadQuantity(place, limit.bound.text, "a share needs a baseline to be one of")
            whole = self.baseline.values[limit.quantity]
            of = f"{limit.bound.text} of {self.baseline.reference}'s {whole:,}"
        if limit.quantity == "latency" and self.figures.latency is not None:
            of = latency_text(self.figures.latency)
        elif limit.quantity == "bound":
            of = f"on {self.budget.device_spec}, call by call"
        return self._checked(limit, value, whole, reason=of)

    def layers(self, rule: LayerRule) -> Iterator[CheckedLimit]:
        """The limits of the layers that a pattern fits, of all together or of each."""
        found = matching(self.trace, rule.pattern)
        tops = topmost(found)
        for limit in rule.limits:
            whole = self.sum(limit.quantity, self.trace.layers)
            of = f"{limit.bound.text} of the network's {whole:,}" if limit.bound.is_share else ""
            if not rule.each:
                value = self.sum(limit.quantity, layers_under(self.trace, tops))
                yield self._checked(limit, value, whole, layers=rule.pattern, reason=of)
                continue
            values = {
                layer.path: self.sum(limit.quantity, layers_under(self.trace, [layer]))
                for layer in tops
            }
            choose = max if limit.is_max else min
            worst = choose(values, key=lambda path: values[path])
            broken = [path for path, value in values.items() if not limit.keeps(value, whole)]
            reason = "; ".join(filter(None, [of, _named(broken) or f"at {worst}"]))
            pattern = f"each {rule.pattern}"
            yield self._checked(limit, values[worst], whole, layers=pattern, reason=reason)

    def sum(self, quantity: str, layers: Sequence[Layer]) -> int:
        """A quantity of some layers, each by itself, added up."""
        if quantity == "bytes" and self.budget.dtype:
            return bytes_of(layers, self.budget.dtype)
        field = QUANTITIES[quantity].field
        return sum(getattr(self.rows[layer.path].own, field) for layer in layers)

    def forbidden(self, rule: Rule) -> CheckedLimit:
        """Layers of a type that must not occur."""
        kind = rule.text.rpartition(".")[2]
        found = [layer.path for layer in self.trace.layers if fnmatchcase(layer.type, kind)]
        return CheckedLimit(
            model=self.trace.model.reference,
            name="forbid",
            subject=f"layers of type {rule.text}",
            layers="",
            limit=0,
            value=len(found),
            ok=not found,
            unit="",
            text="none",
            reason=_named([path or "the model itself" for path in found]),
            line=rule.line,
        )

    def growth(self, growth: Growth) -> CheckedLimit:
        """How much more than the baseline the network has."""
        quantity = QUANTITIES[growth.quantity]
        if self.baseline is None or growth.quantity not in self.baseline.values:
            problem = f"the baseline holds no {quantity.title} to compare with"
            raise BadQuantity(_place("max_growth", growth.line), growth.bound.text, problem)
        value, before = figure(self.figures, growth.quantity), self.baseline.values[growth.quantity]
        most = before * (1 + growth.bound.value)
        change = f"{100 * (value / before - 1):+.2f} %" if before else f"+{value:,}"
        return CheckedLimit(
            model=self.trace.model.reference,
            name="max_growth",
            subject=f"{quantity.title}, growth",
            layers="",
            limit=most.numerator // most.denominator,
            value=value,
            ok=value <= most,
            unit="bytes" if quantity.is_bytes else "",
            text=f"+{growth.bound.text}",
            reason=f"{change} over {self.baseline.reference}'s {before:,}",
            line=growth.line,
        )

    def coverage(self) -> Iterator[CheckedLimit]:
        """The share of calls whose cost is known, where that matters."""
        seen = self.figures.coverage
        known = Fraction(seen.calls - seen.unknown, seen.calls) if seen.calls else Fraction(1)
        asked = self.budget.coverage
        limits = [*self.budget.limits, *(x for rule in self.budget.layers for x in rule.limits)]
        is_work = any(QUANTITIES[limit.quantity].is_work for limit in limits) or any(
            QUANTITIES[growth.quantity].is_work for growth in self.budget.growth
        )
        if asked is None and (known == 1 or not is_work):
            return
        least = asked.value if asked else Fraction(1)
        names = [gap.op for gap in self.figures.uncounted]
        unknown = f"nothing is known of {_named(names)}: the MACs are a lower bound"
        yield CheckedLimit(
            model=self.trace.model.reference,
            name="min_coverage",
            subject="coverage",
            layers="",
            limit=float(100 * least),
            value=float(100 * known),
            ok=known >= least,
            unit="%",
            text=asked.text if asked else "100%",
            reason=unknown if names else "",
            line=self.budget.coverage_line,
        )

    def _checked(
        self, limit: Limit, value: int, whole: int, *, layers: str = "", reason: str = ""
    ) -> CheckedLimit:
        quantity = QUANTITIES[limit.quantity]
        most = limit.limit(whole)
        return CheckedLimit(
            model=self.trace.model.reference,
            name=limit.name,
            subject=quantity.title,
            layers=layers,
            limit=most / 1e9 if quantity.is_time else most,
            value=value / 1e9 if quantity.is_time else value,
            ok=limit.keeps(value, whole),
            unit="bytes" if quantity.is_bytes else "s" if quantity.is_time else "",
            text=limit.bound.text,
            reason=reason,
            line=limit.line,
        )


def latency_text(latency: Latency) -> str:
    """How a latency was measured, and whether it is to be trusted."""
    threads = f"{latency.threads} thread{'s' * (latency.threads != 1)}"
    where = threads if latency.device == "cpu" else latency.device
    trust = "; its quartiles lie far apart: do not trust it" if latency.is_unsteady else ""
    return f"median of {latency.runs:,} runs in {latency.backend}, {where}{trust}"


def _place(name: str, line: int | None) -> str:
    """Where a limit was written: as an option, or in the budget file."""
    return f"--{name.replace('_', '-')}" if line is None else f"line {line} of the budget: {name}"


def _named(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def matching(trace: Trace, pattern: str) -> tuple[Layer, ...]:
    """The layers whose path the pattern fits; `*` goes across dots.

    Raises:
        PatternMatchesNothing: there is none.
    """
    found = tuple(
        layer for layer in trace.layers if layer.path and fnmatchcase(layer.path, pattern)
    )
    if not found:
        paths = [layer.path for layer in trace.layers if layer.path]
        raise PatternMatchesNothing(pattern, trace.model.reference, paths)
    return found


def topmost(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Those of the layers that are not under another one of them."""
    paths = {layer.path for layer in layers}
    return tuple(layer for layer in layers if not _is_under(layer.path, paths))


def layers_under(trace: Trace, tops: Iterable[Layer]) -> tuple[Layer, ...]:
    """These layers and all under them, each once."""
    paths = {layer.path for layer in tops}
    return tuple(
        layer for layer in trace.layers if layer.path in paths or _is_under(layer.path, paths)
    )


def _is_under(path: str, paths: set[str]) -> bool:
    while path:
        path = parent_of(path)
        if path and path in paths:
            return True
    return False
