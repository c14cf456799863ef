"""From the trace of a training step to what it needs, by layer and in total."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cnninspect.analyses.optimizers import find_optimizer, state_bytes
from cnninspect.costs import cost_of
from cnninspect.records.layers import Layer, parent_of
from cnninspect.records.memory import LayerMemory, Memory, MemoryTotals, Needs
from cnninspect.records.operations import Call
from cnninspect.records.summary import BackwardMacs, Summary
from cnninspect.records.training import TrainingTrace

INFERENCE = "inference"
TRAINING = "training"


def memory_of(
    step: TrainingTrace, *, optimizer: str = "sgd", purpose: str = TRAINING, amp: str = ""
) -> Memory:
    """What a step needs, by layer and in total.

    Raises:
        UnknownChoice: there is no optimiser of that name.
    """
    trace = step.forward
    own = _own_needs(step, optimizer if purpose == TRAINING else "sgd", purpose)
    total = dict(own)
    for path in reversed(own):
        if path:
            total[parent_of(path)] += total[path]
    everything = total[""]
    fixed = everything.parameter_bytes + everything.buffer_bytes + everything.optimizer_bytes
    timeline = tuple(fixed + alive for alive in step.live_bytes)
    update = 0
    if purpose == TRAINING:
        made = find_optimizer(optimizer).temporaries * everything.gradient_bytes
        update = fixed + step.left_bytes + made
        timeline = (*timeline, update)
    peak = max(timeline, default=fixed + step.input_bytes)
    named = fixed + everything.gradient_bytes + max(everything.saved_bytes, step.input_bytes)
    return Memory(
        model=trace.model,
        inputs=trace.inputs,
        purpose=purpose,
        optimizer=optimizer if purpose == TRAINING else "",
        dtype=_dtype_of(trace.layers),
        amp=amp,
        totals=MemoryTotals(
            parameter_bytes=everything.parameter_bytes,
            buffer_bytes=everything.buffer_bytes,
            gradient_bytes=everything.gradient_bytes,
            optimizer_bytes=everything.optimizer_bytes,
            saved_bytes=everything.saved_bytes,
            input_bytes=step.input_bytes,
            temporary_bytes=max(peak - named, 0),
            update_bytes=update,
            peak_bytes=peak,
            trained_tensors=_trained_tensors(trace.layers) if purpose == TRAINING else 0,
            forward_macs=everything.forward_macs,
            backward_macs=everything.backward_macs,
        ),
        layers=tuple(
            LayerMemory(layer.path, layer.type, layer.level, own[layer.path], total[layer.path])
            for layer in trace.layers
        ),
        timeline=timeline,
        backward_from=len(trace.calls),
        notes=trace.how.notes,
    )


def peak_with(memory: Memory, optimizer: str) -> int:
    """The peak, had the training step another optimiser; that of inference has none."""
    totals = memory.totals
    if memory.purpose == INFERENCE:
        return totals.peak_bytes
    now, then = find_optimizer(memory.optimizer), find_optimizer(optimizer)
    state = state_bytes(then, totals.gradient_bytes, totals.trained_tensors)
    more = state - totals.optimizer_bytes
    made = (then.temporaries - now.temporaries) * totals.gradient_bytes
    passes = max(memory.timeline[:-1], default=0)
    return max(passes + more, totals.update_bytes + more + made)


def with_backward(summary: Summary, memory: Memory) -> Summary:
    """The summary with each layer's MACs of the backward pass, as a training step has them."""
    by_path = {layer.path: layer for layer in memory.layers}
    layers = tuple(
        replace(
            row,
            backward=BackwardMacs(
                by_path[row.path].own.backward_macs, by_path[row.path].total.backward_macs
            ),
        )
        for row in summary.layers
    )
    return replace(summary, layers=layers)


def _own_needs(step: TrainingTrace, optimizer: str, purpose: str) -> dict[str, Needs]:
    forward = _macs_by_layer(step.forward.calls)
    backward = _macs_by_layer(step.backward)
    saved: dict[str, int] = {}
    for storage in step.saved:
        saved[storage.layer] = saved.get(storage.layer, 0) + storage.nbytes
    return {
        layer.path: _held(layer, optimizer, is_trained=purpose == TRAINING)
        + Needs(
            saved_bytes=saved.get(layer.path, 0),
            forward_macs=forward.get(layer.path, 0),
            backward_macs=backward.get(layer.path, 0),
        )
        for layer in step.forward.layers
    }


def _held(layer: Layer, optimizer: str, *, is_trained: bool) -> Needs:
    """What a layer's own parameters and buffers need."""
    rule = find_optimizer(optimizer)
    parameters = [p for p in layer.parameters if p.shared_with is None]
    trained = [p.spec for p in parameters if p.trainable] if is_trained else []
    return Needs(
        parameter_bytes=sum(p.spec.nbytes for p in parameters),
        buffer_bytes=sum(b.spec.nbytes for b in layer.buffers if b.shared_with is None),
        gradient_bytes=sum(spec.nbytes for spec in trained),
        optimizer_bytes=state_bytes(rule, sum(spec.nbytes for spec in trained), len(trained)),
    )


def _trained_tensors(layers: Iterable[Layer]) -> int:
    parameters = [p for layer in layers for p in layer.parameters if p.shared_with is None]
    return sum(p.trainable for p in parameters)


def _macs_by_layer(calls: Iterable[Call]) -> dict[str, int]:
    known: dict[int, int] = {}
    by_layer: dict[str, int] = {}
    for call in calls:
        key = id(call.operation)
        if key not in known:
            known[key] = cost_of(call.operation).cost.macs
        by_layer[call.layer] = by_layer.get(call.layer, 0) + known[key]
    return by_layer


def _dtype_of(layers: Iterable[Layer]) -> str:
    return next((p.spec.dtype for layer in layers for p in layer.parameters), "float32")
