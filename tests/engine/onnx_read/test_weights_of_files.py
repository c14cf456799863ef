"""Which stored tensors are parameters, buffers or settings, and how large they are."""

import numpy as np
import pytest
from graphs import FLOAT, INT64, ints, model, node, scalar, unshaped, value, weight
from onnx import TensorProto, helper, numpy_helper

from cnninspect.metrics.summarizing import summarize_trace

I8, U8 = np.int8, np.uint8
MS = ("com.microsoft",)
TABLE = [weight("t", 10, 32, dtype=I8), weight("s"), weight("z", dtype=I8)]


def totals(trace):
    return summarize_trace(trace, "macs").totals


@pytest.mark.parametrize(
    ("nodes", "stored", "parameters"),
    [
        ([node("Gather", "t i", "g"), node("DequantizeLinear", "g s z", "y")], TABLE, 320),
        ([node("DequantizeLinear", "t s z", "d"), node("Gather", "d i", "y")], TABLE, 320),
        ([node("Gather", "t i", "g"), node("Cast", "g", "c", to=FLOAT), node("Mul", "c s", "y")],
         TABLE[:2], 320),
        ([node("Gather", "t i", "g"), node("Reshape", "g r", "h"), node("Cast", "h", "c", to=FLOAT),
          node("Sub", "c s", "d"), node("Mul", "d s", "y")], [*TABLE[:2], ints("r", -1, 8)], 320),
        ([node("Gather", "t i", "y")], [weight("t", 10, 32, dtype=np.int64)], 0),
        ([node("Gather", "t i", "g"), node("Cast", "g", "c", to=FLOAT), node("Mul", "c s", "y")],
         [weight("t", 10, 32, dtype=np.int64), weight("s")], 0),
        ([node("Gather", "t i", "y")], [weight("t", 10, 32)], 320),
        ([node("Gather", "t i", "g"), node("Cast", "g", "y", to=FLOAT)],
         [weight("t", 10, 32, dtype=np.float16)], 320),
        ([node("GatherBlockQuantized", "t i b", "y", bits=4, block_size=16, gather_axis=0,
               quantize_axis=1, domain=MS[0])],
         [weight("t", 10, 16, dtype=U8), weight("b", 10, 2)], 320 + 20),
    ],
)  # fmt: skip
def test_tables_of_bytes_are_parameters_where_they_become_numbers(
    follow, nodes, stored, parameters
):
    made = model(nodes, [value("i", 3, dtype=INT64)], [unshaped("y")], stored, domains=MS)
    assert totals(follow(made)).parameters == parameters


@pytest.mark.parametrize(
    ("nodes", "stored", "parameters", "buffers"),
    [
        ([node("Cast", "w", "c", to=FLOAT), node("Mul", "c s", "d"), node("MatMul", "x d", "y")],
         [weight("w", 32, 4, dtype=I8), weight("s")], 128, 0),
        ([node("Cast", "w", "c", to=FLOAT), node("Sub", "c o", "b"), node("Mul", "b s", "d"),
          node("MatMul", "x d", "y")],
         [weight("w", 32, 4, dtype=I8), weight("s"), weight("o")], 128, 0),
        ([node("DequantizeLinear", "w s z", "d", axis=1), node("MatMul", "x d", "y")],
         [weight("w", 32, 4, dtype=I8), weight("s", 4), weight("z", 4, dtype=I8)], 128, 8),
        ([node("DynamicQuantizeLinear", "x", "q a b"), node("MatMulInteger", "q w b", "m"),
          node("Cast", "m", "c", to=FLOAT), node("Mul", "a s", "e"), node("Mul", "c e", "y")],
         [weight("w", 32, 4, dtype=I8), weight("s", 4)], 128, 4),
        ([node("MatMulNBits", "x w s", "y", K=32, N=6, bits=4, block_size=16, domain=MS[0])],
         [weight("w", 6, 2, 8, dtype=U8), weight("s", 12)], 192 + 12, 0),
        ([node("MatMulNBits", "x w s", "y", K=32, N=6, bits=2, block_size=16, domain=MS[0])],
         [weight("w", 6, 2, 4, dtype=U8), weight("s", 12)], 192 + 12, 0),
        ([node("MatMulNBits", "x w s", "y", K=32, N=6, bits=8, block_size=16, domain=MS[0])],
         [weight("w", 6, 2, 16, dtype=U8), weight("s", 12)], 192 + 12, 0),
        ([node("MatMulBnb4", "x w s", "y", K=32, N=4, block_size=16, quant_type=1, domain=MS[0])],
         [weight("w", 64, dtype=U8), weight("s", 8)], 128 + 8, 0),
        ([node("Foo", "x w", "y", domain="my.domain")], [weight("w", 32, 64, dtype=I8)], 2048, 0),
        ([node("Foo", "x w", "y", domain="my.domain")], [weight("w", 3, dtype=np.int64)], 0, 0),
        ([node("Transpose", "x", "t"), node("Resize", "x _ w", "y")], [weight("w", 2)], 0, 0),
        ([node("Clip", "x a b", "c"), node("MatMul", "c w", "y")],
         [weight("a"), weight("b"), weight("w", 32, 2)], 64, 0),
        ([node("ConstantOfShape", "n", "w"), node("MatMul", "x w", "y")], [ints("n", 32, 5)],
         160, 0),
        ([node("ConstantOfShape", "n", "w"), node("Add", "x w", "y")], [ints("n", 32)], 0, 0),
    ],
)  # fmt: skip
def test_weights_count_by_what_they_stand_for_and_settings_do_not(
    follow, nodes, stored, parameters, buffers
):
    made = model(nodes, [value("x", 3, 32)], [unshaped("y")], stored,
                 domains=(*MS, "my.domain"))  # fmt: skip
    found = totals(follow(made))
    assert (found.parameters, found.buffers) == (parameters, buffers)


