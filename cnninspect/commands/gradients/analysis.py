"""From the numbers of single passes to the profile of a model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations, pairwise

from cnninspect.commands.gradients.mean_field import median_slope, predicted_slope
from cnninspect.commands.gradients.report import (
    DEAD,
    EXPLODING,
    HEALTHY,
    NOT_FINITE,
    UNTRAINED,
    VANISHING,
    Jump,
    LayerGradients,
    ModelGradients,
    NotFinite,
    StateGradients,
    TrainingPoint,
    Trend,
)
from cnninspect.metrics.gradient_paths import gradient_paths, trunk_of
from cnninspect.records.passes import (
    WAKING_UPDATES,
    DataUsed,
    GradientPass,
    LayerPass,
    Norms,
    StatePass,
    WeightedLayer,
)
from cnninspect.records.traces import Trace


def profile_of(
    trace: Trace,
    layers: Sequence[WeightedLayer],
    passes: Sequence[GradientPass],
    *,
    loss: str,
    data: DataUsed,
    notes: tuple[str, ...] = (),
) -> ModelGradients:
    """The profile of one model: medians over its passes, trend, verdict, gradient paths."""
    order = {layer.path: place for place, layer in enumerate(layers)}
    start = [each for each in passes if each.step == 0]
    profile = _layers(start, order)
    broken, states = first_not_finite(start), _states(start)
    asleep = _asleep(passes, profile)
    dead = tuple(path for path in dead_layers(profile) if path not in asleep)
    branches = {layer.path for layer in layers} - trunk_of(trace, layers)
    trend = _judged(_trend(profile, states, branches), dead=dead, broken=broken)
    paths = gradient_paths(trace, layers)
    return ModelGradients(
        model=trace.model,
        inputs=trace.inputs,
        loss=loss,
        loss_value=quartiles([each.loss for each in start])[1],
        seeds=len({each.seed for each in start}),
        passes=len(start),
        paths=paths.count,
        path_lengths=paths.lengths,
        layers=profile,
        slope=trend.slope,
        orders=trend.orders,
        norm_orders=trend.norm_orders,
        decades=trend.orders,
        norm_decades=trend.norm_orders,
        verdict=trend.verdict,
        trend=trend,
        predicted_slope=predicted_slope(trace, profile, paths=paths.count),
        dead=dead,
        asleep=asleep,
        frozen=tuple(layer.path for layer in profile if layer.parameters and not layer.trainable),
        not_finite=broken,
        data=data,
        states=states,
        training=_training(passes, order, asleep=asleep, branches=branches),
        notes=notes,
    )


def dead_layers(layers: Sequence[LayerGradients]) -> tuple[str, ...]:
    """Paths of the trained layers whose gradient is exactly 0 everywhere in every pass."""
    return tuple(
        layer.path
        for layer in layers
        if layer.trainable and layer.gradient_norm == 0 and layer.high.gradient_norm == 0
    )


def _asleep(passes: Sequence[GradientPass], start: Sequence[LayerGradients]) -> tuple[str, ...]:
    """Paths of the layers without gradient at the start that some start saw wake up."""
    woken = {path for each in passes for path in each.woken}
    return tuple(path for path in dead_layers(start) if path in woken)


def first_not_finite(passes: Sequence[GradientPass]) -> NotFinite | None:
    """Where a number first was infinite or none; None where all are finite.

    Going forward the first layer's activations count; if all of those are finite, coming back,
    the first gradient: that of the layer nearest the output.
    """
    found = [place for each in passes for place in (_first_in(each),) if place]
    if not found:
        return None
    path, where = found[0]
    return NotFinite(path, where, len(found))


def _first_in(each: GradientPass) -> tuple[str, str] | None:
    for layer in each.layers:
        if _is_broken(layer.norms.activation_norm):
            return layer.path, "activations"
    for layer in reversed(each.layers):
        if _is_broken(layer.norms.activation_gradient_norm):
            return layer.path, "gradient at the output"
        if _is_broken(layer.norms.gradient_norm):
            return layer.path, "gradient"
    return None


def _is_broken(norm: float | None) -> bool:
    return norm is not None and not math.isfinite(norm)


def _trend(
    layers: Sequence[LayerGradients], states: Sequence[StateGradients], branches: Collection[str]
) -> Trend:
    """Over time where states were measured, else over depth."""
    if states:
        return worst([state.trend for state in states])
    return trend_of(
        [layer.activation_gradient_rms for layer in layers],
        [layer.activation_gradient_norm for layer in layers],
        [layer.path for layer in layers],
        has_head=True,
        branches=branches,
    )


def _judged(trend: Trend, *, dead: tuple[str, ...], broken: NotFinite | None) -> Trend:
    """The trend with the verdict that broken numbers and dead layers call for."""
    if broken:
        return replace(trend, verdict=NOT_FINITE)
    is_dead = dead and trend.verdict in (HEALTHY, UNTRAINED)
    return replace(trend, verdict=DEAD) if is_dead else trend


def worst(trends: Sequence[Trend]) -> Trend:
    """That of the state whose gradient changes most; of the others, less is asked."""
    return max(trends, key=lambda trend: abs(trend.decisive_orders or 0.0))


def _training(
    passes: Sequence[GradientPass],
    order: Mapping[str, int],
    *,
    asleep: Collection[str],
    branches: Collection[str],
) -> tuple[TrainingPoint, ...]:
    """Each measured step; nothing where none was made."""
    steps = sorted({each.step for each in passes})
    if len(steps) < 2:
        return ()
    points = []
    for step in steps:
        now = [each for each in passes if each.step == step]
        still_asleep = asleep if step < WAKING_UPDATES else ()
        points.append(_point(now, order, asleep=still_asleep, branches=branches))
    return tuple(points)


def _point(
    passes: Sequence[GradientPass],
    order: Mapping[str, int],
    *,
    asleep: Collection[str],
    branches: Collection[str],
) -> TrainingPoint:
    """What was measured at one step."""
    layers, states = _layers(passes, order), _states(passes)
    dead = tuple(path for path in dead_layers(layers) if path not in asleep)
    judged = _judged(_trend(layers, states, branches), dead=dead, broken=first_not_finite(passes))
    return TrainingPoint(
        passes[0].step, quartiles([each.loss for each in passes])[1], judged, layers
    )


def _layers(passes: Sequence[GradientPass], order: Mapping[str, int]) -> tuple[LayerGradients, ...]:
    """Every layer that ran in some pass, by depth; `order` has the place of each path."""
    found: dict[str, list[LayerPass]] = {}
    for each in passes:
        for layer in each.layers:
            found.setdefault(layer.path, []).append(layer)
    by_depth = sorted(found.values(), key=lambda runs: order[runs[0].path])
    return tuple(_layer(runs, depth) for depth, runs in enumerate(by_depth, start=1))


def _layer(runs: list[LayerPass], depth: int) -> LayerGradients:
    low, middle, high = norms_spread([run.norms for run in runs])
    first = runs[0]
    return LayerGradients(
        path=first.path,
        type=first.type,
        depth=depth,
        calls=first.calls,
        parameters=first.parameters,
        trainable=first.trainable,
        low=low,
        high=high,
        **{field.name: getattr(middle, field.name) for field in fields(Norms)},
    )


def _states(passes: Sequence[GradientPass]) -> tuple[StateGradients, ...]:
    """Every recurrent state, over time."""
    found: dict[tuple[str, int, bool, str], list[StatePass]] = {}
    for each in passes:
        for state in each.states:
            key = state.path, state.layer, state.is_backward, state.state
            found.setdefault(key, []).append(state)
    return tuple(_state(runs) for runs in found.values())


def _state(runs: list[StatePass]) -> StateGradients:
    first = runs[0]
    spread = [quartiles(values) for values in zip(*(run.norms for run in runs))]
    low, middle, high = zip(*spread)
    in_reading_order = middle[::-1] if first.is_backward else middle
    return StateGradients(
        path=first.path,
        layer=first.layer,
        is_backward=first.is_backward,
        state=first.state,
        norms=middle,
        low=low,
        high=high,
        trend=trend_of(in_reading_order, in_reading_order),
    )


MOST_DECADES = 6 / math.log(10)
"""exp(6) in powers of ten, 2.6: by so much a gradient may change from top to bottom."""
BORDERLINE = (5 / math.log(10), 7 / math.log(10))
"""exp(5) and exp(7), 2.2 and 3.0: between these, other seeds or data may change the verdict."""
WINDOWS = {False: 2, True: 4}
"""Layers on either side that a layer of the trunk, or else of a branch, is smoothed with, by their
median: branches hold layers of several kinds."""
TIE = 1.0
"""A rise that is larger than the greatest fall by less than this leaves the verdict to the fall:
what lies under it does not learn."""


@dataclass(frozen=True, slots=True)
class Point:
    """The gradient at one depth or time: powers of ten."""

    place: int
    name: str
    rms: float
    norm: float
    is_branch: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A change on the way down, as root mean square and norm agree on it; below 0 a loss."""

    orders: float
    reason: str


