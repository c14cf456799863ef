"""Where one layer's numbers come from."""

from __future__ import annotations

from cnninspect.commands.explain.report import ExplainedOperation, ExplainedTensor, Explanation
from cnninspect.errors import UnknownLayer
from cnninspect.metrics.costing import costed_calls
from cnninspect.metrics.summary import Summary
from cnninspect.records.costs import Costed, CostState
from cnninspect.records.layers import Buffer, Parameter
from cnninspect.records.operations import Operation
from cnninspect.records.traces import Trace


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