@pytest.mark.parametrize(("bits", "stored"), [(2, 4), (4, 8), (8, 16)])
def test_packed_weights_weigh_the_bytes_that_are_stored(follow, bits, stored):
    packed = node("MatMulNBits", "x w s", "y", K=16, N=16, bits=bits, block_size=16, domain=MS[0])
    made = model([packed], [value("x", 1, 16)], [unshaped("y")],
                 [weight("w", 16, 1, stored, dtype=U8), weight("s", 16)], domains=MS)  # fmt: skip
    found = totals(follow(made))
    assert found.parameters == 256 + 16
    assert found.parameter_bytes == 16 * stored + 4 * 16
    assert found.macs == 256


def test_blocks_of_four_bits_count_with_their_scales(follow):
    four = helper.make_tensor("w", TensorProto.INT4, [16, 8], np.ones(128, np.int8))
    nodes = [node("DequantizeLinear", "w s", "d", axis=0, block_size=4), node("MatMul", "x d", "y")]
    made = model(nodes, [value("x", 3, 16)], [unshaped("y")], [four, weight("s", 4, 8)], opset=21)
    found = totals(follow(made))
    assert (found.parameters, found.parameter_bytes) == (128 + 32, 64 + 128)


def test_a_constant_with_dots_in_its_name_is_no_layer(follow):
    three = numpy_helper.from_array(np.array(3, np.float32), "v")
    nodes = [
        node("Constant", "", "p2o.helper.constant.2", value=three),
        node("Conv", "x conv2d_1.w_0", "a"), node("Add", "a p2o.helper.constant.2", "b"),
        node("Clip", "b lo hi", "d"), node("Mul", "a d", "y"),
    ]  # fmt: skip
    made = model(nodes, [value("x", 1, 3, 8, 8)], [unshaped("y")],
                 [weight("conv2d_1.w_0", 4, 3, 3, 3), weight("lo"), weight("hi")])  # fmt: skip
    trace = follow(made)
    assert totals(trace).parameters == 108
    assert [layer.path for layer in trace.layers if layer.parameters] == ["conv2d_1"]


def test_weights_that_nodes_make_are_said_to_be_made(follow):
    nodes = [node("ConstantOfShape", "n", "w"), node("Conv", "x w", "y")]
    made = model(nodes, [value("x", 1, 3, 8, 8)], [unshaped("y")], [ints("n", 4, 3, 3, 3)])
    trace = follow(made)
    assert totals(trace).parameters == 108
    assert any("108 parameters are not stored but made by nodes" in n for n in trace.how.notes)


def learned(op, outputs="y", **attributes):
    return node(op, "x", outputs, domain="ai.onnx.ml", name="model", **attributes)


@pytest.mark.parametrize(
    ("wanted", "shapes", "parameters", "macs"),
    [
        (learned("LinearRegressor", coefficients=[1.0] * 6, intercepts=[0.0] * 2, targets=2),
         [(5, 2)], 8, 5 * 6),
        (learned("LinearClassifier", "label scores", coefficients=[1.0] * 9, intercepts=[0.0] * 3,
                 classlabels_ints=[0, 1, 2]), [(5,), (5, 3)], 12, 5 * 9),
        (learned("Scaler", offset=[0.0] * 3, scale=[1.0] * 3), [(5, 3)], 6, 0),
        (learned("Normalizer", norm="L2"), [(5, 3)], 0, 0),
        (learned("SVMRegressor", coefficients=[1.0] * 4, support_vectors=[1.0] * 12, rho=[0.0],
                 kernel_type="LINEAR", n_supports=4), [(5, 1)], 17, 5 * 12 + 5 * 4),
        (learned("TreeEnsembleRegressor", nodes_values=[0.5, 0.0, 0.0], target_weights=[1.0, 2.0],
                 n_targets=1), [(5, 1)], 5, 0),
    ],
)  # fmt: skip
def test_what_scikit_learn_learned_is_parameters(follow, wanted, shapes, parameters, macs):
    made = model([wanted], [value("x", 5, 3)], [unshaped(name) for name in wanted.output],
                 domains=("ai.onnx.ml",))  # fmt: skip
    trace = follow(made)
    report = summarize_trace(trace, "macs")
    assert [output.spec.shape for output in trace.outputs] == shapes
    assert (report.totals.parameters, report.totals.macs) == (parameters, macs)
    assert not report.uncounted


