"""From the numbers of single passes to the profile of a model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import combinations

from cnninspect.commands.gradients.report import (
    DEAD,
    EXPLODING,
    HEALTHY,
    NOT_FINITE,
    UNTRAINED,
    VANISHING,
    LayerGradients,
    ModelGradients,
    NotFinite,
    StateGradients,
    TrainingPoint,
    Trend,
)
from cnninspect.metrics.gradient_paths import gradient_paths
from cnninspect.records.passes import (
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
    broken, dead, states = first_not_finite(start), dead_layers(profile), _states(start)
    trend = _judged(_trend(profile, states), dead=dead, broken=broken)
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
        decades=trend.decades,
        norm_decades=trend.norm_decades,
        verdict=trend.verdict,
        dead=dead,
        frozen=tuple(layer.path for layer in profile if layer.parameters and not layer.trainable),
        not_finite=broken,
        data=data,
        states=states,
        training=_training(passes, order),
        notes=notes,
    )


def dead_layers(layers: Sequence[LayerGradients]) -> tuple[str, ...]:
    """Paths of the trained layers whose gradient is exactly 0 everywhere in every pass."""
    return tuple(
        layer.path
        for layer in layers
        if layer.trainable and layer.gradient_norm == 0 and layer.high.gradient_norm == 0
    )


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


def _trend(layers: Sequence[LayerGradients], states: Sequence[StateGradients]) -> Trend:
    """Over time where states were measured, else over depth."""
    if states:
        return _mildest([state.trend for state in states])
    return trend_of(
        [layer.activation_gradient_rms for layer in layers],
        [layer.activation_gradient_norm for layer in layers],
    )


def _judged(trend: Trend, *, dead: tuple[str, ...], broken: NotFinite | None) -> Trend:
    """The trend with the verdict that broken numbers and dead layers call for."""
    if broken:
        return replace(trend, verdict=NOT_FINITE)
    is_dead = dead and trend.verdict in (HEALTHY, UNTRAINED)
    return replace(trend, verdict=DEAD) if is_dead else trend


def _mildest(trends: Sequence[Trend]) -> Trend:
    """That of the state by which the gradient lasts best: it decides what can be learnt."""
    return min(trends, key=lambda trend: abs(trend.decades or 0.0))


def _training(
    passes: Sequence[GradientPass], order: Mapping[str, int]
) -> tuple[TrainingPoint, ...]:
    """Each measured step; nothing where none was made."""
    steps = sorted({each.step for each in passes})
    if len(steps) < 2:
        return ()
    return tuple(_point(s, [each for each in passes if each.step == s], order) for s in steps)


def _point(step: int, passes: Sequence[GradientPass], order: Mapping[str, int]) -> TrainingPoint:
    layers, states = _layers(passes, order), _states(passes)
    judged = _judged(
        _trend(layers, states), dead=dead_layers(layers), broken=first_not_finite(passes)
    )
    return TrainingPoint(step, quartiles([each.loss for each in passes])[1], judged, layers)


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


def trend_of(rms: Sequence[float | None], norms: Sequence[float | None]) -> Trend:
    """The trend of gradients by depth or time, the nearest to the input first.

    `rms` are root mean squares of their elements, `norms` the L2 norms of the same.  Sizes that are
    unknown, 0 or not finite are left out of the fit; what they mean is not told here.
    """
    points = _logarithms(rms)
    slope = median_slope(points)
    norm_slope = median_slope(_logarithms(norms))
    if slope is None or norm_slope is None:
        return Trend(None, None, None, HEALTHY if points else UNTRAINED)
    span = points[-1][0] - points[0][0]
    decades, norm_decades = -slope * span, -norm_slope * span
    return Trend(slope, decades, norm_decades, verdict_of(decades, norm_decades))


def _logarithms(sizes: Sequence[float | None]) -> list[tuple[float, float]]:
    return [
        (place, math.log10(size))
        for place, size in enumerate(sizes)
        if size is not None and 0 < size < math.inf
    ]


def verdict_of(*decades: float) -> str:
    """The word for changes by so many powers of ten from top to bottom, which all must agree."""
    if max(decades) < -MOST_DECADES:
        return VANISHING
    return EXPLODING if min(decades) > MOST_DECADES else HEALTHY


def median_slope(points: Sequence[tuple[float, float]]) -> float | None:
    """The median of the slopes between all pairs of points; None for fewer than two points.

    One outlier, such as the layer that gives the classes, cannot move it.  Source: Theil 1950, A
    Rank-Invariant Method of Linear and Polynomial Regression Analysis; Sen 1968.
    """
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 != x1]
    return statistics.median(slopes) if slopes else None


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
