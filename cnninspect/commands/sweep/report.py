"""The answer of `cnninspect sweep`: the frontier of a design space, and what each setting does."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Any, ClassVar, overload

from cnninspect.commands.gradients.report import HEALTHY
from cnninspect.commands.sweep.table import PointTable
from cnninspect.metrics.figures import LimitText, Unmeasured
from cnninspect.metrics.frontier import frontier, or_worst
from cnninspect.metrics.limits import QUANTITIES, Limit
from cnninspect.metrics.summary import Totals
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report, plain
from cnninspect.sources.registry import reference_of


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
    models: Models
    """Those that keep the limits: those on the frontier first, each group by the first axis."""
    effects: tuple[Effect, ...]
    """Of all that were measured, by setting, then figure."""
    failed: tuple[Unmeasured, ...]
    """Points that could not be built or run."""
    device: str | None = None
    notes: tuple[str, ...] = ()
    """What a reader should know."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A figure that a frontier may be of."""

    column: str
    """What it is called among the columns of a table."""
    sign: int = 1
    """1 where little of it is wanted, -1 where much."""
    change: Callable[[Any], float] | None = None
    """What makes a number of it, where it is none."""

    def numbers(self, table: PointTable) -> list[float | None]:
        """The number of every point; None where it is not known."""
        values = table.columns[self.column]
        if self.change is None:
            return list(values)
        return [None if value is None else self.change(value) for value in values]


AXES = {
    "parameters": Axis("parameters"),
    "macs": Axis("macs"),
    "activations": Axis("activations"),
    "bytes": Axis("parameter_bytes"),
    "memory": Axis("memory"),
    "least_time": Axis("least_time"),
    "latency": Axis("latency"),
    "verdict": Axis("verdict", change=lambda verdict: int(verdict != HEALTHY)),
    "gradient_orders": Axis("gradient_orders", change=abs),
    "capacity": Axis("parameters", sign=-1),
    "depth": Axis("depth", sign=-1),
    "receptive_field": Axis("receptive_field", sign=-1),
}
"""What a frontier can be of."""
TIMES = {"latency": "latency", "bound": "least_time"}
"""The figures that limits on times need."""
NEEDS = {"gradient_orders": "verdict"}
"""The figure that an axis comes with, where it is called otherwise."""


class Models(Sequence[SweptModel]):
    """The points that fit, in their order; of each, a model is made when it is asked for."""

    def __init__(
        self,
        table: PointTable,
        places: Sequence[int],
        on: int,
        same: Sequence[str],
        *,
        limited: bool,
    ) -> None:
        self.table = table
        self.places = places
        """Of each in the table."""
        self.on = on
        """How many stand on the frontier, the first ones."""
        self._same = same
        self._fits = True if limited else None

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> SweptModel: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[SweptModel, ...]: ...
    def __getitem__(self, at: int | slice) -> SweptModel | tuple[SweptModel, ...]:
        if isinstance(at, slice):
            return tuple(map(self.__getitem__, range(*at.indices(len(self)))))
        place, table = self.places[at], self.table
        reference, choice = table.references[place], table.choices[place]
        same = self._same[place]
        columns = {name: table.columns[name][place] for name in TOLD}
        return SweptModel(
            model=ModelInfo(reference, source_of(choice.space.model), reference),
            settings=choice.settings,
            totals=Totals(*table.totals[place]),
            uncounted=tuple(table.columns["uncounted"][place]),
            fits=self._fits,
            frontier=at % len(self) < self.on,
            same_as=None if same == reference else same,
            **columns,
        )

    def __eq__(self, other: object) -> bool:
        is_alike = isinstance(other, (Models, tuple))
        return tuple(self) == tuple(other) if is_alike else NotImplemented  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]  # as its models have none

    def __repr__(self) -> str:
        return repr(tuple(self))

    def as_plain(self) -> list[Any]:
        """As JSON has them."""
        return [plain(model) for model in self]

    def first(self, number: int | None, *, on_frontier: bool) -> Models:
        """So many of them, or all, and only those on the frontier."""
        places = self.places[: self.on if on_frontier else None][:number]
        on, limited = min(self.on, len(places)), self._fits is not None
        return Models(self.table, places, on, self._same, limited=limited)

    def numbers(self, axis: str) -> list[float | None]:
        """Each one's number on an axis."""
        return list(map(AXES[axis].numbers(self.table).__getitem__, self.places))

    def setting(self, name: str) -> list[str | None]:
        """Each one's value of a setting."""
        return list(map(self.table.settings[name].__getitem__, self.places))

    def distinct(self, *, on: bool) -> list[int]:
        """The first of each network, of those on the frontier or of the others."""
        first: dict[str, int] = {}
        for at in range(self.on) if on else range(self.on, len(self)):
            first.setdefault(self._same[self.places[at]], at)
        return list(first.values())


