"""The answer of `cnninspect explain`: where one layer's numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.errors import UnknownLayer
from cnninspect.metrics.summarizing import costed_calls
from cnninspect.metrics.summary import LayerSummary, Summary, Uncounted
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import Costed, CostState, Operation, TensorSpec
from cnninspect.records.reports import Report
from cnninspect.records.traces import Buffer, Parameter, Trace


@dataclass(frozen=True, slots=True)
class ExplainedOperation:
    """A kind of work that ran in the layer or under it, with its cost."""

    op: str
    """Namespace and operator: `aten.convolution`."""
    layer: str
    """Path of the layer that it ran in."""
    calls: int
    """How often."""
    state: CostState
    """Counted, free or unknown."""
    macs: int
    """Over all calls; 0 unless counted."""
    reason: str = ""
    """The law that counted it, in words or symbols, or why it is free."""
    formula: str = ""
    """The law with the numbers put into it: `1 · 56 · 56 · 64 · 64 · 3 · 3 = 115,605,504`."""


@dataclass(frozen=True, slots=True)
class ExplainedTensor:
    """A parameter or a buffer of the layer itself."""

    name: str
    """Name within the layer: `weight`."""
    shape: tuple[int, ...]
    dtype: str
    numel: int
    """Number of elements."""
    trainable: bool
    """Whether it receives gradients; never for a buffer."""
    shared_with: str | None = None
    """Full name under which the same tensor was met first, if it was; it is counted there."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A tensor of a worked example."""

    name: str
    """`x`, `w`, `y`, or a gradient such as `∂L/∂x`."""
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Backward:
    """How a gradient goes back through one kind of operation."""

    op: str
    """Namespace and operator: `aten.convolution`."""
    layer: str
    """Path of the layer that it ran in; of several, the last."""
    calls: int
    """How many operations have this rule."""
    rule: str
    """What it is: `max pooling, window 2×2, stride 2`."""
    formulas: tuple[str, ...]
    gradient_in: TensorSpec
    """The gradient at its output, which comes in from above."""
    gradient_out: TensorSpec
    """The gradient at its input, which goes on."""
    input_macs: int
    """MACs of the gradient at the input, over all calls; the first layer of a network needs
    none of them."""
    weight_macs: int
    """MACs of the gradient of the weights, over all calls."""
    example: tuple[Matrix, ...]
    """Small tensors, forward and back, of one channel and one example."""
    about_example: str = ""
    """What the example is made with."""


@dataclass(frozen=True, slots=True)
class Explanation(Report):
    """One layer's numbers, with what each comes from."""

    schema: ClassVar[str] = "cnninspect.explain/1"
    rendering: ClassVar[str] = "cnninspect.commands.explain.rendering"

    model: ModelInfo
    layer: LayerSummary
    """The layer, as it stands in the summary."""
    inputs: tuple[TensorSpec, ...]
    """The tensors given to its first call."""
    outputs: tuple[TensorSpec, ...]
    """The tensors that its first call returned."""
    operations: tuple[ExplainedOperation, ...]
    """What ran in it and under it, in the order of the first call."""
    parameters: tuple[ExplainedTensor, ...]
    """What it owns itself, not what its children own."""
    buffers: tuple[ExplainedTensor, ...]
    """What it owns itself, not what its children own."""
    model_parameters: int
    """Parameters of the whole model."""
    model_macs: int
    """MACs of the whole model."""
    uncounted: tuple[Uncounted, ...] = ()
    """Operations of the whole model without a formula: where there are some, its MACs are a lower
    bound."""
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was traced."""
    backward: tuple[Backward, ...] = ()
    """How gradients go back through it, last operation first, where that was asked for."""
    without_rule: tuple[str, ...] = ()
    """Operators whose way back is not explained."""


def explain_layer(trace: Trace, summary: Summary, path: str) -> Explanation:
    """What ran in the layer at `path` and under it, with each formula and its numbers.

    `summary` is that of the same trace.

    Raises:
        UnknownLayer: the model has no layer of that path.
    """
    layer = next((layer for layer in trace.layers if layer.path == path), None)
    row = next((row for row in summary.layers if row.path == path), None)
    if layer is None or row is None:
        known = [layer.path for layer in trace.layers if layer.path]
        raise UnknownLayer(trace.model.reference, path, known)
    return Explanation(
        model=trace.model,
        layer=row,
        inputs=layer.inputs,
        outputs=layer.outputs,
        operations=_operations_under(trace, path),
        parameters=tuple(_tensor(parameter) for parameter in layer.parameters),
        buffers=tuple(_tensor(buffer) for buffer in layer.buffers),
        model_parameters=summary.totals.parameters,
        model_macs=summary.totals.macs,
        uncounted=summary.uncounted,
        notes=summary.engine.notes,
    )


def _operations_under(trace: Trace, path: str) -> tuple[ExplainedOperation, ...]:
    """Each kind of work in each layer once, with how often it ran."""
    prefix = f"{path}." if path else ""
    found: dict[tuple[str, int], tuple[Operation, Costed, int]] = {}
    for call, costed in costed_calls(trace):
        if call.layer == path or call.layer.startswith(prefix):
            key = call.layer, id(call.operation)
            _, _, times = found.get(key, (None, None, 0))
            found[key] = call.operation, costed, times + 1
    return tuple(
        ExplainedOperation(
            op=operation.name,
            layer=layer,
            calls=times,
            state=costed.state,
            macs=costed.cost.macs * times,
            reason="" if costed.state is CostState.COUNTED else costed.reason,
            formula=_formula(costed) if costed.state is CostState.COUNTED else "",
        )
        for (layer, _), (operation, costed, times) in found.items()
    )


def _formula(costed: Costed) -> str:
    return f"{costed.reason} = {costed.cost.macs:,}" if costed.reason else f"{costed.cost.macs:,}"


def _tensor(tensor: Parameter | Buffer) -> ExplainedTensor:
    return ExplainedTensor(
        name=tensor.name,
        shape=tensor.spec.shape,
        dtype=tensor.spec.dtype,
        numel=tensor.spec.numel,
        trainable=isinstance(tensor, Parameter) and tensor.trainable,
        shared_with=tensor.shared_with,
    )
