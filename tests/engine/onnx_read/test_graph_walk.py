"""A graph is followed node by node: costs, shapes, branches, loops, functions."""

import numpy as np
import pytest
from graphs import (
    BOOL,
    FLOAT,
    INT64,
    convolution,
    function,
    graph,
    ints,
    model,
    node,
    scalar,
    unshaped,
    value,
    weight,
)
from onnx import AttributeProto, TensorProto, helper

from cnninspect.costs import cost_of
from cnninspect.errors import FileUnreadable
from cnninspect.metrics.summarizing import summarize_trace
from cnninspect.records.operations import CostState, TensorSpec


def macs(trace):
    return sum(cost_of(call.operation).cost.macs for call in trace.calls)


def ops(trace):
    return [call.operation.name for call in trace.calls]


def test_calls_are_nodes_with_arguments_by_schema_and_origins(follow):
    trace = follow(convolution())
    conv, relu, *_, gemm = trace.calls
    assert conv.operation.name == "onnx.Conv"
    assert conv.operation.tensor("X") == TensorSpec((1, 3, 8, 8))
    assert conv.operation.tensor("W") == TensorSpec((4, 3, 3, 3))
    assert conv.operation.argument("pads") == (1, 1, 1, 1)
    assert conv.operation.output == TensorSpec((1, 4, 8, 8))
    assert (conv.inputs, conv.parameters) == ((-1,), ("net.conv.weight", "net.conv.bias"))
    assert relu.inputs == (0,)
    assert gemm.layer == "net.fc"
    assert macs(trace) == 64 * 4 * 27 + 40
    assert trace.origins == (4,)
    assert (trace.how.build, trace.how.run) == ("file", "graph")


def test_a_summary_of_a_file_adds_up(follow):
    report = summarize_trace(follow(convolution()), "macs")
    assert report.totals.parameters == 4 * 27 + 4 + 40 + 10
    assert {layer.path: layer.total.parameters for layer in report.layers} == {
        "": 162, "net": 162, "net.conv": 112, "net.fc": 50,
    }  # fmt: skip
    assert report.layers[2].kernel == (3, 3)
    assert report.coverage.unknown == 0


@pytest.mark.parametrize(
    ("strides", "expected"), [({}, (1, 1)), ({"strides": [2, 3]}, (2, 3))], ids=["none", "given"]
)
@pytest.mark.parametrize("op_type", ["Conv", "MaxPool"])
def test_windows_move_as_onnx_says(follow, op_type, strides, expected):
    inputs = "x net.w" if op_type == "Conv" else "x"
    attributes = {"kernel_shape": [2, 2], **strides, "name": "/net/it/Op"}
    made = model([node(op_type, inputs, "y", **attributes)], [value("x", 1, 3, 12, 12)],
                 [unshaped("y")], [weight("net.w", 3, 3, 2, 2)])  # fmt: skip
    layers = summarize_trace(follow(made), "macs").layers
    windowed = next(layer for layer in layers if layer.kernel)
    assert (windowed.kernel, windowed.stride) == ((2, 2), expected)


def test_shapes_that_are_worked_out_as_the_graph_runs_are_known(follow):
    made = model(
        [
            node("Shape", "x", "sizes"),
            node("Gather", "sizes zero", "batch"),
            node("Unsqueeze", "batch axes", "first"),
            node("Concat", "first rest", "target", axis=0),
            node("Reshape", "x target", "flat"),
            node("MatMul", "flat w", "y"),
        ],
        [value("x", "N", 3, 4)], [unshaped("y")],
        [scalar("zero", 0), ints("axes", 0), ints("rest", -1), weight("w", 12, 5)],
    )  # fmt: skip
    trace = follow(made, batch=7)
    assert trace.outputs[0].spec == TensorSpec((7, 5))
    assert macs(trace) == 7 * 12 * 5


def test_a_shape_that_depends_on_data_is_unknown_and_what_follows_is_named(follow):
    made = model(
        [node("NonZero", "x", "where"), node("Cast", "where", "f", to=FLOAT),
         node("MatMul", "w f", "y")],
        [value("x", 4, 4)], [unshaped("y")], [weight("w", 3, 2)],
    )  # fmt: skip
    trace = follow(made)
    report = summarize_trace(trace, "macs")
    assert [(gap.op, gap.calls) for gap in report.uncounted] == [("onnx.MatMul", 1)]
    assert (
        "the shape of y is not known, because what onnx.NonZero gives depends on data"
        in report.engine.notes
    )


