"""Shapes by rules of our own are those that ONNX infers, on random nodes."""

import numpy as np
import pytest
from graphs import model, node, unshaped, value
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper, shape_inference

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.inference import Inference
from cnninspect.engine.onnx_read.values import Value, of_array, of_type

SIZES = st.integers(1, 9)


def ours(made, shape, constants, opset):
    """What our rules give, and None where they refuse."""
    wanted = made.graph.node[0]
    inputs = [
        Value(1, shape) if name == "x" else None if not name else constants[name]
        for name in wanted.input
    ]
    try:
        return Inference(10).outcome(wanted, inputs, {"": opset}).outputs
    except Malformed:
        return None


def onnxs(made):
    """What ONNX infers, and None where it refuses."""
    try:
        inferred = shape_inference.infer_shapes(made, strict_mode=True, data_prop=True)
    except Exception:
        return None
    return [of_type(output.type) for output in inferred.graph.output]


def compare(wanted, shape, arrays=(), opset=20):
    stored = [numpy_helper.from_array(array, name) for name, array in arrays]
    outputs = [unshaped(name, 0) for name in wanted.output if name]
    for output in outputs:
        output.ClearField("type")
    made = model([wanted], [value("x", *shape)], outputs, stored, opset=opset)
    kinds = {"float32": 1, "int64": 7, "bool": 9}
    constants = {name: of_array(array, kinds[array.dtype.name]) for name, array in arrays}
    theirs = onnxs(made)
    assume(theirs is not None)
    mine = ours(made, shape, constants, opset)
    assert mine is not None
    for a, b in zip(mine, theirs):
        if b.dims is not None and None not in b.dims:
            assert (a.element, a.dims) == (b.element, b.dims)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_windows(data):
    draw = data.draw
    axes = draw(st.integers(1, 3))
    many = st.lists(SIZES, min_size=axes, max_size=axes)
    kernel = draw(many)
    spatial = [size + k for size, k in zip(draw(many), kernel)]
    options = {"kernel_shape": kernel}
    if draw(st.booleans()):
        options["strides"] = draw(many)
    if draw(st.booleans()):
        options["auto_pad"] = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    else:
        options["pads"] = draw(st.lists(st.integers(0, 2), min_size=2 * axes, max_size=2 * axes))
    op = draw(st.sampled_from(["Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"]))
    arrays = []
    if op.startswith("Conv"):
        arrays = [("w", np.zeros((4, 4, *kernel), np.float32))]
    wanted = node(op, "x w" if arrays else "x", "y", **options)
    compare(wanted, (2, 4, *spatial), arrays)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_moving(data):
    draw = data.draw
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    rank = len(shape)
    axis = draw(st.integers(-rank, rank - 1))
    each = st.lists(st.integers(-7, 7), min_size=rank, max_size=rank)
    whole = lambda values: np.array(values, np.int64)  # noqa: E731 - short
    cases = {
        "Transpose": (
            node("Transpose", "x", "y", perm=draw(st.permutations(range(rank)))), []),
        "Flatten": (node("Flatten", "x", "y", axis=axis), []),
        "Slice": (node("Slice", "x a b c d", "y"),
                  [("a", whole(draw(each))), ("b", whole(draw(each))), ("c", whole(range(rank))),
                   ("d", whole([draw(st.sampled_from([1, 2, 3, -1, -2])) for _ in shape]))]),
        "Tile": (node("Tile", "x a", "y"), [("a", whole([abs(n) for n in draw(each)]))]),
        "Pad": (node("Pad", "x a", "y"), [("a", whole([abs(n) for n in draw(each)] * 2))]),
        "Unsqueeze": (node("Unsqueeze", "x a", "y"), [("a", whole([axis]))]),
        "ReduceMax": (node("ReduceMax", "x a", "y", keepdims=draw(st.integers(0, 1))),
                      [("a", whole([axis]))]),
        "ArgMax": (node("ArgMax", "x", "y", axis=axis, keepdims=draw(st.integers(0, 1))), []),
        "TopK": (node("TopK", "x a", "y z", axis=axis), [("a", whole([1]))]),
        "Split": (node("Split", "x", "y z", axis=axis, num_outputs=2), []),
        "Concat": (node("Concat", "x x", "y", axis=axis), []),
        "Gather": (node("Gather", "x a", "y", axis=axis), [("a", whole([[0, 0]]))]),
        "Reshape": (node("Reshape", "x a", "y"), [("a", whole([0] * (rank - 1) + [-1]))]),
        "Expand": (node("Expand", "x a", "y"), [("a", whole([2, *shape]))]),
        "MatMul": (node("MatMul", "x a", "y"), [("a", np.zeros((shape[-1], 3), np.float32))]),
        "Resize": (node("Resize", "x _ _ a", "y"),
                   [("a", whole([abs(n) + 1 for n in draw(each)]))]),
        "LayerNormalization": (
            node("LayerNormalization", "x a", "y z", axis=axis),
            [("a", np.zeros(shape[axis:], np.float32))]),
        "CumSum": (node("CumSum", "x a", "y"), [("a", np.array(axis, np.int64))]),
        "OneHot": (node("OneHot", "x a b", "y", axis=axis),
                   [("a", whole([5])), ("b", np.zeros(2, np.float32))]),
        "Shape": (node("Shape", "x", "y", start=axis), []),
    }  # fmt: skip
    wanted, arrays = cases[draw(st.sampled_from(sorted(cases)))]
    compare(wanted, shape, arrays)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "places"), [(4, 6, 4, None), (2, 3, 2, None), (5, 3, 2, 2)]
)
def test_a_convolution_larger_than_its_input_is_refused_as_onnxruntime_does(
    size, kernel, stride, places
):
    wanted = node("Conv", "x w", "y", strides=[stride])
    inputs = [Value(1, (1, 1, size)), Value(1, (2, 1, kernel))]
    if places is None:
        with pytest.raises(Malformed, match="window"):
            Inference(10).outcome(wanted, inputs, {"": 20})
    else:
        outcome = Inference(10).outcome(wanted, inputs, {"": 20})
        assert outcome.outputs[0].dims == (1, 2, places)


def test_pooling_lacks_less_than_a_stride_as_onnxruntime_has_it():
    wanted = node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2])
    outcome = Inference(10).outcome(wanted, [Value(1, (1, 1, 2, 2))], {"": 20})
    assert outcome.outputs[0].dims == (1, 1, 1, 1)


@pytest.mark.parametrize(("onesided", "bins"), [(None, 9), (1, 9), (0, 16)])
def test_half_of_a_transform_is_enough_unless_all_is_asked_for(onesided, bins):
    wanted = node("STFT", "x s _ l", "y", **({} if onesided is None else {"onesided": onesided}))
    inputs = [Value(1, (1, 128, 1)), of_array(np.array(8), 7), None, of_array(np.array(16), 7)]
    outcome = Inference(10).outcome(wanted, inputs, {"": 20})
    assert outcome.outputs[0].dims == (1, 15, bins, 2)
