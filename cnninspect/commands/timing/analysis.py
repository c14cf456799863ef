"""From a trace and what a clock said of it to layers with their least times and efficiencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cnninspect.commands.timing.report import LayerTiming, Shares, TimedModel
from cnninspect.metrics.roofline import float_dtype, least_time_of, rooflines
from cnninspect.metrics.summarizing import summarize_trace
from cnninspect.metrics.summary import Device, Roofline
from cnninspect.records.operations import Call
from cnninspect.records.timings import AMP, UNSTEADY, Timed, TimeSettings
from cnninspect.records.traces import Trace, parent_of

GAINS = 5
"""Layers named that would gain most."""
UNSTEADY_TEXT = (
    "its quartiles lie more than 20 % of the median apart: something else keeps this machine busy, "
    "and the time is not to be trusted"
)
VALUES = "its work depends on the values of its inputs: others take another time"
BEYOND = (
    "some layers take less than their least time: what a kernel finds in a cache, or takes in from "
    "the layer before it, needs no memory"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What a run does: a forward pass, or all of a step of training."""

    forward: Trace
    calls: tuple[Call, ...]
    """Also those of the backward pass."""


def timed_model(
    traced: Traced, timed: Timed, settings: TimeSettings, *, batch: int, spec: Device | None
) -> TimedModel:
    """A network with what was measured of it, held against a device."""
    trace, spread = traced.forward, timed.spread
    layers = layers_of(traced, timed.own, spec)
    update = timed.phases.optimizer_s if timed.phases else 0.0
    bound = layers[0].bound_s
    is_beyond = any(
        layer.own_s and layer.own_bound_s and layer.own_bound_s > 1.05 * layer.own_s
        for layer in layers
    )
    notes = [*trace.how.notes, *timed.notes]
    notes += [VALUES] if trace.how.run == "real" else []
    notes += [UNSTEADY_TEXT] if spread.iqr_s > UNSTEADY * spread.median_s else []
    notes += [BEYOND] if is_beyond else []
    return TimedModel(
        model=trace.model,
        inputs=trace.inputs,
        backend=settings.backend,
        mode=settings.mode,
        batch=batch,
        dtype=dtype_of(settings, spec, trace),
        threads=timed.threads,
        device=timed.device,
        options=options_of(settings),
        macs=summarize_trace(trace, "macs").totals.macs,
        median_s=spread.median_s,
        iqr_s=spread.iqr_s,
        lower_s=spread.lower_s,
        upper_s=spread.upper_s,
        least_s=spread.least_s,
        runs=spread.runs,
        samples_per_s=batch / spread.median_s,
        bound_s=bound,
        efficiency=_ratio(bound, spread.median_s),
        spec=spec,
        shares=shares_of(traced.calls, timed.own, spec, update=update),
        gains=gains_of(layers),
        phases=timed.phases,
        overhead=timed.overhead,
        compile_s=timed.compile_s,
        layers=layers,
        operations=timed.operations,
        notes=tuple(dict.fromkeys(notes)),
    )


def layers_of(
    traced: Traced, own: Mapping[str, float] | None, spec: Device | None
) -> tuple[LayerTiming, ...]:
    """Each layer of the trace, its own time and least time added up to those around it."""
    paths = [layer.path for layer in traced.forward.layers]
    least = rooflines(traced.calls, paths, spec) if spec else dict.fromkeys(paths, Roofline())
    alone = dict.fromkeys(paths, 0.0)
    for path, seconds in (own or {}).items():
        alone[_known(path, alone)] += seconds
    limits = dict(least)
    totals = dict(alone)
    for path in reversed(paths):
        if path:
            totals[parent_of(path)] += totals[path]
            limits[parent_of(path)] += limits[path]
    return tuple(
        LayerTiming(
            path=layer.path,
            type=layer.type,
            level=layer.level,
            calls=layer.calls,
            own_s=None if own is None else alone[layer.path],
            total_s=None if own is None else totals[layer.path],
            own_bound_s=least[layer.path].seconds if spec else None,
            bound_s=limits[layer.path].seconds if spec else None,
            efficiency=_ratio(limits[layer.path].seconds, totals[layer.path]) if spec else None,
            bound=limits[layer.path].bound if spec and limits[layer.path].seconds else "",
        )
        for layer in traced.forward.layers
    )


def _known(path: str, layers: Mapping[str, float]) -> str:
    """The layer of that path, or the nearest around it that the trace has."""
    while path and path not in layers:
        path = parent_of(path)
    return path


def _ratio(least: float | None, measured: float) -> float | None:
    return least / measured if least and measured > 0 else None


def shares_of(
    calls: Iterable[Call],
    own: Mapping[str, float] | None,
    spec: Device | None,
    *,
    update: float = 0.0,
) -> Shares | None:
    """Which part of the measured time must be computing, must be moving bytes, and is neither.

    A layer that takes less than its least time has no overhead.  `update` are the seconds of an
    optimizer's step, which no call of the trace stands for.  None: there is nothing to hold it
    against, or no layer was watched.
    """
    if own is None or spec is None:
        return None
    parts: dict[str, list[float]] = {}
    known: dict[int, Roofline] = {}
    for call in calls:
        key = id(call.operation)
        if key not in known:
            known[key] = least_time_of(call.operation, spec)
        part = parts.setdefault(call.layer, [0.0, 0.0])
        part[known[key].bound == "memory"] += known[key].seconds
    whole = sum(own.values()) + update
    compute = memory = 0.0
    for path, (computing, moving) in parts.items():
        least = computing + moving
        scale = min(own.get(path, 0.0) / least, 1.0) if least else 0.0
        compute += computing * scale
        memory += moving * scale
    if not whole:
        return None
    return Shares(compute / whole, memory / whole, max(1 - (compute + memory) / whole, 0.0))


def gains_of(layers: Sequence[LayerTiming]) -> tuple[str, ...]:
    """The layers that take longest beyond their own least time, the one that gains most first."""
    beyond = {
        layer.path: layer.own_s - layer.own_bound_s
        for layer in layers
        if layer.own_s is not None and layer.own_bound_s is not None
    }
    found = sorted((path for path in beyond if beyond[path] > 0), key=lambda p: -beyond[p])
    return tuple(found[:GAINS])


def options_of(settings: TimeSettings) -> tuple[str, ...]:
    """What was asked for beside batch, mode and dtype."""
    found = [f"autocast to {AMP}"] if settings.amp else []
    found += ["channels last"] if settings.channels_last else []
    found += [settings.optimizer] if settings.mode == "train" else []
    return tuple(found)


def dtype_of(settings: TimeSettings, spec: Device | None, trace: Trace) -> str:
    """What it computes in."""
    if settings.dtype is not None or settings.amp:
        return settings.dtype or AMP
    if spec is not None:
        return spec.dtype
    return float_dtype(trace)
