"""What a step of training or inference needs, by layer and in total: bytes and MACs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.costs import cost_of
from cnninspect.errors import UnknownChoice
from cnninspect.metrics.summarizing import uncounted_in
from cnninspect.metrics.summary import BackwardMacs, Summary, Uncounted
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import BITS, Call, NamedTensor
from cnninspect.records.reports import Report
from cnninspect.records.traces import Layer, TrainingTrace, parent_of


@dataclass(frozen=True, slots=True)
class Needs:
    """What a layer needs, by itself (own) or with everything under it (total)."""

    parameter_bytes: int = 0
    """Parameters, each shared one counted once."""
    buffer_bytes: int = 0
    """Buffers."""
    gradient_bytes: int = 0
    """Gradients of the trainable parameters."""
    optimizer_bytes: int = 0
    """What the optimizer keeps for them between steps."""
    saved_bytes: int = 0
    """What the forward pass keeps for the backward pass, each storage at the layer that saves it
    first, the network's inputs among them."""
    forward_macs: int = 0
    """Multiply-accumulates of the forward pass."""
    backward_macs: int = 0
    """Multiply-accumulates of the backward pass; what is run again under checkpointing too."""

    def __add__(self, other: Needs) -> Needs:
        return Needs(
            self.parameter_bytes + other.parameter_bytes,
            self.buffer_bytes + other.buffer_bytes,
            self.gradient_bytes + other.gradient_bytes,
            self.optimizer_bytes + other.optimizer_bytes,
            self.saved_bytes + other.saved_bytes,
            self.forward_macs + other.forward_macs,
            self.backward_macs + other.backward_macs,
        )


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """One row: a layer and what it needs."""

    path: str
    """Names from the model down, joined by dots; `""` is the model itself."""
    type: str
    """Class name."""
    level: int
    """Number of names in the path."""
    own: Needs
    """This layer's alone."""
    total: Needs
    """With everything under it."""


@dataclass(frozen=True, slots=True)
class MemoryTotals:
    """The whole network, and the step's peak."""

    parameter_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    saved_bytes: int
    """What is kept only for the backward pass, the inputs among it."""
    input_bytes: int
    """The inputs."""
    temporary_bytes: int
    """The most that is allocated at one time beyond what is named above."""
    update_bytes: int
    """What is allocated, everything together, while the optimizer updates the parameters after the
    backward pass; 0 for inference."""
    peak_bytes: int
    """The most that is allocated at one time, everything together."""
    trained_tensors: int
    """Parameters that are trained: tensors, not elements."""
    forward_macs: int
    backward_macs: int


@dataclass(frozen=True, slots=True)
class Memory(Report):
    """What one step of training, or of inference, needs."""

    schema: ClassVar[str] = "cnninspect.memory/1"
    rendering: ClassVar[str] = "cnninspect.commands.memory.rendering"

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    purpose: str
    """`training` or `inference`."""
    optimizer: str
    """Name of the optimizer; empty for inference."""
    dtype: str
    """Of the parameters."""
    amp: str
    """Dtype that autocast computes in; empty without it."""
    totals: MemoryTotals
    layers: tuple[LayerMemory, ...]
    """The model itself first, then every layer, parents before children."""
    timeline: tuple[int, ...]
    """Bytes allocated after each operation of the step: parameters, buffers, optimizer state,
    inputs, activations, temporaries and gradients; in training, the optimizer's update last."""
    backward_from: int
    """The first entry of the timeline that belongs to the backward pass."""
    peak_layer: str | None = None
    """Path of the layer whose operation has the peak; None: the optimizer's update has it."""
    notes: tuple[str, ...] = ()
    """What a reader should know."""
    uncounted: tuple[Uncounted, ...] = ()
    """Operations of both passes that nothing is known of, which the MACs lack."""


INFERENCE = "inference"
TRAINING = "training"