def trend_of(
    rms: Sequence[float | None],
    norms: Sequence[float | None],
    names: Sequence[str] = (),
    *,
    has_head: bool = False,
    branches: Collection[str] = (),
) -> Trend:
    """The trend of gradients by depth or time, the nearest to the input first.

    `rms` are root mean squares of their elements, `norms` the L2 norms of the same, `names` those
    of the layers, `branches` those that some gradient paths pass by.  A head, the last layer where
    that gives the classes, is left out.  Sizes that are unknown, 0 or not finite are left out; what
    they mean is not told here.
    """
    everything = _points(rms, norms, names, branches)
    points = [p for p in everything if not (has_head and p.place == len(rms) - 1)]
    points = points if len(points) > 1 else everything
    slope = median_slope([(p.place, p.rms) for p in points])
    norm_slope = median_slope([(p.place, p.norm) for p in points])
    if slope is None or norm_slope is None:
        return Trend(None, None, None, HEALTHY if points else UNTRAINED)
    span = points[-1].place - points[0].place
    bottom = next(p for p in points if p.is_branch == points[-1].is_branch)
    bottom = points[0] if bottom is points[-1] else bottom
    orders, norm_orders = bottom.rms - points[-1].rms, bottom.norm - points[-1].norm
    steps = [_change(above, below) for below, above in pairwise(points)]
    by_pair = [0.0]
    for below, above in combinations(_smoothed(points), 2):
        change = _change(above, below)
        # `below` in a branch may have less by design, `above` in a branch likewise
        if below.is_branch == above.is_branch or (change < 0) == above.is_branch:
            by_pair.append(change)
    changes = (
        Change(agreed(orders, norm_orders), "ends"),
        Change(agreed(-slope * span, -norm_slope * span), "fit"),
        Change(min(by_pair), "fall"),
        Change(max(by_pair), "rise"),
    )
    verdict, decisive = judged(changes)
    sizes = [p.rms for p in points]
    return Trend(
        slope=slope,
        orders=orders,
        norm_orders=norm_orders,
        verdict=verdict,
        fitted_orders=-slope * span,
        fitted_norm_orders=-norm_slope * span,
        range_orders=max(sizes) - min(sizes),
        drop=_jump(points, steps, min),
        rise=_jump(points, steps, max),
        decisive_orders=decisive.orders,
        reason=decisive.reason,
        is_borderline=BORDERLINE[0] < abs(decisive.orders) < BORDERLINE[1],
    )


