"""How fvcore's FlopCountAnalysis counts (version 0.1.5).

It walks through the graph of PyTorch's tracer, so it goes by operators and sees functional calls as
well as modules.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.costs.conventions.convention import (
    BATCH_NORMS,
    CONVOLUTIONS,
    GROUP_NORMS,
    LAYER_NORMS,
    PRODUCTS,
    Convention,
    by_layer,
    has_weight,
    is_adaptive_average,
    macs,
    read,
    written,
)
from cnninspect.records.operations import Operation
from cnninspect.records.traces import Layer

PER_OUTPUT = {
    "aten.upsample_nearest2d": 1,
    "aten.upsample_bilinear2d": 4,
    "aten.grid_sampler_2d": 4,
    "aten.grid_sampler_3d": 4,
}
"""Operations per element written."""


def _fvcore(layer: Layer, operations: Sequence[Operation]) -> int:
    return sum(_operator(operation, layer) for operation in operations)


def _operator(operation: Operation, layer: Layer) -> int:
    name = operation.name
    if name in CONVOLUTIONS | PRODUCTS:
        return macs(operation)
    if name in BATCH_NORMS:
        # In evaluation a batch norm is a scale and a shift, or one of them left without weights.
        if _uses_running_statistics(operation) and not layer.type.startswith("InstanceNorm"):
            return read(operation) * (2 if has_weight(operation) else 1)
        return read(operation) * (5 if has_weight(operation) else 4)
    if name in LAYER_NORMS | GROUP_NORMS:
        return read(operation) * (5 if has_weight(operation) else 4)
    if is_adaptive_average(operation) and not _is_of_lines_or_volumes(operation, layer):
        return read(operation)
    return PER_OUTPUT.get(name, 0) * written(operation)


def _is_of_lines_or_volumes(operation: Operation, layer: Layer) -> bool:
    # It knows adaptive pooling of pictures only; that of lines is the same operator here.
    return layer.type == "AdaptiveAvgPool1d" or len(operation.inputs[0].shape) == 5


def _uses_running_statistics(operation: Operation) -> bool:
    return "no_training" in operation.name or not operation.argument("training")


FVCORE = Convention(
    name="fvcore",
    unit="FLOPs (= MACs)",
    source="https://github.com/facebookresearch/fvcore, fvcore/nn/flop_count.py",
    counts="multiply-accumulates of convolutions and matrix products; normalisation at 1, 2, 4 or "
    "5 for each element; adaptive average pooling, and interpolation of pictures",
    caution="the products within fused attention, and recurrent layers, count nothing; other "
    "pooling and activations count nothing either",
    count_layers=by_layer(_fvcore),
)
