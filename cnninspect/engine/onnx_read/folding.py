"""Computes nodes on small known values: shapes, indices and what is worked out from them.

A graph for sizes that vary works out its shapes as it runs.  Once the sizes of the inputs are
chosen, all of that is known, and is computed here by ONNX's own reference implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto

from cnninspect.engine.onnx_read.values import KNOWN_TYPES, Value, is_small, of_array

COMPUTED = frozenset(
    [
        "Abs",
        "Add",
        "And",
        "Cast",
        "CastLike",
        "Ceil",
        "Compress",
        "Concat",
        "ConstantOfShape",
        "CumSum",
        "Div",
        "Equal",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "GatherElements",
        "GatherND",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "Less",
        "LessOrEqual",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pow",
        "Range",
        "Reciprocal",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Reshape",
        "Round",
        "ScatterElements",
        "ScatterND",
        "Sign",
        "Slice",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Sum",
        "Tile",
        "Transpose",
        "Trilu",
        "Unsqueeze",
        "Where",
        "Xor",
    ]
)
"""What works out shapes and indices."""
GROWING = frozenset(("NonZero",))
"""What gives as many elements as its values tell, and no more than a few times what it is given."""


def computed(
    node: NodeProto, inputs: Sequence[Value | None], outputs: Sequence[Value], version: int
) -> list[Value] | None:
    """The outputs of a node with their values; None where they cannot be known or are many.

    `outputs` are those of inference, `version` is that of the operators.
    """
    if node.op_type == "Shape" and inputs[0] is not None:
        return _shape(node, inputs[0], outputs[0])
    if node.op_type == "Size" and inputs[0] is not None and inputs[0].spec is not None:
        return [of_array(np.array(inputs[0].spec.numel), 7)]
    is_open = node.op_type in GROWING
    if node.op_type not in COMPUTED and not is_open:
        return None
    if any(value is not None and value.content is None for value in inputs):
        return None
    if not is_open and not all(map(is_small, outputs)):
        return None
    return _evaluated(node, inputs, outputs, version)


def _shape(node: NodeProto, given: Value, output: Value) -> list[Value] | None:
    if given.dims is None:
        return None
    ends = {a.name: a.i for a in node.attribute}
    dims = given.dims[ends.get("start", 0) : ends.get("end")]
    if None in dims:
        return None
    return [of_array(np.array(dims, dtype=np.int64), output.element or 7)]


def _evaluated(
    node: NodeProto, inputs: Sequence[Value | None], outputs: Sequence[Value], version: int
) -> list[Value] | None:
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - slow, and seldom needed

    given: dict[str, Any] = {
        name: value.content for name, value in zip(node.input, inputs) if value is not None
    }
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(node, opsets={"": version}).run(None, given)
    except Exception:  # whatever the reference stumbles over stays unknown
        return None
    found = []
    for result, output in zip(results, outputs):
        array = np.asarray(result)
        if array.size > len(inputs) * 4096 or output.element not in KNOWN_TYPES:
            return None
        found.append(of_array(array, output.element))
    return found if len(found) == len(outputs) else None
