"""The answer of `cnninspect sweep`: the frontier of a design space, and what each setting does."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import ClassVar, Union

from cnninspect.commands.gradients.report import HEALTHY
from cnninspect.metrics.figures import LimitText, Unmeasured
from cnninspect.metrics.frontier import frontier, or_worst
from cnninspect.metrics.limits import QUANTITIES, Limit
from cnninspect.metrics.summary import Totals
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report
from cnninspect.store.tasks import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptModel:
    """A point of a design space that keeps every limit."""

    model: ModelInfo
    settings: Mapping[str, str]
    """The value of each setting, as it is written in a reference."""
    totals: Totals
    depth: int
    """Weighted layers on the longest way from an input to an output."""
    receptive_field: int | None
    """Largest side of that of the output; None where it was not asked for or cannot be told."""
    memory: int | None
    """Bytes of the peak of a training step with SGD; None: not asked for."""
    least_time: float | None
    """Seconds on the device that was asked for, at least."""
    latency: float | None
    """Seconds of a forward pass here, measured."""
    verdict: str | None
    """On its gradients, by real passes with all settings of `gradients` by default."""
    gradient_orders: float | None
    """By how many orders of magnitude the gradient changes from top to bottom; below 0 a loss."""
    uncounted: tuple[str, ...]
    """Operations without a formula: where there are some, its work is a lower bound."""
    fits: bool | None
    """Whether it keeps every limit; None where there is none, or where it is left open."""
    frontier: bool
    """Whether no other one is as good on every axis and better on one."""
    same_as: str | None
    """The first point whose settings make the same network, if it is not this one."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one setting does to one figure, all else being swept."""

    setting: str
    figure: str
    values: int
    """How many the setting takes."""
    ratio: float | None
    """Geometric mean of the figure at the last value by that at the first; None where one is 0."""
    share: float | None
    """Share of the variance of the figure's logarithm that the setting explains alone, less what
    chance would (ε², Kelley 1935): 0 to 1; None where there are no more points than values."""


@dataclass(frozen=True, slots=True)
class Sweep(Report):
    """The points of design spaces that keep the limits, the frontier first."""

    schema: ClassVar[str] = "cnninspect.sweep/1"
    rendering: ClassVar[str] = "cnninspect.commands.sweep.rendering"

    spaces: tuple[str, ...]
    """As they were typed."""
    size: int
    """Points in the spaces."""
    points: int
    """Distinct points that were looked at."""
    measured: int
    """Those whose figures are known."""
    recalled: int
    """Those that were known from another time."""
    repeated: int
    """Points that were named more than once; they are looked at once."""
    networks: int
    """Distinct networks among those measured: settings that round to the same one are one."""
    axes: tuple[str, ...]
    """What the frontier is of."""
    limits: tuple[LimitText, ...]
    models: tuple[SweptModel, ...]
    """Those that keep the limits: those on the frontier first, each group by the first axis."""
    effects: tuple[Effect, ...]
    """Of all that were measured, by setting, then figure."""
    failed: tuple[Unmeasured, ...]
    """Points that could not be built or run."""
    device: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader should know."""


Figured = Union[SweptModel, Point]
"""What has figures: a point that was measured, or as the report has it."""
AXES: dict[str, tuple[Callable[[Figured], float | None], int]] = {
    "parameters": (attrgetter("totals.parameters"), 1),
    "macs": (attrgetter("totals.macs"), 1),
    "activations": (attrgetter("totals.activations"), 1),
    "bytes": (attrgetter("totals.parameter_bytes"), 1),
    "memory": (attrgetter("memory"), 1),
    "least_time": (attrgetter("least_time"), 1),
    "latency": (attrgetter("latency"), 1),
    "verdict": (lambda m: None if m.verdict is None else int(m.verdict != HEALTHY), 1),
    "gradient_orders": (lambda m: None if m.gradient_orders is None else abs(m.gradient_orders), 1),
    "capacity": (attrgetter("totals.parameters"), -1),
    "depth": (attrgetter("depth"), -1),
    "receptive_field": (attrgetter("receptive_field"), -1),
}
"""What a frontier can be of: the figure, and 1 where little of it is wanted, -1 where much."""
TIMES = {"latency": "latency", "bound": "least_time"}
"""The figures that limits on times need."""
NEEDS = {"gradient_orders": "verdict"}
"""The figure that an axis comes with, where it is called otherwise."""


def select(models: Iterable[SweptModel], axes: Sequence[str]) -> tuple[SweptModel, ...]:
    """The models with the frontier marked and put first; equal networks stand on it together."""
    listed = list(models)
    columns = [_costs(axis, listed) for axis in axes]
    points = list(zip(*columns))
    on = frontier(points)
    order = sorted(range(len(listed)), key=points.__getitem__)
    first = [replace(listed[i], frontier=True) for i in order if on[i]]
    return (*first, *(listed[i] for i in order if not on[i]))


def _costs(axis: str, models: Sequence[SweptModel]) -> list[float]:
    """Each model's place on an axis of the frontier, the smaller the better."""
    read, sign = AXES[axis]
    return [or_worst(None if value is None else sign * value) for value in map(read, models)]