def test_an_operator_that_nobody_knows_is_data_not_an_error(follow):
    made = model(
        [node("Magic", "x", "a", domain="org.example"), node("Relu", "a", "y")],
        [value("x", 1, 4)], [unshaped("y")], domains=["org.example"],
    )  # fmt: skip
    report = summarize_trace(follow(made), "macs")
    assert [gap.op for gap in report.uncounted] == ["org.example.Magic"]


# --- branches -------------------------------------------------------------------------------


def product(name, columns, result):
    return graph([node("MatMul", f"x {name}", result)], [], [unshaped(result)],
                 [weight(name, 4, columns)])  # fmt: skip


def branching(condition_nodes, inputs, stored=()):
    choice = node("If", "c", "y", name="choice",
                  then_branch=product("a", 10, "p"), else_branch=product("b", 3, "q"))  # fmt: skip
    return model([*condition_nodes, choice], [value("x", 2, 4), *inputs], [unshaped("y")], stored)


@pytest.mark.parametrize(
    ("condition", "columns", "layer"), [(True, 10, "then"), (False, 3, "else")]
)
def test_a_branch_that_is_known_to_run_is_followed(follow, condition, columns, layer):
    trace = follow(branching([], [], [scalar("c", condition, np.bool_)]))
    assert macs(trace) == 2 * 4 * columns
    assert trace.calls[-1].layer.startswith(f"choice.{layer}_branch")
    assert trace.outputs[0].spec == TensorSpec((2, columns))


def test_a_condition_worked_out_from_shapes_is_known(follow):
    nodes = [node("Shape", "x", "s"), node("Gather", "s i", "n"), node("Greater", "n i", "c")]
    assert macs(follow(branching(nodes, [], [scalar("i", 1)]))) == 2 * 4 * 10


def test_of_two_branches_that_depend_on_data_the_dearer_one_is_counted(follow):
    trace = follow(branching([], [value("c", dtype=BOOL)]))
    assert macs(trace) == 2 * 4 * 10
    assert trace.how.notes == (
        "which branch of choice runs depends on data: counted is then_branch with 80 MACs, "
        "not else_branch with 24",
    )
    assert sum(p.spec.numel for layer in trace.layers for p in layer.parameters) == 40 + 12


def test_branches_within_branches_are_followed(follow):
    inner = product("w", 5, "y")
    for _ in range(20):
        plain = graph([node("Identity", "x", "z")], [], [unshaped("z")])
        choice = node("If", "c", "y", then_branch=inner, else_branch=plain)
        inner = graph([choice], [], [unshaped("y")])
    made = model(list(inner.node), [value("x", 2, 4), value("c", dtype=BOOL)], [unshaped("y")])
    assert macs(follow(made)) == 2 * 4 * 5


# --- loops ----------------------------------------------------------------------------------


def looping(count, *, is_known=True):
    body = graph(
        [node("MatMul", "h w", "h2"), node("Identity", "go", "go2")],
        [value("i", dtype=INT64), value("go", dtype=BOOL), unshaped("h")],
        [value("go2", dtype=BOOL), unshaped("h2"), unshaped("h2")],
    )
    inputs = [value("x", 2, 4)] + ([] if is_known else [value("n", dtype=INT64)])
    stored = [weight("w", 4, 4), scalar("yes", True, np.bool_)]
    stored += [scalar("n", count)] if is_known else []
    return model([node("Loop", "n yes x", "last all", name="steps", body=body)], inputs,
                 [unshaped("last"), unshaped("all")], stored)  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_loop_is_counted_as_often_as_it_runs(follow, count):
    trace = follow(looping(count))
    assert macs(trace) == count * 2 * 4 * 4
    assert trace.outputs[0].spec == TensorSpec((2, 4))
    if count:
        assert trace.outputs[1].spec == TensorSpec((count, 2, 4))


def test_a_loop_that_runs_as_often_as_data_say_is_a_named_unknown(follow):
    report = summarize_trace(follow(looping(0, is_known=False)), "macs")
    assert [gap.op for gap in report.uncounted] == ["onnx.Loop"]


def test_a_loop_without_end_is_a_named_unknown(follow):
    report = summarize_trace(follow(looping(10**15)), "macs")
    assert [gap.op for gap in report.uncounted] == ["onnx.Loop"]


