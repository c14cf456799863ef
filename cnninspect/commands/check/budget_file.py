"""Budgets: from TOML or from options to rules for each model and each layer pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnninspect.commands.check.report import (
    Budget,
    BudgetFile,
    Growth,
    LayerRule,
    PeakLimit,
    Rule,
)
from cnninspect.errors import BadBudget, BadQuantity, UnknownArgument, UnknownKey
from cnninspect.metrics.budget_tables import Place, Table, Values, lines_of, parse_tables
from cnninspect.metrics.limits import (
    QUANTITIES,
    Bounded,
    LimitOptions,
    check_consistency,
    parse_bound,
)
from cnninspect.metrics.training_memory import OPTIMIZERS
from cnninspect.records.models import MODES

LIMITS = tuple(f"{side}_{name}" for name in QUANTITIES for side in ("max", "min"))
OF_LAYERS = (
    *(name for name in LIMITS if not name.endswith(("_depth", "_latency", "_bound"))),
    "each",
)
SETTINGS = (
    "forbid", "min_coverage", "baseline", "max_growth", "max_memory", "memory_of", "optimizer",
    "input", "batch", "mode", "dtype", "device_spec",
)  # fmt: skip
PURPOSES = ("training", "inference")
OF_MODELS = (*LIMITS, *SETTINGS, "layers")
GROWING = ("params", "macs", "activations", "bytes")
"""What `max_growth` is about where it is one share."""


class BudgetRules(LimitOptions, total=False):
    """The keys of a budget file for one model, as keyword arguments."""

    forbid: Sequence[str] | None
    min_coverage: Bounded | None
    baseline: str | None
    max_growth: Bounded | Mapping[str, Bounded] | None
    max_memory: Bounded | None
    memory_of: str | None
    optimizer: str | None
    input: Sequence[str] | None
    batch: int | None
    mode: str | None
    dtype: str | None
    device_spec: str | None
    layers: Mapping[str, Mapping[str, Any]] | None


EXAMPLE = 'write "layer4.*" = { max_params = "60%" }'


def parse_budget(text: str, path: str) -> BudgetFile:
    """The budget in the text of a file; `path` is what messages call it.

    Raises:
        FileUnreadable: it is not TOML.
        UnknownKey: a key means nothing; names the nearest.
        BadQuantity, BadBudget: a value is not what it should be.
        Contradiction: nothing can keep the limits.
    """
    content = parse_tables(text, path)
    values = Values(path, lines_of(text))
    models = content.pop("models", {})
    content.pop("lint", None)  # for `cnninspect lint`, which reads the same file
    for key in content:
        if key not in OF_MODELS:
            raise UnknownKey(values.place((key,)), key, (*OF_MODELS, "models", "lint"))
    if not isinstance(models, Mapping):
        raise BadBudget(path, "models is no table", 'write [models."resnet34"]')
    general = _budget(content, values, ())
    named = []
    for reference, table in models.items():
        if not isinstance(table, Mapping):
            place = values.place(("models", reference))
            hint = f'write [models."{reference}"], with limits under it'
            raise BadBudget(place, f"{reference} is no table", hint)
        own = _budget(table, values, ("models", reference))
        named.append((reference, combined(general, own, reference)))
    return BudgetFile(path, general, tuple(named))


def typed_budget(options: Mapping[str, Any]) -> Budget:
    """The budget in options, whose names are the keys of a budget file; None stands for nothing.

    Raises:
        TypeError: there is no such option.
        BadQuantity, BadOption, Contradiction: see `parse_budget`.
    """
    for name in options:
        if name not in OF_MODELS:
            raise UnknownArgument("check", name, OF_MODELS)
    given = {name: value for name, value in options.items() if value is not None}
    return _budget(given, Values(), ())


def combined(general: Budget, own: Budget, where: str = "") -> Budget:
    """What holds for one model: its own rules, and the general ones that it does not replace.

    Raises:
        Contradiction: nothing can keep the limits of both.
    """
    named = {limit.name for limit in own.limits}
    patterns = {rule.pattern for rule in own.layers}
    grown = {growth.quantity for growth in own.growth}
    limits = (*(limit for limit in general.limits if limit.name not in named), *own.limits)
    check_consistency(limits, where)
    return Budget(
        limits=limits,
        layers=(*(rule for rule in general.layers if rule.pattern not in patterns), *own.layers),
        forbidden=tuple(dict.fromkeys((*general.forbidden, *own.forbidden))),
        coverage=own.coverage or general.coverage,
        coverage_line=own.coverage_line if own.coverage else general.coverage_line,
        baseline=own.baseline or general.baseline,
        growth=(*(g for g in general.growth if g.quantity not in grown), *own.growth),
        memory=own.memory or general.memory,
        memory_of=own.memory_of or general.memory_of,
        optimizer=own.optimizer or general.optimizer,
        inputs=own.inputs or general.inputs,
        batch=own.batch or general.batch,
        mode=own.mode or general.mode,
        dtype=own.dtype or general.dtype,
        device_spec=own.device_spec or general.device_spec,
    )


def _budget(table: Table, values: Values, above: Place) -> Budget:
    """The rules of one table."""
    for key in table:
        if key not in OF_MODELS:
            raise UnknownKey(values.place((*above, key)), key, OF_MODELS)
    coverage = values.share_of_all(table, "min_coverage", above)
    baseline = values.text(table, "baseline", above)
    return Budget(
        limits=values.limits({k: v for k, v in table.items() if k in LIMITS}, above),
        layers=_layers(table.get("layers", {}), values, (*above, "layers")),
        forbidden=tuple(
            Rule(text, values.line((*above, "forbid")))
            for text in values.texts(table, "forbid", above)
        ),
        coverage=coverage,
        coverage_line=values.line((*above, "min_coverage")) if coverage else None,
        baseline=Rule(baseline, values.line((*above, "baseline"))) if baseline else None,
        growth=_growth(table, values, (*above, "max_growth")),
        memory=_memory(table, values, above),
        memory_of=values.text(table, "memory_of", above, PURPOSES),
        optimizer=values.text(table, "optimizer", above, tuple(OPTIMIZERS)),
        inputs=values.texts(table, "input", above),
        batch=values.batch(table, above),
        mode=values.text(table, "mode", above, MODES),
        dtype=values.text(table, "dtype", above),
        device_spec=values.text(table, "device_spec", above),
    )


def _layers(table: Any, values: Values, above: Place) -> tuple[LayerRule, ...]:
    """The rules for layers, by pattern."""
    if not isinstance(table, Mapping):
        raise BadBudget(values.place(above), "layers is no table", EXAMPLE)
    rules = []
    for pattern, content in table.items():
        keys = (*above, pattern)
        if not isinstance(content, Mapping):
            raise BadBudget(values.place(keys), f"{pattern!r} is no table", EXAMPLE)
        for key in content:
            if key not in OF_LAYERS:
                raise UnknownKey(values.place((*keys, key)), key, OF_LAYERS)
        each = content.get("each", False)
        if not isinstance(each, bool):
            raise values.wrong((*keys, "each"), each, "true or false")
        limits = values.limits({k: v for k, v in content.items() if k != "each"}, keys)
        if not limits:
            raise BadBudget(values.place(keys), f"{pattern!r} has no limit", EXAMPLE)
        rules.append(LayerRule(pattern, limits, each, values.line(keys)))
    return tuple(rules)


def _growth(table: Table, values: Values, keys: Place) -> tuple[Growth, ...]:
    """How much more than the baseline is allowed: one share for all, or one for each quantity."""
    allowed = table.get("max_growth")
    if allowed is None:
        return ()
    shares = allowed if isinstance(allowed, Mapping) else dict.fromkeys(GROWING, allowed)
    for name in shares:
        if name not in QUANTITIES:
            raise UnknownKey(values.place(keys), name, QUANTITIES)
    return tuple(
        Growth(name, values.share(share, keys), values.line(keys)) for name, share in shares.items()
    )


def _memory(table: Table, values: Values, above: Place) -> PeakLimit | None:
    """The most bytes at a peak; None where it is not limited."""
    value, keys = table.get("max_memory"), (*above, "max_memory")
    if value is None:
        return None
    option = values.option(keys)
    bound = parse_bound(values.number(value, keys), option=option, is_bytes=True)
    if bound.is_share:
        raise BadQuantity(option, bound.text, "a peak is bytes: write 8GB or 8GiB")
    return PeakLimit(bound, values.line(keys))
