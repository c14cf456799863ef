"""Computes nodes on small known values: shapes, indices and what is worked out from them.

A graph for sizes that vary works out its shapes as it runs.  Once the sizes of the inputs are
chosen, all of that is known, and is computed here, in every form that an operator ever had.
Source: onnx, docs/Operators.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnninspect.engine.onnx_read.operator_shapes.known_node import KnownNode, axis_in
from cnninspect.engine.onnx_read.values import KNOWN_TYPES, NUMPY_TYPES, Value, is_small, of_array

Array = np.ndarray[Any, Any]
Compute = Callable[[KnownNode, list[Array]], Sequence[Array]]


def computed(node: KnownNode, outputs: Sequence[Value]) -> list[Value] | None:
    """The outputs of a node with their elements; None where they are not known, or are many.

    `outputs` are those of the shape rules, which bound what is computed.
    """
    if node.op == "Shape":
        return _shape(node, outputs)
    if node.op == "Size":
        spec = node.value(0).spec
        return None if spec is None else [of_array(np.array(spec.numel), 7)]
    compute = COMPUTED.get(node.op)
    if compute is None or any(v is not None and v.content is None for v in node.inputs):
        return None
    is_open = node.op in OPEN and len(outputs) == 1
    if not outputs or not (is_open or all(map(is_small, outputs))):
        return None
    arrays = [
        value.content for value in node.inputs if value is not None and value.content is not None
    ]
    with np.errstate(all="ignore"):
        results = compute(node, arrays)
    if len(results) < len(outputs):
        return None
    return [_typed(result, output) for result, output in zip(results, outputs)]


def _typed(result: Array, output: Value) -> Value:
    if output.element not in KNOWN_TYPES:
        return output
    array = np.asarray(result, dtype=NUMPY_TYPES[output.element])
    if output.dims is not None and None not in output.dims and array.shape != output.dims:
        return output  # the rule for its shape says otherwise, so that one of the two is wrong
    return of_array(array, output.element)


def _shape(node: KnownNode, outputs: Sequence[Value]) -> list[Value] | None:
    dims = node.value(0).dims
    if dims is None:
        return None
    kept = dims[node.whole("start", 0) : node.whole("end", len(dims))]
    if None in kept:
        return None
    return [of_array(np.array(kept, dtype=np.int64), outputs[0].element or 7)]


def _between(function: Callable[..., Any]) -> Compute:
    def compute(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
        if len(arrays) == 2 and node.version < 7 and arrays[0].ndim > arrays[1].ndim > 0:
            axis = node.whole("axis", arrays[0].ndim - arrays[1].ndim)
            behind = arrays[0].ndim - axis_in(axis, arrays[0].ndim) - arrays[1].ndim
            arrays = [arrays[0], arrays[1].reshape(*arrays[1].shape, *[1] * max(behind, 0))]
        result = arrays[0]
        for other in arrays[1:]:
            result = function(result, other)
        return (result,)

    return compute


def _each(function: Callable[..., Any]) -> Compute:
    return lambda _, arrays: (function(arrays[0]),)


def _quotient(left: Array, right: Array) -> Array:
    """Whole numbers are divided towards zero; by zero gives 0, where a runtime would fail."""
    if left.dtype.kind == "f":
        return left / right
    safe = np.where(right == 0, 1, right)
    whole = np.abs(left) // np.abs(safe)
    return np.where(right == 0, 0, np.where((left < 0) != (safe < 0), -whole, whole))


def _modulo(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    is_c = node.whole("fmod", 0) or arrays[0].dtype.kind == "f"
    return (np.fmod(*arrays) if is_c else np.mod(*arrays),)


def _power(_: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    base, exponent = arrays
    if base.dtype.kind in "iu" and exponent.dtype.kind in "iu" and (exponent < 0).any():
        return (np.power(base.astype(np.float64), exponent),)
    return (np.power(base, exponent),)


def _unchanged(_: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    return arrays[:1]


def _cast(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    array, to = arrays[0], node.attributes.get("to")
    kind = NUMPY_TYPES.get(to) if isinstance(to, int) else None
    if array.dtype.kind == "f" and kind is not None and np.dtype(kind).kind in "iu":
        array = np.nan_to_num(array)
    return (array,)


def _reshape(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    wanted = list(node.wholes("shape") or arrays[1].reshape(-1))
    if not node.whole("allowzero", 0):
        wanted = [arrays[0].shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return (arrays[0].reshape([int(size) for size in wanted]),)


def _axes(node: KnownNode, arrays: list[Array]) -> tuple[int, ...] | None:
    found = node.wholes("axes")
    if found is None and len(arrays) > 1:
        found = tuple(int(axis) for axis in arrays[1].reshape(-1))
    return found


def _squeeze(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    return (np.squeeze(arrays[0], _axes(node, arrays)),)


def _unsqueeze(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    return (np.expand_dims(arrays[0], _axes(node, arrays) or ()),)


def _slice(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    array = arrays[0]
    starts, ends = node.given_or("starts", 1) or [], node.given_or("ends", 2) or []
    axes = node.given_or("axes", 3) or list(range(len(starts)))
    steps = (node.wholes_in(4) if node.has(4) else None) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps):
        size = array.shape[axis_in(axis, array.ndim)]
        if step < 0:
            first = min(max(start + size if start < 0 else start, 0), size - 1)
            last = min(max(end + size if end < 0 else end, -1), size)
            kept = list(range(first, last, step))
        else:
            kept = list(range(*slice(start, end, step).indices(size)))
        array = np.take(array, kept, axis)
    return (array,)


def _split(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    axis, count = node.whole("axis", 0), len(node.outputs)
    sizes = node.wholes("split")
    if sizes is None and len(arrays) > 1:
        sizes = tuple(int(size) for size in arrays[1].reshape(-1))
    if sizes is None:
        each = -(-arrays[0].shape[axis] // count)
        sizes = (each,) * (count - 1)
    else:
        sizes = sizes[:-1]
    return np.split(arrays[0], np.cumsum(sizes), axis)


def _gather(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    table, indices = arrays
    axis = axis_in(node.whole("axis", 0), table.ndim)
    return (np.take(table, indices, axis, mode="wrap" if table.shape[axis] else "raise"),)


def _gather_elements(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    table, indices = arrays
    axis = axis_in(node.whole("axis", 0), table.ndim)
    return (np.take_along_axis(table, np.mod(indices, table.shape[axis]), axis),)


def _gather_nd(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    data, indices = arrays
    if node.whole("batch_dims", 0):
        return ()
    return (data[tuple(np.moveaxis(indices, -1, 0))],)


def _scatter_nd(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    data, indices, updates = arrays
    if node.text("reduction", "none") != "none":
        return ()
    found = data.copy()
    found[tuple(np.moveaxis(indices, -1, 0))] = updates
    return (found,)


def _scatter_elements(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    data, indices, updates = arrays
    if node.text("reduction", "none") != "none":
        return ()
    found, axis = data.copy(), axis_in(node.whole("axis", 0), data.ndim)
    np.put_along_axis(found, np.mod(indices, data.shape[axis]), updates, axis)
    return (found,)


def _reduced(function: Callable[..., Any]) -> Compute:
    def compute(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
        axes = _axes(node, arrays)
        if not axes and node.whole("noop_with_empty_axes", 0):
            return arrays[:1]
        keeps = bool(node.whole("keepdims", 1))
        return (function(arrays[0], axis=axes or None, keepdims=keeps),)

    return compute


def _cumulated(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    if node.whole("exclusive", 0) or node.whole("reverse", 0):
        return ()
    return (np.cumsum(arrays[0], int(arrays[1].reshape(-1)[0]), dtype=arrays[0].dtype),)


def _constant_of_shape(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    value = node.attributes.get("value number")
    if not isinstance(value, (int, float)):
        return ()
    return (np.full([int(size) for size in arrays[0].reshape(-1)], value),)


def _clip(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    low: Any = node.attributes.get("min")
    high: Any = node.attributes.get("max")
    if node.version >= 11:
        low = node.content(1) if node.has(1) else None
        high = node.content(2) if node.has(2) else None
    array = arrays[0]
    array = array if low is None else np.maximum(array, low)
    return (array if high is None else np.minimum(array, high),)


def _compress(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    axis = node.whole("axis") if "axis" in node.attributes else None
    return (np.compress(arrays[1].reshape(-1), arrays[0], axis),)


def _transpose(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    return (np.transpose(arrays[0], node.wholes("perm")),)


def _flatten(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    array, axis = arrays[0], node.whole("axis", 1)
    at = axis + array.ndim if axis < 0 else axis
    rows = int(np.prod(array.shape[:at], dtype=np.int64))
    return (array.reshape(rows, array.size // rows if rows else 0),)


def _concat(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    return (np.concatenate(arrays, node.whole("axis", 1 if node.version < 4 else None)),)


def _expand(_: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    shape = np.broadcast_shapes(arrays[0].shape, tuple(int(size) for size in arrays[1].reshape(-1)))
    return (np.broadcast_to(arrays[0], shape),)


def _tile(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    return () if node.version < 6 else (np.tile(arrays[0], arrays[1]),)


def _range(_: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    start, limit, delta = (array.reshape(-1)[0] for array in arrays)
    if abs(float(limit) - float(start)) > MOST_COUNTED * abs(float(delta)):
        return ()
    return (np.arange(start, limit, delta, dtype=arrays[0].dtype),)


def _triangle(node: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    k = int(arrays[1].reshape(-1)[0]) if len(arrays) > 1 else 0
    return ((np.triu if node.whole("upper", 1) else np.tril)(arrays[0], k),)


def _non_zero(_: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    return (np.array(np.nonzero(np.atleast_1d(arrays[0])), dtype=np.int64),)


def _where(_: KnownNode, arrays: list[Array]) -> Sequence[Array]:
    return (np.where(*arrays),)


MOST_COUNTED = 2**20
"""Numbers of a range that are written out; of a longer one only the length is known."""
OPEN = frozenset(("NonZero", "Compress", "Range"))
"""What gives as many elements as its values tell, which the inputs bound."""
COMPUTED: dict[str, Compute] = {
    "Abs": _each(np.abs),
    "Add": _between(np.add),
    "And": _between(np.logical_and),
    "Cast": _cast,
    "CastLike": _unchanged,
    "Ceil": _each(np.ceil),
    "Clip": _clip,
    "Compress": _compress,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "CumSum": _cumulated,
    "Div": _between(_quotient),
    "Equal": _between(np.equal),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _each(np.floor),
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Greater": _between(np.greater),
    "GreaterOrEqual": _between(np.greater_equal),
    "Identity": _unchanged,
    "Less": _between(np.less),
    "LessOrEqual": _between(np.less_equal),
    "Max": _between(np.maximum),
    "Min": _between(np.minimum),
    "Mod": _modulo,
    "Mul": _between(np.multiply),
    "Neg": _each(np.negative),
    "NonZero": _non_zero,
    "Not": _each(np.logical_not),
    "Or": _between(np.logical_or),
    "Pow": _power,
    "Range": _range,
    "Reciprocal": _each(lambda array: 1 / array),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "Relu": _each(lambda array: np.maximum(array, 0)),
    "Reshape": _reshape,
    "Round": _each(np.round),
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Sign": _each(np.sign),
    "Slice": _slice,
    "Split": _split,
    "Sqrt": _each(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _between(np.subtract),
    "Sum": _between(np.add),
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
    "Xor": _between(np.logical_xor),
}
"""What works out shapes and indices."""
