"""Which layer owns which stored tensors, and which of them are parameters.

ONNX does not tell parameters from other constants.  torch's exporter lists them; elsewhere floating
numbers are parameters, as are quantised weights, unless they are statistics of batch norm or a
single setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from onnx import GraphProto

from cnninspect.engine.onnx_read.dtypes import FLOATS
from cnninspect.engine.onnx_read.graph_walk import Weight
from cnninspect.engine.onnx_read.node_layers import owner_of
from cnninspect.records.layers import Buffer, Parameter

SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
LISTED = re.compile(r": (PARAMETER|BUFFER|CONSTANT_TENSOR) target='([^'\n]*)'")
"""How torch's exporter lists what a program was made of."""

STATISTICS = frozenset((("BatchNormalization", 3), ("BatchNormalization", 4)))
"""Inputs, by operator and position, that are means and variances."""
WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "ConvInteger": (1,), "QLinearConv": (3, 8),
    "DeformConv": (1, 3), "Gemm": (0, 1, 2), "MatMul": (0, 1), "MatMulInteger": (1,),
    "QLinearMatMul": (3,), "Einsum": tuple(range(8)), "LSTM": (1, 2, 3, 7), "GRU": (1, 2, 3),
    "RNN": (1, 2, 3), "BatchNormalization": (1, 2), "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2), "GroupNormalization": (1, 2), "RMSNormalization": (1,),
    "PRelu": (1,), "Gather": (0,), "Add": (0, 1), "DequantizeLinear": (0,),
    "FusedConv": (1, 2), "FusedGemm": (1, 2), "FusedMatMul": (0, 1), "MatMulNBits": (1,),
    "MatMulBnb4": (1,), "QGemm": (3, 6), "DynamicQuantizeMatMul": (1, 4),
    "MatMulIntegerToFloat": (1,), "Attention": (1, 2), "QAttention": (1, 2),
}  # fmt: skip
"""Positions of weights among the inputs of an operator."""
MOVING = frozenset(
    ("Cast", "Concat", "Expand", "Flatten", "Identity", "Pad", "Reshape", "Slice", "Split",
     "Squeeze", "Transpose", "Unsqueeze")
)  # fmt: skip
"""What only moves weights about on their way to such an operator."""


@dataclass(slots=True)
class Holdings:
    """What a layer owns."""

    parameters: list[Parameter] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)


def holdings_of(
    weights: Iterable[Weight], paths: Mapping[str, int], graph: GraphProto
) -> dict[str, Holdings]:
    """What each layer owns; `paths` are all layers.  Settings and shapes belong to nobody."""
    listed = listed_in(graph)
    held = {path: Holdings() for path in paths}
    for weight in weights:
        if not weight.uses:
            continue
        kind = kind_of(weight, listed, paths)
        named = owner_of((weight.name,))
        first = next(layer for _, _, layer in weight.uses)
        owner, local = first, weight.name
        if named is not None and named in paths:
            owner, local = named, weight.name.rpartition(".")[2]
        if kind == "parameter":
            trainable = weight.spec.dtype in FLOATS
            held[owner].parameters.append(Parameter(local, weight.spec, trainable))
            for layer in dict.fromkeys(layer for _, _, layer in weight.uses):
                if not f"{layer}.".startswith(f"{owner}.") and owner:
                    shared = Parameter(local, weight.spec, trainable, shared_with=weight.name)
                    held[layer].parameters.append(shared)
        elif kind == "buffer":
            held[owner].buffers.append(Buffer(local, weight.spec))
    return held


def listed_in(graph: GraphProto) -> dict[str, str]:
    """What torch's exporter says of each tensor by name: PARAMETER, BUFFER or CONSTANT_TENSOR."""
    for entry in graph.metadata_props:
        if entry.key == SIGNATURE:
            return {name: kind for kind, name in LISTED.findall(entry.value)}
    return {}


def kind_of(weight: Weight, listed: Mapping[str, str], paths: Mapping[str, int]) -> str:
    """`parameter`, `buffer`, or `""` for a setting or a shape."""
    if weight.name in listed:
        return "parameter" if listed[weight.name] == "PARAMETER" else "buffer"
    positions = [(op, position) for op, position, _ in weight.uses]
    if any(use in STATISTICS for use in positions):
        return "buffer"
    is_float = weight.spec.dtype in FLOATS
    is_placed = any(position in WEIGHTS.get(op, ()) for op, position in positions)
    if weight.spec.numel <= 1:
        is_named = owner_of((weight.name,)) in paths
        return "parameter" if is_float and is_named and is_placed else ""
    if not is_float:
        is_quantised = is_placed and any(op not in ("Gather", "Add") for op, _ in positions)
        return "parameter" if is_quantised else ""
    if not listed:
        return "parameter"
    is_moved = any(op in MOVING for op, _ in positions)
    return "parameter" if is_placed or is_moved else "buffer"
