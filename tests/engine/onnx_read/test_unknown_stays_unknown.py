"""What nobody knows does not make a file unreadable, and is named with its cause."""

import numpy as np
import pytest
from graphs import ints, model, node, scalar, unshaped, value, weight

import cnninspect
from cnninspect.costs import cost_of
from cnninspect.metrics.summarizing import summarize_trace

BYTES = np.uint8


def after_foo(nodes, stored=(), *, opset=17, infos=()):
    """A model in which `nodes` take the result `u` of an operator that nobody knows."""
    made = model(
        [node("Foo", "x", "u", domain="my.domain"), *nodes], [value("x", 1, 4, 8)],
        [unshaped("y")], stored, opset=opset, domains=("my.domain",), ir=8,
    )  # fmt: skip
    made.graph.value_info.extend(infos)
    return made


@pytest.mark.parametrize(
    ("following", "stored"),
    [
        (node("Reshape", "u s", "y"), [ints("s", 1, 32)]),
        (node("Reshape", "u s", "y"), [ints("s", 0, -1)]),
        (node("Gemm", "u w", "y"), [weight("w", 8, 4)]),
        (node("MatMul", "u w", "y"), [weight("w", 8, 4)]),
        (node("Conv", "u w", "y"), [weight("w", 2, 4, 3)]),
        (node("BatchNormalization", "u a a a a", "y"), [weight("a", 4)]),
        (node("LSTM", "u w r", "y", hidden_size=2), [weight("w", 1, 8, 8), weight("r", 1, 8, 2)]),
        (node("GRU", "u w r", "y", hidden_size=2), [weight("w", 1, 6, 8), weight("r", 1, 6, 2)]),
        (node("MatMulInteger", "u w", "y"), [weight("w", 8, 4, dtype=np.int8)]),
        (node("ConvInteger", "u w", "y"), [weight("w", 2, 4, 3, dtype=np.int8)]),
        (node("QLinearConv", "u s z w s z s z", "y"),
         [weight("s"), weight("z", dtype=BYTES), weight("w", 2, 4, 3, dtype=BYTES)]),
        (node("GatherElements", "u i", "y"), [ints("i", 0)]),
        (node("Gather", "u i", "y"), [ints("i", 0)]),
        (node("SplitToSequence", "u", "y"), []),
        (node("RoiAlign", "u r b", "y"), [weight("r", 1, 4), ints("b", 0)]),
        (node("Slice", "u i i", "y"), [ints("i", 0)]),
        (node("Resize", "u _ f", "y"), [weight("f", 3)]),
        (node("ReduceMean", "u", "y"), []),
        (node("Einsum", "u u", "y", equation="bij,bij->b"), []),
        (node("GridSample", "u u", "y"), []),
        (node("Det", "u", "y"), []),
        (node("NegativeLogLikelihoodLoss", "u i", "y"), [ints("i", 0)]),
    ],
    ids=lambda item: item.op_type if hasattr(item, "op_type") else "",
)  # fmt: skip
def test_an_operator_that_nobody_knows_may_be_followed_by_any(follow, following, stored):
    report = summarize_trace(follow(after_foo([following], stored)), "macs")
    assert "my.domain.Foo" in [gap.op for gap in report.uncounted]


def test_a_shape_that_is_set_again_is_known_from_there(follow):
    nodes = [node("Reshape", "u s", "r"), node("MatMul", "r w", "y")]
    report = summarize_trace(
        follow(after_foo(nodes, [ints("s", 1, 32), weight("w", 32, 4)])), "macs"
    )
    assert report.totals.macs == 32 * 4


def test_what_the_file_states_is_used_where_nothing_else_tells(follow):
    nodes, stored = [node("MatMul", "u w", "y")], [weight("w", 5, 6)]
    trace = follow(after_foo(nodes, stored, infos=[value("u", 3, 5)]))
    report = summarize_trace(trace, "macs")
    assert report.totals.macs == 3 * 5 * 6
    assert [gap.op for gap in report.uncounted] == ["my.domain.Foo"]
    assert "shapes that only the file states: u" in trace.how.notes


def test_what_the_file_states_otherwise_is_a_note(follow):
    made = model([node("Relu", "x", "u"), node("Neg", "u", "y")], [value("x", 2, 3)],
                 [value("y", 2, 3)])  # fmt: skip
    made.graph.value_info.append(value("u", 2, 4))
    trace = follow(made)
    assert trace.outputs[0].spec.shape == (2, 3)
    assert any("u 2×4 float32, not 2×3 float32" in note for note in trace.how.notes)


def test_sizes_by_name_that_the_graph_tells_complete_what_is_stated(follow):
    nodes = [node("Relu", "x", "r"), node("Foo", "r", "u", domain="d"), node("MatMul", "u w", "y")]
    made = model(nodes, [value("x", 7, 3)], [unshaped("y")], [weight("w", 5, 2)], domains=("d",))
    made.graph.value_info.extend([value("r", "rows", 3), value("u", "rows", 5)])
    assert summarize_trace(follow(made), "macs").totals.macs == 7 * 5 * 2