def judged(changes: Sequence[Change]) -> tuple[str, Change]:
    """The verdict that the greatest of changes calls for, and the change that says it first.

    The plainer ones stand first: what a comparison of the ends shows needs no other reason.
    """
    fall = min(change.orders for change in changes)
    rise = max(change.orders for change in changes)
    if -fall > MOST_DECADES and -fall > rise - TIE:
        return VANISHING, _first(changes, fall)
    if rise > MOST_DECADES:
        return EXPLODING, _first(changes, rise)
    return HEALTHY, _first(changes, max(fall, rise, key=abs))


def _first(changes: Sequence[Change], extreme: float) -> Change:
    """The first of the changes that come near the greatest, on its side of the threshold."""
    over = abs(extreme) > MOST_DECADES
    return next(
        change
        for change in changes
        if abs(change.orders - extreme) <= min(TIE, abs(extreme)) / 2
        and (abs(change.orders) > MOST_DECADES) == over
    )


def agreed(rms: float, norm: float) -> float:
    """The milder of two changes; 0 where one is a loss and the other a gain."""
    if rms * norm <= 0:
        return 0.0
    return min(rms, norm, key=abs)


def _points(
    rms: Sequence[float | None],
    norms: Sequence[float | None],
    names: Sequence[str],
    branches: Collection[str],
) -> list[Point]:
    found = []
    for place, (size, norm) in enumerate(zip(rms, norms)):
        if size is None or norm is None or not (0 < size < math.inf and 0 < norm < math.inf):
            continue
        name = names[place] if names else str(place + 1)
        found.append(Point(place, name, math.log10(size), math.log10(norm), name in branches))
    return found


def _change(above: Point, below: Point) -> float:
    return agreed(below.rms - above.rms, below.norm - above.norm)


def _smoothed(points: Sequence[Point]) -> list[Point]:
    """Each point as the median of its neighbours of the trunk, or else of the branches.

    Neighbourhoods are symmetric, so the ends stay as they are.
    """
    found = []
    for is_branch in (False, True):
        alike = [p for p in points if p.is_branch == is_branch]
        for number, point in enumerate(alike):
            reach = min(WINDOWS[is_branch], number, len(alike) - 1 - number)
            near = alike[number - reach : number + reach + 1]
            rms, norm = (statistics.median(s) for s in zip(*((p.rms, p.norm) for p in near)))
            found.append(replace(point, rms=rms, norm=norm))
    return sorted(found, key=lambda point: point.place)


def _jump(points: Sequence[Point], steps: Sequence[float], which: object) -> Jump | None:
    """The largest fall (`min`) or rise (`max`) from one layer to the next below it, if any."""
    value = min(steps) if which is min else max(steps)
    if (value >= 0) if which is min else (value <= 0):
        return None
    place = steps.index(value)
    return Jump(value, above=points[place + 1].name, below=points[place].name)


Three = tuple[float, float, float]
"""Lower quartile, median, upper quartile."""


def quartiles(values: Sequence[float]) -> Three:
    """Lower quartile, median and upper quartile, between neighbours where need be.

    One value that is not finite makes all three so: it must not hide behind the others.
    """
    for value in values:
        if not math.isfinite(value):
            return value, value, value
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def norms_spread(norms: Sequence[Norms]) -> tuple[Norms, Norms, Norms]:
    """For each norm its quartiles over passes: those of all low, middle and high ones."""
    low, middle, high = {}, {}, {}
    for field in fields(Norms):
        values = [v for v in (getattr(n, field.name) for n in norms) if v is not None]
        if values:
            low[field.name], middle[field.name], high[field.name] = quartiles(values)
    return Norms(**low), Norms(**middle), Norms(**high)