def judge_of(limits: Sequence[Limit]) -> Callable[[Figured], bool | None]:
    """What tells of a point whether it keeps every limit; None: that is left open.

    A limit of what counts work is left open where an operation has no formula.
    """
    checks = [
        (_reader(QUANTITIES[limit.quantity].field), limit.limit(), limit.is_max,
         QUANTITIES[limit.quantity].is_work)
        for limit in limits
    ]  # fmt: skip

    def judge(point: Figured) -> bool | None:
        is_open = False
        for read, bound, is_max, is_work in checks:
            value = read(point)
            is_least = is_work and bool(point.uncounted)
            if value is None:
                is_open = True
            elif value > bound if is_max else value < bound:
                if is_max or not is_least:
                    return False
                is_open = True
            elif is_least and is_max:
                is_open = True
        return None if is_open else True

    return judge


def _reader(field: str) -> Callable[[Figured], float | None]:
    """What reads a quantity that is limited."""
    if field in ("latency_ns", "bound_ns"):
        read = AXES["latency" if field == "latency_ns" else "least_time"][0]
        return lambda point: None if (seconds := read(point)) is None else round(seconds * 1e9)
    return attrgetter(field if field == "depth" else f"totals.{field}")


EFFECTS = ("parameters", "macs", "activations")
"""Figures whose effects are always told."""


def effects_of(
    points: Sequence[Figured], settings: Sequence[Mapping[str, str]], figures: Sequence[str]
) -> tuple[Effect, ...]:
    """What each setting that takes several values does to each figure; `settings` by point."""
    groups = {}
    for name in dict.fromkeys(name for given in settings for name in given):
        members: dict[str | None, list[int]] = defaultdict(list)
        for i, value in enumerate([given.get(name) for given in settings]):
            members[value].append(i)
        values = sorted((value for value in members if value is not None), key=in_order)
        if len(values) > 1:
            groups[name] = [members[value] for value in values]
    found: dict[tuple[str, str], Effect] = {}
    for figure in figures if groups else ():
        logs = _logs(list(map(AXES[figure][0], points)))
        spread = _spread([log for log in logs if log == log])
        for name, members_by_value in groups.items():
            found[name, figure] = _effect(name, figure, members_by_value, logs, spread)
    return tuple(found[name, figure] for name in groups for figure in figures)


def _logs(numbers: Sequence[float | None]) -> list[float]:
    """The logarithm of each; of what is not known, or 0, none (NaN)."""
    try:
        return list(map(math.log, numbers))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return [math.log(n) if n is not None and n > 0 else math.nan for n in numbers]


@dataclass(frozen=True, slots=True)
class _Spread:
    """All logarithms of a figure."""

    count: int
    mean: float
    squares: float
    """Sum of the squared distances from the mean."""


def _spread(logs: Sequence[float]) -> _Spread:
    mean = math.fsum(logs) / len(logs) if logs else 0.0
    return _Spread(len(logs), mean, math.fsum([(log - mean) ** 2 for log in logs]))


def in_order(value: str) -> tuple[int, float, str]:
    """A key that sorts numbers as numbers, and before words."""
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value


def _effect(
    name: str,
    figure: str,
    members: Sequence[Sequence[int]],
    logs: Sequence[float],
    whole: _Spread,
) -> Effect:
    """The effect of a setting; `members` are the points with each of its values, in order."""
    groups = [[log for log in map(logs.__getitem__, group) if log == log] for group in members]
    filled = [group for group in groups if group]
    if not filled:
        return Effect(name, figure, len(groups), None, None)
    means = [math.fsum(group) / len(group) for group in filled]
    between = math.fsum(len(g) * (m - whole.mean) ** 2 for g, m in zip(filled, means))
    has_ends = bool(groups[0] and groups[-1])
    return Effect(
        name,
        figure,
        len(groups),
        math.exp(means[-1] - means[0]) if has_ends else None,
        _share(between, whole.squares, whole.count, len(filled)),
    )


def _share(between: float, variance: float, points: int, groups: int) -> float | None:
    if points <= groups:
        return None
    if variance <= 1e-18:
        return 0.0
    unexplained = (1 - between / variance) * (points - 1) / (points - groups)
    return max(0.0, 1 - max(0.0, unexplained))
