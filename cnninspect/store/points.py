"""Measures points of design spaces: a few figures of very many networks.

Against `measuring.measure`, whose figures are all that a comparison may show, a point takes half
the time: nothing is told by layer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from cnninspect.metrics.figures import Unmeasured
from cnninspect.metrics.summary import Totals
from cnninspect.records.models import LoadedModel
from cnninspect.records.timings import TimeSettings
from cnninspect.records.traces import Trace
from cnninspect.sources.open import load, remembered_by, trace, trace_step
from cnninspect.sources.registry import reference_of
from cnninspect.sources.zoo import family_and_arguments
from cnninspect.store.measuring import as_outcome, latency_of, measure
from cnninspect.store.tasks import AnyOutcome, AnyTask, PartDone, PartTask, Point, PointTask
from cnninspect.store.this_machine import datasheet

SECONDS = 0.3
"""How long the latency of a point is measured."""
VERDICT = "cnninspect.commands.gradients:verdict_of"
"""Where gradients are judged, as text: what measures points knows nothing of the commands."""


def outcome_of(task: AnyTask) -> AnyOutcome:
    """What comes of any task."""
    if isinstance(task, PartTask):
        return as_outcome(task.reference, lambda: _done(task))
    return measure_point(task) if isinstance(task, PointTask) else measure(task)


def _done(task: PartTask) -> PartDone:
    """What the function gives that the task names.

    Raises:
        ValueError: it is none of this package.
    """
    if task.function.partition(".")[0] != __name__.partition(".")[0]:
        raise ValueError(f"{task.function} is not of this package")
    return PartDone(_named(task.function)(task.reference, **(task.arguments or {})))


def measure_point(task: PointTask) -> Point | Unmeasured:
    """The figures of a point.  Whatever goes wrong is an outcome, too."""
    return as_outcome(task.reference, lambda: _point(task))


def _named(function: str) -> Callable[..., Any]:
    """The function of this package that is named so."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _point(task: PointTask) -> Point:
    from cnninspect.metrics.depth import depth_of, weighted_layers

    with remembered_by(None):  # traces of so many networks would push out all others
        traced = trace(_shared(task.reference), task.inputs, mode=task.mode, batch=task.batch)
    weighted = weighted_layers(traced)
    totals, uncounted = totals_of_trace(traced)
    verdict, orders = _verdict(task) if "verdict" in task.figures else (None, None)
    return Point(
        reference=task.reference,
        totals=totals,
        depth=depth_of(traced, (layer.path for layer in weighted)),
        fingerprint=fingerprint_of(traced),
        uncounted=uncounted,
        receptive_field=_field(traced) if "receptive_field" in task.figures else None,
        memory=_memory(task) if "memory" in task.figures else None,
        least_time=_least_time(traced, task.device) if "least_time" in task.figures else None,
        latency=_latency(task, traced) if "latency" in task.figures else None,
        verdict=verdict,
        gradient_orders=orders,
    )


_last: list[tuple[Any, Any]] = []
"""The network that was built last, after what tells it from others."""


def _shared(text: str) -> str | LoadedModel:
    """The model, its network that of the point before where only another input is asked for.

    Neighbours in a design space often differ in the resolution alone, and half of a point's time
    goes into building the network.
    """
    reference = reference_of(text)
    if reference.source != "zoo":
        return text
    family, arguments = family_and_arguments(reference)
    if not family.input_settings:
        return text
    kept = {name: value for name, value in arguments.items() if name not in family.input_settings}
    loaded = load(text)
    if not isinstance(loaded, LoadedModel):
        return text
    if not _last or _last[0][0] != (family.builder, kept):
        _last[:] = [((family.builder, kept), _built_empty(loaded))]
    module = _last[0][1]
    return replace(loaded, build=lambda: module, live=True)