def memory_of(
    step: TrainingTrace, *, optimizer: str = "sgd", purpose: str = TRAINING, amp: str = ""
) -> Memory:
    """What a step needs, by layer and in total.

    Raises:
        UnknownChoice: there is no optimizer of that name.
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
    calls = (*trace.calls, *step.backward)
    place = timeline.index(peak) if timeline else 0
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
            trained_tensors=len(step.reached) if purpose == TRAINING else 0,
            forward_macs=everything.forward_macs,
            backward_macs=everything.backward_macs,
        ),
        layers=tuple(
            LayerMemory(layer.path, layer.type, layer.level, own[layer.path], total[layer.path])
            for layer in trace.layers
        ),
        timeline=timeline,
        backward_from=len(trace.calls),
        peak_layer=calls[place].layer if place < len(calls) else None,
        notes=(*trace.how.notes, *_unreached(step, purpose)),
        uncounted=uncounted_in([(call, cost_of(call.operation)) for call in calls]),
    )


def peak_with(memory: Memory, optimizer: str) -> int:
    """The peak, had the training step another optimizer; that of inference has none."""
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
    """The summary with each layer's MACs of the backward pass, as a training step has them.

    What nobody knows how to count is then that of both passes.
    """
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
    return replace(summary, layers=layers, uncounted=memory.uncounted)


def _own_needs(step: TrainingTrace, optimizer: str, purpose: str) -> dict[str, Needs]:
    forward = _macs_by_layer(step.forward.calls)
    backward = _macs_by_layer(step.backward)
    saved: dict[str, int] = {}
    for storage in step.saved:
        saved[storage.layer] = saved.get(storage.layer, 0) + storage.nbytes
    return {
        layer.path: _held(layer, optimizer, step.reached if purpose == TRAINING else frozenset())
        + Needs(
            saved_bytes=saved.get(layer.path, 0),
            forward_macs=forward.get(layer.path, 0),
            backward_macs=backward.get(layer.path, 0),
        )
        for layer in step.forward.layers
    }


def _unreached(step: TrainingTrace, purpose: str) -> tuple[str, ...]:
    """A note on trainable parameters that the backward pass does not reach."""
    if purpose != TRAINING:
        return ()
    missed = [
        p.spec.nbytes
        for layer in step.forward.layers
        for p in layer.parameters
        if p.trainable
        and p.shared_with is None
        and (f"{layer.path}.{p.name}" if layer.path else p.name) not in step.reached
    ]
    if not missed:
        return ()
    return (
        f"no gradient reaches {len(missed)} trainable parameters of {sum(missed):,} bytes, which "
        "so need no optimizer state",
    )


def _held(layer: Layer, optimizer: str, reached: Collection[str]) -> Needs:
    """What a layer's own parameters and buffers need.

    Only the parameters that the backward pass has `reached` have a gradient, and with it a state in
    the optimizer.
    """
    rule = find_optimizer(optimizer)
    parameters = [p for p in layer.parameters if p.shared_with is None]
    prefix = f"{layer.path}." if layer.path else ""
    trained = [p.spec for p in parameters if prefix + p.name in reached]
    return Needs(
        parameter_bytes=sum(p.nbytes for p in parameters),
        buffer_bytes=sum(b.nbytes for b in layer.buffers if b.shared_with is None),
        gradient_bytes=sum(spec.nbytes for spec in trained),
        optimizer_bytes=state_bytes(rule, sum(spec.nbytes for spec in trained), len(trained)),
    )


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


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer of `torch.optim`, by the state that it keeps."""

    tensors: int
    """Tensors of the parameter's shape and dtype."""
    has_step: bool = False
    """Whether it also counts steps, in one float32 for each parameter tensor."""
    temporaries: int = 0
    """Tensors of the shape and dtype of every parameter that its step makes and drops; those of
    all parameters live together, since on GPUs PyTorch updates them together (`foreach`)."""
    source: str = ""
    """The state's names in PyTorch."""


OPTIMIZERS = {
    "sgd": Optimizer(0, source="torch.optim.SGD without momentum"),
    "momentum": Optimizer(1, source="torch.optim.SGD, momentum_buffer"),
    "adagrad": Optimizer(
        1, has_step=True, temporaries=2, source="torch.optim.Adagrad, sum and step"
    ),
    "rmsprop": Optimizer(
        1, has_step=True, temporaries=1, source="torch.optim.RMSprop, square_avg and step"
    ),
    "adam": Optimizer(
        2, has_step=True, temporaries=1, source="torch.optim.Adam, exp_avg, exp_avg_sq and step"
    ),
    "adamw": Optimizer(2, has_step=True, temporaries=1, source="torch.optim.AdamW, as Adam"),
}
"""By the name that one types."""

STEP_BYTES = BITS["float32"] // 8


def find_optimizer(name: str) -> Optimizer:
    """The optimizer of that name.

    Raises:
        UnknownChoice: there is none.
    """
    if name not in OPTIMIZERS:
        raise UnknownChoice("--optimizer", name, OPTIMIZERS)
    return OPTIMIZERS[name]


def state_bytes(optimizer: Optimizer, parameter_bytes: int, tensors: int = 1) -> int:
    """Bytes that an optimizer keeps for so many trainable parameters of so many bytes."""
    return optimizer.tensors * parameter_bytes + STEP_BYTES * tensors * optimizer.has_step