def test_loops_within_loops_that_would_run_for_ages_are_multiplied(follow):
    work = [node("MatMul", "h w", "h2")]
    for i in range(4):
        body = graph(
            [*work, node("Identity", "go", "go2")],
            [value("i", dtype=INT64), value("go", dtype=BOOL), unshaped("h")],
            [value("go2", dtype=BOOL), unshaped("h2")],
        )
        ends = "n yes x y" if i == 3 else "n yes h h2"
        work = [node("Loop", ends.rpartition(" ")[0], ends.rpartition(" ")[2], body=body)]
    made = model(work, [value("x", 2, 4)], [unshaped("y")],
                 [weight("w", 4, 4), scalar("n", 300), scalar("yes", True, np.bool_)])  # fmt: skip
    report = summarize_trace(follow(made), "macs")
    assert report.totals.macs == 300**4 * 2 * 4 * 4
    assert not report.uncounted


def test_a_loop_ends_when_its_condition_is_known_to_be_false(follow):
    body = graph(
        [node("MatMul", "h w", "h2"), node("Add", "k one", "k2"), node("Less", "k2 limit", "go2")],
        [value("i", dtype=INT64), value("go", dtype=BOOL), unshaped("h"), value("k", dtype=INT64)],
        [value("go2", dtype=BOOL), unshaped("h2"), value("k2", dtype=INT64)],
    )
    made = model(
        [node("Loop", "_ yes x zero", "last k3", body=body)], [value("x", 2, 4)],
        [unshaped("last")],
        [weight("w", 4, 4), scalar("yes", True, np.bool_), scalar("zero", 0), scalar("one", 1),
         scalar("limit", 6)],
    )  # fmt: skip
    assert macs(follow(made)) == 6 * 2 * 4 * 4


def test_a_scan_runs_once_for_each_element_of_its_sequence(follow):
    body = graph(
        [node("Add", "h x_t", "sum"), node("MatMul", "sum w", "h2"), node("Identity", "h2", "o")],
        [unshaped("h"), unshaped("x_t")], [unshaped("h2"), unshaped("o")],
    )  # fmt: skip
    made = model(
        [node("Scan", "h0 xs", "last all", body=body, num_scan_inputs=1)],
        [value("h0", 2, 4), value("xs", 9, 2, 4)], [unshaped("last"), unshaped("all")],
        [weight("w", 4, 4)],
    )  # fmt: skip
    trace = follow(made)
    assert macs(trace) == 9 * 2 * 4 * 4
    assert [output.spec.shape for output in trace.outputs] == [(2, 4), (9, 2, 4)]


# --- functions ------------------------------------------------------------------------------


def test_a_function_is_followed_and_is_a_layer(follow):
    block = function(
        "net", "Block", "h m", "r", [node("MatMul", "h m", "p"), node("Relu", "p", "r")]
    )
    made = model(
        [node("Block", "x w", "a", domain="net", name="first"),
         node("Block", "a w", "y", domain="net", name="second")],
        [value("x", 2, 4)], [unshaped("y")], [weight("w", 4, 4)],
        functions=[block], domains=["net"],
    )  # fmt: skip
    trace = follow(made)
    assert macs(trace) == 2 * 2 * 4 * 4
    assert [(layer.path, layer.type) for layer in trace.layers[1:]] == [
        ("first", "Block"), ("second", "Block"),
    ]  # fmt: skip
    assert sum(p.spec.numel for layer in trace.layers for p in layer.parameters
               if p.shared_with is None) == 16  # fmt: skip


def test_attributes_of_a_function_reach_its_nodes(follow):
    soft = node("Gemm", "h m", "r")
    reference = soft.attribute.add(name="transB", type=AttributeProto.INT)
    reference.ref_attr_name = "flip"
    block = function("net", "Product", "h m", "r", [soft], ["flip"])
    made = model(
        [node("Product", "x w", "y", domain="net", flip=1)],
        [value("x", 2, 4)], [unshaped("y")], [weight("w", 9, 4)],
        functions=[block], domains=["net"],
    )  # fmt: skip
    assert follow(made).outputs[0].spec == TensorSpec((2, 9))


