"""What a node gives is remembered by everything that it depends on: each part tells two apart."""

import numpy as np
import pytest
from graphs import node

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.inference import Inference
from cnninspect.engine.onnx_read.values import Value, of_array

X, HALF = Value(1, (2, 3, 4)), of_array(np.array(0.5, np.float32), 1)


def whole(*sizes):
    return of_array(np.array(sizes, np.int64), 7)


def told(inference, made, inputs, opset):
    """What a reader learns of a node: its operation and outputs, or what is wrong with it."""
    try:
        outcome = inference.outcome(made, inputs, {"": opset, "com.microsoft": opset})
    except Malformed as problem:
        return str(problem)
    kinds = [(value.element, value.dims) for value in outcome.outputs]
    return outcome.operation, kinds, outcome.is_foreign


FLATTEN, SOFTMAX = node("Flatten", "x", "y", axis=1), node("Softmax", "x", "y")
PAIRS = {
    "operator": ((node("Relu", "x", "y"), [X], 20), (node("ArgMax", "x", "y"), [X], 20)),
    "attribute": ((FLATTEN, [X], 20), (node("Flatten", "x", "y", axis=2), [X], 20)),
    "no attribute": ((FLATTEN, [X], 20), (node("Flatten", "x", "y"), [X], 20)),
    "opset": (
        (node("Unsqueeze", "x", "y", axes=[0]), [X], 11),
        (node("Unsqueeze", "x", "y", axes=[0]), [X], 13),
    ),
    "domain": (
        (node("Gelu", "x", "y", domain="com.microsoft"), [X], 20), (node("Gelu", "x", "y"), [X], 20)
    ),
    "number of outputs": (
        (node("Split", "x", "a b", axis=2), [X], 13),
        (node("Split", "x", "a b c d", axis=2), [X], 13),
    ),
    "input left out": (
        (node("Clip", "x _ b", "y"), [X, None, HALF], 20),
        (node("Clip", "x a b", "y"), [X, HALF, HALF], 20),
    ),
    "shape": ((FLATTEN, [X], 20), (FLATTEN, [Value(1, (2, 4, 3, 5))], 20)),
    "type": ((SOFTMAX, [X], 20), (SOFTMAX, [Value(10, (2, 3, 4))], 20)),
    "values": (
        (node("Reshape", "x s", "y"), [X, whole(6, 4)], 20),
        (node("Reshape", "x s", "y"), [X, whole(4, 6)], 20),
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", PAIRS)
def test_two_nodes_that_differ_in_one_part_are_told_apart(which):
    one, other = PAIRS[which]
    first, second = told(Inference(10), *one), told(Inference(10), *other)
    assert first != second
    both = Inference(10)
    assert [told(both, *one), told(both, *other), told(both, *one)] == [first, second, first]


def test_a_node_that_is_met_again_is_answered_from_memory():
    inference = Inference(10)
    made = inference.outcome(FLATTEN, [X], {"": 20})
    again = node("Flatten", "other", "names", axis=1, name="here")
    assert inference.outcome(again, [Value(1, (2, 3, 4))], {"": 20}) is made


@pytest.mark.parametrize(
    ("attributes", "count"),
    [({}, 4), ({"start": 1}, 3), ({"end": 3}, 3), ({"start": 1, "end": 3}, 2), ({"end": -1}, 3),
     ({"start": -2}, 2), ({"start": 3, "end": 1}, 0)],
)  # fmt: skip
@pytest.mark.parametrize("size", [4, None])
def test_a_shape_from_start_to_end_has_so_many_sizes(attributes, count, size):
    made = node("Shape", "x", "y", **attributes)
    (found,) = Inference(10).outcome(made, [Value(1, (2, 3, size, 5))], {"": 20}).outputs
    assert found.dims == (count,)
    if size is not None:
        start, end = attributes.get("start", 0), attributes.get("end", 4)
        assert found.content.tolist() == [2, 3, 4, 5][start:end]