def test_reports_tell_no_formula_from_no_shape(follow):
    nodes = [node("Conv", "u w", "y", name="conv")]
    trace = follow(after_foo(nodes, [weight("w", 2, 4, 3)]))
    conv = next(o for o in trace.operations if o.name == "onnx.Conv")
    costed = cost_of(conv)
    assert costed.lacks_shape
    assert costed.reason == (
        "the shape of its input X is not known, because my.domain.Foo is not known here"
    )
    text = cnninspect.render(cnninspect.summarize(trace))
    unshaped_part, formula_part = text.split("1 operation of unknown shape")[1].split("no formula")
    assert "onnx.Conv: 1 call in conv: the shape of its input X" in unshaped_part
    assert "my.domain.Foo: 1 call" in formula_part
    gaps = {gap.op: gap.lacks_shape for gap in summarize_trace(trace, "macs").uncounted}
    assert gaps == {"my.domain.Foo": False, "onnx.Conv": True}


@pytest.mark.parametrize(
    ("op", "opset", "attributes", "groups"),
    [
        ("GroupNormalization", 18, {"num_groups": 2}, 2),
        ("GroupNormalization", 21, {"num_groups": 2}, 4),
        ("MeanVarianceNormalization", 9, {"axes": [0, 2, 3]}, 0),
        ("MeanVarianceNormalization", 13, {"axes": [0, 2, 3]}, 0),
        ("SimplifiedLayerNormalization", 17, {}, 1),
        ("Relu", 1, {}, 0),
    ],
)
def test_operators_of_which_onnx_infers_nothing_keep_the_shape(
    follow, op, opset, attributes, groups
):
    inputs = {0: "x", 1: "x g"}.get(groups, "x g g")
    nodes = [node(op, inputs, "n", **attributes), node("Conv", "n w", "y")]
    stored = [weight("w", 6, 4, 3, 3), weight("g", groups or 1)]
    made = model(nodes, [value("x", 1, 4, 8, 8)], [unshaped("y")], stored, opset=opset, ir=8)
    report = summarize_trace(follow(made), "macs")
    assert report.totals.macs == 6 * 6 * 6 * 36
    assert not report.uncounted


@pytest.mark.parametrize("op", ["LessOrEqual", "GreaterOrEqual"])
def test_comparisons_of_opset_12_are_followed(follow, op):
    nodes = [node(op, "x t", "c"), node("Where", "c x t", "n"), node("Conv", "n w", "y")]
    made = model(nodes, [value("x", 1, 4, 8)], [unshaped("y")],
                 [weight("w", 6, 4, 3), weight("t")], opset=12, ir=7)  # fmt: skip
    assert summarize_trace(follow(made), "macs").totals.macs == 6 * 6 * 12


@pytest.mark.parametrize("opset", [9, 11, 12, 13])
def test_shapes_that_are_worked_out_in_old_opsets_are_known(follow, opset):
    axes = {"axes": [0]} if opset < 13 else {}
    inputs = "b" if opset < 13 else "b axes"
    nodes = [
        node("Shape", "x", "s"), node("Gather", "s zero", "b", axis=0),
        node("Unsqueeze", inputs, "bu", **axes), node("Concat", "bu rest", "shape", axis=0),
        node("Reshape", "x shape", "f"), node("MatMul", "f w", "y"),
    ]  # fmt: skip
    stored = [scalar("zero", 0), ints("axes", 0), ints("rest", -1), weight("w", 32, 10)]
    made = model(nodes, [value("x", "batch", 4, 8)], [unshaped("y")], stored, opset=opset, ir=7)
    report = summarize_trace(follow(made, batch=3), "macs")
    assert report.totals.macs == 3 * 320
    assert not report.uncounted


@pytest.mark.parametrize(
    "following",
    [
        node("Einsum", "u u", "y", equation="bij,bij->b"), node("MatMul", "u w", "y"),
        node("Gemm", "u w", "y"), node("Conv", "u w3", "y"), node("ConvTranspose", "u w3", "y"),
        node("LSTM", "u wl rl", "y", hidden_size=2),
        node("Attention", "u u u", "y", q_num_heads=2, kv_num_heads=2),
        node("QLinearMatMul", "u s z wq s z s z", "y"),
    ],
    ids=lambda item: item.op_type,
)  # fmt: skip
def test_nothing_of_unknown_shape_counts_as_zero(follow, following):
    stored = [weight("w", 8, 4), weight("w3", 4, 4, 3), weight("wl", 1, 8, 8),
              weight("rl", 1, 8, 2), weight("s"), weight("z", dtype=BYTES),
              weight("wq", 8, 4, dtype=BYTES)]  # fmt: skip
    trace = follow(after_foo([following], stored, opset=23))
    costed = cost_of(next(o for o in trace.operations if o.name != "my.domain.Foo"))
    assert costed.lacks_shape
    assert "because my.domain.Foo is not known here" in costed.reason


def test_a_size_of_minus_one_is_open(follow):
    made = model([node("Relu", "x", "y")], [value("x", -1, 3)], [unshaped("y")])
    assert follow(made, batch=5).outputs[0].spec.shape == (5, 3)


def test_text_has_a_shape_as_well(follow):
    made = model([node("StringConcat", "x x", "y")], [value("x", 3, dtype=8)], [unshaped("y", 8)])
    trace = follow(made)
    assert trace.outputs[0].spec.shape == (3,)
    assert trace.how.notes == ()