def _built_empty(loaded: LoadedModel) -> Any:
    """The network without memory for weights, which nothing fills."""
    import torch
    from torch.nn import init

    filling = {name: value for name, value in vars(init).items() if name.endswith("_")}
    filling = {name: value for name, value in filling.items() if not name.startswith("_")}
    try:
        for name in filling:
            setattr(init, name, lambda tensor, *_args, **_options: tensor)
        with torch.device("meta"):
            return loaded.build()
    finally:
        for name, value in filling.items():
            setattr(init, name, value)


def totals_of_trace(traced: Trace) -> tuple[Totals, tuple[str, ...]]:
    """The totals of a network, as its summary has them, and operations without a formula."""
    from cnninspect.costs import cost_of
    from cnninspect.records.operations import CostState

    known: dict[int, tuple[int, int, int]] = {}
    uncounted: dict[str, None] = {}
    for operation in traced.operations:
        costed = cost_of(operation)
        cost = costed.cost
        size = 0
        if cost.activations:
            output = operation.output
            size = cost.activations * output.nbytes // output.numel
        known[id(operation)] = cost.macs, cost.activations, size
        if costed.state is CostState.UNKNOWN:
            uncounted[operation.name] = None
    macs = activations = activation_bytes = 0
    for call in traced.calls:
        one = known[id(call.operation)]
        macs += one[0]
        activations += one[1]
        activation_bytes += one[2]
    held = [p for layer in traced.layers for p in layer.parameters if p.shared_with is None]
    buffers = [b for layer in traced.layers for b in layer.buffers if b.shared_with is None]
    return Totals(
        parameters=sum(p.spec.numel for p in held),
        trainable_parameters=sum(p.spec.numel for p in held if p.trainable),
        buffers=sum(b.spec.numel for b in buffers),
        parameter_bytes=sum(p.nbytes for p in held),
        macs=macs,
        flops=2 * macs,
        activations=activations,
        activation_bytes=activation_bytes,
        layers=len(traced.layers) - 1,
    ), tuple(uncounted)


def fingerprint_of(traced: Trace) -> str:
    """The same for two networks with the same layers, parameters and inputs."""
    layers = [
        (layer.path, layer.type, layer.calls, [(p.name, p.spec.shape) for p in layer.parameters])
        for layer in traced.layers
    ]
    inputs = [(tensor.spec.shape, tensor.spec.dtype) for tensor in traced.inputs]
    names = [call.operation.name for call in traced.calls]
    text = json.dumps([layers, inputs, names])
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _field(traced: Trace) -> int | None:
    from cnninspect.metrics.figures import last_field

    field = last_field(traced)
    return max(field, default=None) if field else None


def _memory(task: PointTask) -> int:
    from cnninspect.metrics.training_memory import memory_of

    with remembered_by(None):
        step = trace_step(task.reference, task.inputs, batch=task.batch)
    return memory_of(step).totals.peak_bytes


def _least_time(traced: Trace, device: str | None) -> float | None:
    from cnninspect.metrics.roofline import with_roofline
    from cnninspect.metrics.summarizing import summarize_trace

    if device is None:
        return None
    roofline = (
        with_roofline(summarize_trace(traced, "macs"), traced, device, this=datasheet(device))
        .layers[0]
        .roofline
    )
    return None if roofline is None else roofline.total.seconds


def _latency(task: PointTask, traced: Trace) -> float:
    """Seconds of a forward pass with random weights, by the clock of `cnninspect time`."""
    settings = TimeSettings(batch=task.batch, mode=task.mode, seconds=SECONDS)
    return latency_of(task.reference, traced, task.inputs, settings=settings).median_s


def _verdict(task: PointTask) -> tuple[str, float | None]:
    """The verdict on the gradients, and the orders of magnitude that it goes by."""
    batch = task.batch if task.batch > 1 else None
    with remembered_by(None):
        found: tuple[str, float | None] = _named(VERDICT)(task.reference, task.inputs, batch=batch)
    return found
