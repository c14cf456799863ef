"""From a trace to its summary: each distinct operation costed once and added up by layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from cnninspect.costs import cost_of
from cnninspect.costs.conventions import find
from cnninspect.costs.conventions.convention import MACS
from cnninspect.metrics.active_parameters import active_parameters
from cnninspect.metrics.published import published_for
from cnninspect.metrics.summary import (
    ConventionTotal,
    Counts,
    Coverage,
    EngineInfo,
    LayerSummary,
    MatrixForm,
    Shared,
    StoredAs,
    Summary,
    Totals,
    Uncounted,
)
from cnninspect.records.operations import BITS, Call, Costed, CostState, Operation, TensorSpec
from cnninspect.records.traces import Layer, Trace, parent_of


def costed_calls(trace: Trace) -> Iterator[tuple[Call, Costed]]:
    """Each call with its cost, in order."""
    known: dict[int, Costed] = {}
    for call in trace.calls:
        key = id(call.operation)
        if key not in known:
            known[key] = cost_of(call.operation)
        yield call, known[key]


def coverage_of(costed: Iterable[tuple[Call, Costed]]) -> Coverage:
    """How many calls are counted, free and unknown."""
    calls = dict.fromkeys(CostState, 0)
    for _, cost in costed:
        calls[cost.state] += 1
    return Coverage(
        calls=sum(calls.values()),
        counted=calls[CostState.COUNTED],
        free=calls[CostState.FREE],
        unknown=calls[CostState.UNKNOWN],
    )


def uncounted_in(costed: Iterable[tuple[Call, Costed]]) -> tuple[Uncounted, ...]:
    """The operations that nothing is known of, with where they ran."""
    found: dict[tuple[str, bool], list[str]] = {}
    reasons: dict[tuple[str, bool], str] = {}
    for call, cost in costed:
        if cost.state is CostState.UNKNOWN:
            key = call.operation.name, cost.lacks_shape
            found.setdefault(key, []).append(call.layer)
            reasons.setdefault(key, cost.reason)
    return tuple(
        Uncounted(key[0], len(layers), tuple(dict.fromkeys(layers)), key[1], reasons[key])
        for key, layers in found.items()
    )


def summarize_trace(trace: Trace, convention: str) -> Summary:
    """Every layer's own and total costs, and those of the whole network.

    Receptive fields are left out, which take as long: see `receptive_field.with_receptive_fields`.

    Raises:
        UnknownChoice: there is no convention of that name.
    """
    rules = find(convention)
    costed = tuple(costed_calls(trace))
    calls_of: dict[str, list[tuple[Call, Costed]]] = {layer.path: [] for layer in trace.layers}
    for call, cost in costed:
        calls_of[call.layer].append((call, cost))
    by_convention = {} if rules is MACS else rules.count(trace)
    own = {
        layer.path: _own(layer, calls_of[layer.path], by_convention.get(layer.path))
        for layer in trace.layers
    }
    total = totals_of(own)
    layers = tuple(
        _row(layer, calls_of[layer.path], own[layer.path], total[layer.path])
        for layer in trace.layers
    )
    return Summary(
        model=trace.model,
        inputs=trace.inputs,
        outputs=trace.outputs,
        engine=EngineInfo.of(trace),
        mode=trace.mode,
        totals=_totals(trace, total[""]),
        convention=ConventionTotal(rules.name, total[""].convention, rules.source, rules.unit),
        coverage=coverage_of(costed),
        layers=layers,
        uncounted=uncounted_in(costed),
        published=published_for(trace, total[""]),
        stored=stored_in(trace),
        shared=tuple(
            Shared(f"{layer.path}.{p.name}" if layer.path else p.name, p.shared_with)
            for layer in trace.layers
            for p in layer.parameters
            if p.shared_with is not None
        ),
    )


def totals_of(own: dict[str, Counts]) -> dict[str, Counts]:
    """By path, the counts of a layer with those of everything under it.

    `own` has parents before their children.
    """
    total = dict(own)
    for path in reversed(own):
        if path:
            parent = parent_of(path)
            total[parent] = total[parent] + total[path]
    return total


def _own(layer: Layer, calls: list[tuple[Call, Costed]], by_convention: int | None) -> Counts:
    held = [parameter for parameter in layer.parameters if parameter.shared_with is None]
    macs = sum(cost.cost.macs for _, cost in calls)
    written = [(call, cost) for call, cost in calls if cost.cost.activations]
    return Counts(
        parameters=sum(p.spec.numel for p in held),
        trainable_parameters=sum(p.spec.numel for p in held if p.trainable),
        parameter_bytes=sum(p.nbytes for p in held),
        macs=macs,
        activations=sum(cost.cost.activations for _, cost in written),
        activation_bytes=sum(
            cost.cost.activations * call.operation.output.nbytes // call.operation.output.numel
            for call, cost in written
        ),
        convention=macs if by_convention is None else by_convention,
    )


def _row(
    layer: Layer, calls: list[tuple[Call, Costed]], own: Counts, total: Counts
) -> LayerSummary:
    windowed = next((c.operation for c, _ in calls if kernel_of(c.operation) is not None), None)
    return LayerSummary(
        path=layer.path,
        type=layer.type,
        level=layer.level,
        calls=layer.calls,
        input_shapes=tuple(spec.shape for spec in layer.inputs),
        output_shapes=tuple(spec.shape for spec in layer.outputs),
        own=own,
        total=total,
        parameters=layer.parameters,
        kernel=kernel_of(windowed) if windowed else None,
        stride=stride_of(windowed) if windowed else None,
        matrix=matrix_form(windowed) if windowed else None,
    )


def _totals(trace: Trace, counts: Counts) -> Totals:
    buffers = [b for layer in trace.layers for b in layer.buffers if b.shared_with is None]
    return Totals(
        parameters=counts.parameters,
        trainable_parameters=counts.trainable_parameters,
        buffers=sum(buffer.spec.numel for buffer in buffers),
        parameter_bytes=counts.parameter_bytes,
        macs=counts.macs,
        flops=2 * counts.macs,
        activations=counts.activations,
        activation_bytes=counts.activation_bytes,
        layers=len(trace.layers) - 1,
        active_parameters=active_parameters(trace),
    )


def stored_in(trace: Trace) -> tuple[StoredAs, ...]:
    """How many parameters there are of each type, and the bytes that they take."""
    found: dict[str, tuple[int, int]] = {}
    for layer in trace.layers:
        for parameter in layer.parameters:
            if parameter.shared_with is None:
                elements, size = found.get(parameter.spec.dtype, (0, 0))
                found[parameter.spec.dtype] = (
                    elements + parameter.spec.numel,
                    size + parameter.nbytes,
                )
    kinds = (StoredAs(dtype, elements, size) for dtype, (elements, size) in found.items())
    return tuple(sorted(kinds, key=lambda kind: (-kind.parameter_bytes, kind.dtype)))


# --- windows ---

CONVOLUTIONS = ("aten.convolution", "aten._convolution", "onnx.Conv", "onnx.ConvTranspose")
POOLINGS = ("onnx.AveragePool", "onnx.LpPool", "onnx.MaxPool")
"""Those of ONNX; those of aten have it in their names."""


def kernel_of(operation: Operation) -> tuple[int, ...] | None:
    """The window of a convolution or a pooling, by dimension; None for other operations."""
    if operation.name in CONVOLUTIONS:
        tensors = _input_and_weight(operation)
        return tensors[1].shape[2:] if tensors else None
    if "_pool" in operation.name:
        return _sizes(operation, "kernel_size")
    if operation.name in POOLINGS:
        return _sizes(operation, "kernel_shape")
    return None


def stride_of(operation: Operation) -> tuple[int, ...] | None:
    """The step of that window."""
    kernel = kernel_of(operation)
    if kernel is None:
        return None
    is_onnx = operation.name.startswith("onnx.")
    # Where none is given, aten moves a pooling by its window and ONNX by one.
    ones = operation.name in CONVOLUTIONS or is_onnx
    default = (1,) * len(kernel) if ones else kernel
    return _sizes(operation, "strides" if is_onnx else "stride") or default


def matrix_form(operation: Operation) -> MatrixForm | None:
    """The matrix product of a convolution whose input is unfolded (im2col); None for others.

    Source: Chellapilla, Puri, Simard 2006, High Performance Convolutional Neural Networks for
    Document Processing.
    """
    if operation.name not in CONVOLUTIONS or _is_transposed(operation):
        return None
    tensors = _input_and_weight(operation)
    if tensors is None or len(tensors[0].shape) != len(tensors[1].shape):
        return None
    x, weight = tensors
    groups = x.shape[1] // weight.shape[1] if weight.shape[1] else 1
    inner = math.prod(weight.shape[1:])
    columns = math.prod(operation.output.shape[2:])
    unfolded = x.shape[0] * groups * inner * columns
    return MatrixForm(
        rows=weight.shape[0] // max(groups, 1),
        inner=inner,
        columns=columns,
        groups=groups,
        batch=x.shape[0],
        unfolded_bytes=unfolded * BITS[x.dtype] // 8,
    )


def _input_and_weight(operation: Operation) -> tuple[TensorSpec, TensorSpec] | None:
    """The two, of a convolution; None where a shape is not known, as in some files."""
    names = ("X", "W") if operation.name.startswith("onnx.") else ("", "weight")
    found = [operation.argument(name) if name else operation.inputs[0] for name in names]
    x, weight = found
    if not isinstance(x, TensorSpec) or not isinstance(weight, TensorSpec):
        return None
    return (x, weight) if operation.outputs else None


def _is_transposed(operation: Operation) -> bool:
    return operation.name == "onnx.ConvTranspose" or operation.argument("transposed") is True


def _sizes(operation: Operation, name: str) -> tuple[int, ...] | None:
    value = operation.argument(name)
    if isinstance(value, int):
        return (value,)
    if not isinstance(value, tuple) or not value:
        return None
    return tuple(size for size in value if isinstance(size, int))
