"""From the numbers of single passes to the profile of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from cnninspect.analyses.gradient_paths import gradient_paths
from cnninspect.analyses.gradient_verdict import trend_of
from cnninspect.analyses.spreading import norms_spread, quartiles
from cnninspect.records.gradient_passes import (
    GradientPass,
    LayerPass,
    Norms,
    StatePass,
    WeightedLayer,
)
from cnninspect.records.gradient_profile import (
    DEAD,
    HEALTHY,
    NOT_FINITE,
    UNTRAINED,
    LayerGradients,
    ModelGradients,
    NotFinite,
    StateGradients,
    TrainingPoint,
    Trend,
)
from cnninspect.records.gradient_settings import DataUsed
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