def test_a_function_that_calls_itself_is_refused(follow):
    block = function("net", "A", "h", "r", [node("B", "h", "r", domain="net")])
    other = function("net", "B", "h", "r", [node("A", "h", "r", domain="net")])
    made = model([node("A", "x", "y", domain="net")], [value("x", 2)], [unshaped("y")],
                 functions=[block, other], domains=["net"])  # fmt: skip
    with pytest.raises(FileUnreadable, match="calls itself"):
        follow(made)


def test_functions_that_double_without_end_are_refused_in_time(follow):
    levels = [
        function(
            "net", f"F{i}", "h", "r",
            [node(f"F{i + 1}", ends, made, domain="net") for ends, made in ("hm", "mr")],
        )
        for i in range(30)
    ]  # fmt: skip
    last = function("net", "F30", "h", "r", [node("Relu", "h", "r")])
    made = model([node("F0", "x", "y", domain="net")], [value("x", 2)], [unshaped("y")],
                 functions=[*levels, last], domains=["net"])  # fmt: skip
    with pytest.raises(FileUnreadable, match="more than 100,000 nodes"):
        follow(made)


# --- weights --------------------------------------------------------------------------------


def test_a_shared_weight_counts_once_and_is_seen_in_both_layers(follow):
    made = model(
        [node("Gather", "embed.weight x", "h", name="/embed/Gather"),
         node("Transpose", "embed.weight", "t", perm=[1, 0], name="/head/Transpose"),
         node("MatMul", "h t", "y", name="/head/MatMul")],
        [value("x", 1, 7, dtype=INT64)], [unshaped("y")], [weight("embed.weight", 50, 8)],
    )  # fmt: skip
    report = summarize_trace(follow(made), "macs")
    assert report.totals.parameters == 400
    assert report.totals.macs == 7 * 8 * 50
    shared = [p for layer in follow(made).layers for p in layer.parameters if p.shared_with]
    assert [p.shared_with for p in shared] == ["embed.weight"]


def test_statistics_are_buffers_and_settings_are_neither(follow):
    made = model(
        [node("BatchNormalization", "x n.scale n.bias n.mean n.var", "a"),
         node("Clip", "a low high", "b"), node("Reshape", "b s", "y")],
        [value("x", 1, 6, 2, 2)], [unshaped("y")],
        [weight("n.scale", 6), weight("n.bias", 6), weight("n.mean", 6), weight("n.var", 6),
         scalar("low", 0, np.float32), scalar("high", 6, np.float32), ints("s", 1, -1)],
    )  # fmt: skip
    totals = summarize_trace(follow(made), "macs").totals
    assert (totals.parameters, totals.buffers) == (12, 12)


def test_quantised_weights_are_parameters_of_a_byte_each(follow):
    made = model(
        [node("DequantizeLinear", "q scale zero", "w"), node("MatMul", "x w", "y")],
        [value("x", 2, 4)], [unshaped("y")],
        [weight("q", 4, 8, dtype=np.int8), scalar("scale", 0.1, np.float32),
         scalar("zero", 0, np.int8)],
    )  # fmt: skip
    totals = summarize_trace(follow(made), "macs").totals
    assert (totals.parameters, totals.parameter_bytes, totals.macs) == (32, 32, 64)


def test_a_weight_of_a_few_bits_in_onnx_runtimes_own_operator(follow):
    made = model(
        [node("MatMulNBits", "x q s", "y", domain="com.microsoft", K=64, N=10, bits=4,
              block_size=32)],
        [value("x", 2, 7, 64)], [unshaped("y")],
        [weight("q", 10, 2, 16, dtype=np.uint8), weight("s", 20)], domains=["com.microsoft"],
    )  # fmt: skip
    trace = follow(made)
    assert macs(trace) == 14 * 64 * 10
    assert trace.outputs[0].spec == TensorSpec((2, 7, 10))


def test_every_operator_of_the_standard_is_costed_or_named_unknown(follow):
    trace = follow(convolution())
    assert {cost_of(call.operation).state for call in trace.calls} <= {
        CostState.COUNTED, CostState.FREE,
    }  # fmt: skip


def test_weights_in_constants_count_as_well(follow):
    held = helper.make_tensor("w", TensorProto.FLOAT, [4, 5], [1.0] * 20)
    made = model([node("Constant", "", "w", value=held), node("MatMul", "x w", "y")],
                 [value("x", 2, 4)], [unshaped("y")])  # fmt: skip
    totals = summarize_trace(follow(made), "macs").totals
    assert (totals.parameters, totals.macs) == (20, 40)