TOLD = (
    "depth", "receptive_field", "memory", "least_time", "latency", "verdict", "gradient_orders",
)  # fmt: skip
"""Figures that a model has as the table has them."""


@cache
def source_of(model: str) -> str:
    """What a model without settings is built by."""
    return reference_of(model).source


def select(
    table: PointTable, axes: Sequence[str], fits: Sequence[bool | None] | None
) -> tuple[Models, int]:
    """The models that fit, those on the frontier first; and how many networks all points are.

    `fits` is of every point; None: there is no limit.  Equal networks stand on the frontier
    together.
    """
    chosen = [i for i in range(len(table)) if fits is None or fits[i]]
    costs = [_costs(AXES[axis], table) for axis in axes]
    points = list(zip(*(map(cost.__getitem__, chosen) for cost in costs)))
    on = frontier(points)
    order = sorted(range(len(chosen)), key=points.__getitem__)
    first = [chosen[k] for k in order if on[k]]
    others = [chosen[k] for k in order if not on[k]]
    known: dict[str, str] = {}
    same = [known.setdefault(*pair) for pair in zip(table.columns["fingerprint"], table.references)]
    models = Models(table, [*first, *others], len(first), same, limited=fits is not None)
    return models, len(known)


def _costs(axis: Axis, table: PointTable) -> list[float]:
    """Each point's place on an axis of the frontier, the smaller the better."""
    return [or_worst(None if v is None else axis.sign * v) for v in axis.numbers(table)]


def judged(table: PointTable, limits: Sequence[Limit]) -> list[bool | None]:
    """Whether each point keeps every limit; None: that is left open.

    A limit of what counts work is left open where an operation has no formula.
    """
    found: list[bool | None] = [True] * len(table)
    for limit in limits:
        quantity, bound = QUANTITIES[limit.quantity], limit.limit()
        name = TIMES.get(limit.quantity, quantity.field)
        uncounted = table.columns["uncounted"] if quantity.is_work else repeat(())
        for i, (value, least) in enumerate(zip(table.columns[name], uncounted)):
            if found[i] is False:
                continue
            if value is not None and quantity.is_time:
                value = round(value * 1e9)
            if value is None:
                found[i] = None
            elif value > bound if limit.is_max else value < bound:
                found[i] = None if least and not limit.is_max else False
            elif least and limit.is_max:
                found[i] = None
    return found


EFFECTS = ("parameters", "macs", "activations")
"""Figures whose effects are always told."""


def effects_of(table: PointTable, figures: Sequence[str]) -> tuple[Effect, ...]:
    """What each setting that takes several values does to each figure."""
    groups = {}
    for name, column in table.settings.items():
        members: dict[str | None, list[int]] = defaultdict(list)
        for i, value in enumerate(column):
            members[value].append(i)
        values = sorted((value for value in members if value is not None), key=in_order)
        if len(values) > 1:
            groups[name] = [members[value] for value in values]
    found: dict[tuple[str, str], Effect] = {}
    for figure in figures if groups else ():
        logs = _logs(AXES[figure].numbers(table))
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