def test_a_distance_to_support_vectors_takes_the_place_of_a_product(follow):
    wanted = learned("SVMRegressor", coefficients=[1.0], support_vectors=[1.0] * 3,
                     kernel_type="RBF", n_supports=1)  # fmt: skip
    made = model([wanted], [value("x", 5, 3)], [unshaped("y")], domains=("ai.onnx.ml",))
    report = summarize_trace(follow(made), "macs")
    assert (report.totals.macs, report.uncounted) == (5 * (3 + 1), ())


def test_more_stored_tensors_of_a_name_are_told_apart_in_time(follow):
    nodes = [node("Constant", "", f"c{i}", value=weight("v", 2)) for i in range(3)]
    nodes += [node("Sum", "x c0 c1 c2", "y")]
    assert totals(follow(model(nodes, [value("x", 2)], [unshaped("y")]))).parameters == 6


RECURRENT = {"LSTM": 4, "GRU": 3, "RNN": 1}


@pytest.mark.parametrize("hidden", [2, 700])
@pytest.mark.parametrize("filling", [0.0, 0.5])
@pytest.mark.parametrize("op", RECURRENT)
def test_a_first_state_of_zeros_is_no_parameter(follow, op, hidden, filling):
    """Constants are folded by optimizers, and large ones are looked at in the file."""
    gates = RECURRENT[op] * hidden
    state = numpy_helper.from_array(np.full((1, 3, hidden), filling, np.float32), "h")
    states = "h h" if op == "LSTM" else "h"
    made = model([node(op, f"x w r _ _ {states}", "y", hidden_size=hidden)],
                 [value("x", 5, 3, 4)], [unshaped("y")],
                 [weight("w", 1, gates, 4), weight("r", 1, gates, hidden), state])  # fmt: skip
    learned_state = 3 * hidden if filling else 0
    assert totals(follow(made)).parameters == gates * (4 + hidden) + learned_state


@pytest.mark.parametrize(
    ("nodes", "stored", "parameters"),
    [
        ([node("Gemm", "x w b", "y")], [weight("w", 4, 1), weight("b", 1)], 5),
        ([node("Gemm", "x w b", "y")], [weight("w", 4, 3), weight("b")], 12),
        ([node("MatMul", "x w", "m"), node("Add", "m b", "y")],
         [weight("w", 4, 3), weight("b", 1)], 12),
        ([node("PRelu", "x a", "y")], [weight("a")], 1),
        ([node("DequantizeLinear", "q s", "d"), node("DequantizeLinear", "b t", "c"),
          node("Gemm", "x d c", "y")],
         [weight("q", 4, 1, dtype=I8), weight("s"), weight("b", 1, dtype=np.int32), weight("t")],
         5),
        ([node("QGemm", "x s z q s z b", "y", domain=MS[0])],
         [weight("q", 4, 1, dtype=I8), weight("s"), weight("z", dtype=I8),
          weight("b", 1, dtype=np.int32)], 5),
        ([node("Add", "x b", "c"), node("Clip", "c lo hi", "d"), node("Div", "d six", "y")],
         [weight("b", 1), weight("lo"), weight("hi"), weight("six", 1)], 0),
        ([node("Gather", "s b", "y")], [weight("s", 1), scalar("b", 0)], 0),
    ],
)  # fmt: skip
def test_one_element_is_a_parameter_where_an_operator_learns_it(follow, nodes, stored, parameters):
    made = model(nodes, [value("x", 2, 4)], [unshaped("y")], stored, domains=MS)
    assert totals(follow(made)).parameters == parameters


def test_a_scale_that_is_a_variance_too_is_a_parameter(follow):
    """Equal tensors of an untrained network are stored once."""
    made = model([node("BatchNormalization", "x a b b a", "y")], [value("x", 1, 4, 3, 3)],
                 [unshaped("y")], [weight("a", 4), weight("b", 4)])  # fmt: skip
    found = totals(follow(made))
    assert (found.parameters, found.buffers) == (8, 0)
