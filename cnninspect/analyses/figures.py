"""From a trace to the figures of a whole network, which are what models are compared by."""

from __future__ import annotations

from collections.abc import Iterable

from cnninspect.analyses.depth import depth_of
from cnninspect.analyses.gradient_paths import gradient_paths
from cnninspect.analyses.stages import stages_of
from cnninspect.analyses.summarizing import summarize_trace
from cnninspect.analyses.weighted_layers import weighted_layers
from cnninspect.records.comparison import DTYPES, Accuracy, BytesAs, Figures
from cnninspect.records.gradient_passes import WeightedLayer
from cnninspect.records.layers import Layer
from cnninspect.records.summary import Summary
from cnninspect.records.tensors import BITS, TensorSpec
from cnninspect.records.traces import Trace


def figures_of(trace: Trace, convention: str = "macs", accuracy: Accuracy | None = None) -> Figures:
    """What a network has and does as a whole.

    Raises:
        UnknownChoice: there is no convention of that name.
    """
    summary = summarize_trace(trace, convention)
    weighted = weighted_layers(trace)
    return Figures(
        model=summary.model,
        inputs=summary.inputs,
        outputs=summary.outputs,
        engine=summary.engine,
        mode=summary.mode,
        totals=summary.totals,
        convention=summary.convention,
        coverage=summary.coverage,
        uncounted=summary.uncounted,
        published=summary.published,
        depth=depth_of(trace, (layer.path for layer in weighted)),
        weighted_layers=len(weighted),
        receptive_field=_last_field(summary, weighted),
        gradient_paths=gradient_paths(trace, weighted).count,
        bytes_as=tuple(BytesAs(dtype, bytes_as(trace, dtype)) for dtype in DTYPES),
        stages=stages_of(trace, {layer.path: layer.own for layer in summary.layers}),
        accuracy=accuracy,
    )


def bytes_as(trace: Trace, dtype: str) -> int:
    """What the parameters take if those of floating point are stored in another dtype."""
    return bytes_of(trace.layers, dtype)


def bytes_of(layers: Iterable[Layer], dtype: str) -> int:
    """What the layers' own parameters take if they are stored in another dtype."""
    return sum(
        _stored(parameter.spec, dtype).nbytes
        for layer in layers
        for parameter in layer.parameters
        if parameter.shared_with is None
    )


def _stored(spec: TensorSpec, dtype: str) -> TensorSpec:
    is_floating = "float" in spec.dtype and BITS[spec.dtype] > 4
    return TensorSpec(spec.shape, dtype) if is_floating else spec


def _last_field(summary: Summary, weighted: tuple[WeightedLayer, ...]) -> tuple[int, ...] | None:
    """The receptive field of the output, or else of the last weighted layer."""
    fields = {layer.path: layer.receptive_field for layer in summary.layers}
    last = fields.get(weighted[-1].path) if weighted else None
    return fields.get("") or last
