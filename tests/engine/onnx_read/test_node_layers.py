"""Layers from metadata, from names of nodes, from names of weights, or from nothing."""

import pytest
from graphs import ints, model, node, unshaped, value, weight
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.engine.onnx_read.node_layers import (
    CLASSES,
    DEEPEST,
    REWRITTEN,
    SCOPES,
    owner_of,
    place_of,
    quoted,
    tidy,
)


def torch_notes(scopes, classes, **others):
    return {SCOPES: str([*scopes, "op"]), CLASSES: str([*classes, "aten.op"]), **others}


def layers_of(trace):
    return [(layer.path, layer.type) for layer in trace.layers]


def test_modules_of_torchs_exporter_become_layers_with_their_classes(follow):
    notes = torch_notes(["", "block", "block.conv"], ["net.Net", "net.Block", "torch.nn.Conv2d"])
    made = model([node("Conv", "x w", "y", notes=notes)], [value("x", 1, 3, 8, 8)],
                 [unshaped("y")], [weight("w", 4, 3, 3, 3)])  # fmt: skip
    assert layers_of(follow(made)) == [("", "Net"), ("block", "Block"), ("block.conv", "Conv2d")]


def test_a_convolution_that_took_in_batch_norm_belongs_to_the_owner_of_its_weight():
    notes = torch_notes(["", "bn"], ["net.Net", "torch.nn.BatchNorm2d"], **{REWRITTEN: "Fuse"})
    made = node("Conv", "x conv.weight", "y", notes=notes)
    assert place_of(made, ["conv.weight"], by_names=False).path == "conv"


def test_a_module_that_runs_again_is_the_same_layer():
    notes = torch_notes(["", "relu@1"], ["net.Net", "torch.nn.ReLU"])
    assert place_of(node("Relu", "x", "y", notes=notes), [], by_names=False).path == "relu"


def test_our_own_metadata_wins():
    notes = torch_notes(["", "bn"], ["net.Net", "BatchNorm2d"])
    notes |= {"cnninspect.layer": "stem.conv", "cnninspect.type": "Conv2d"}
    place = place_of(node("Conv", "x w", "y", notes=notes), [], by_names=False)
    assert place.path == "stem.conv"
    assert place.types[-1] == ("stem.conv", "Conv2d")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/features/features.3/Conv", "features.3"),
        ("/encoder/layers.0/self_attn/MatMul_1", "encoder.layers.0.self_attn"),
        ("model/stem/conv2d/Conv2D", "model.stem.conv2d"),
        ("/Gemm", ""),
    ],
)
def test_names_of_nodes_that_are_paths(name, path):
    assert place_of(node("Conv", "x", "y", name=name), [], by_names=True).path == path


def test_names_of_weights_tell_where_nothing_else_does(follow):
    made = model(
        [node("Conv", "x features.0.weight", "a", name="Conv_0"), node("Relu", "a", "y")],
        [value("x", 1, 3, 8, 8)], [unshaped("y")], [weight("features.0.weight", 4, 3, 3, 3)],
    )  # fmt: skip
    assert [layer.path for layer in follow(made).layers] == ["", "features", "features.0"]


def test_each_node_with_weights_is_a_layer_where_nothing_tells(follow):
    made = model(
        [node("Conv", "x w1", "a", name="Conv_0"), node("Relu", "a", "b", name="Relu_1"),
         node("Conv", "b w2", "y", name="Conv_2")],
        [value("x", 1, 3, 8, 8)], [unshaped("y")],
        [weight("w1", 4, 3, 3, 3), weight("w2", 4, 4, 3, 3)],
    )  # fmt: skip
    assert layers_of(follow(made))[1:] == [("Conv_0", "Conv"), ("Conv_2", "Conv")]


def test_how_often_a_layer_ran_and_what_went_in_and_out(follow):
    def relu(given, made):
        return node("Relu", given, made, name=f"/block/act/{made}")

    made = model(
        [relu("x", "a"), node("Conv", "a w", "b", name="/block/conv/Conv"), relu("b", "y")],
        [value("x", 1, 3, 8, 8)], [unshaped("y")], [weight("w", 4, 3, 3, 3)],
    )  # fmt: skip
    layers = {layer.path: layer for layer in follow(made).layers}
    assert (layers["block"].calls, layers["block.act"].calls, layers["block.conv"].calls) == (
        1,
        2,
        1,
    )
    assert [spec.shape for spec in layers["block.conv"].inputs] == [(1, 3, 8, 8)]
    assert [spec.shape for spec in layers["block.conv"].outputs] == [(1, 4, 6, 6)]
    assert [spec.shape for spec in layers["block"].inputs] == [(1, 3, 8, 8)]
    assert [spec.shape for spec in layers["block"].outputs] == [(1, 4, 6, 6)]


@given(st.lists(st.text(max_size=5), max_size=100))
def test_a_path_has_no_empty_names_and_no_more_than_it_may(names):
    path = tidy(names)
    assert "" not in path.split(".") or path == "" or any("." in name for name in names)
    assert len(tidy(["a"] * 100).split(".")) == DEEPEST


@given(st.lists(st.text(alphabet="ab.'\"\\ ", max_size=6)))
def test_lists_as_python_prints_them_are_taken_apart(names):
    plain = [name for name in names if not set(name) & set("'\"\\")]
    assert quoted(str(plain)) == plain


def test_names_without_dots_own_nothing():
    assert owner_of(["onnx::Conv_12", "weight"]) is None
    assert owner_of(["weight", "a.b.c"]) == "a.b"


def test_a_node_whose_name_is_no_path_is_a_layer_among_those_whose_names_are(follow):
    made = model(
        [
            node("Transpose", "x", "a", name="net/Expand", perm=[0, 3, 1, 2]),
            node("Conv", "a conv2d_5/kernel:0", "b", name="conv2d_5"),
            node("Relu", "b", "c", name="net/conv2d_5/Relu"),
            node("MatMul", "c w", "y", name="net/dense/MatMul"),
        ],
        [value("x", 1, 8, 8, 3)], [unshaped("y")],
        [weight("conv2d_5/kernel:0", 4, 3, 3, 3), weight("w", 6, 2)],
    )  # fmt: skip
    trace = follow(made)
    assert [call.layer for call in trace.calls] == ["net", "conv2d_5", "net.conv2d_5", "net.dense"]
    assert trace.layers[0].type == "graph"


@pytest.mark.parametrize("between", [(), ("Cast",), ("Identity", "Cast")])
def test_a_product_belongs_to_the_layer_of_the_bias_that_is_added_after_it(follow, between):
    names = ["m", *(f"b{i}" for i in range(len(between)))]
    nodes = [node("MatMul", "x onnx::MatMul_7", "m")]
    for op, before, made in zip(between, names, names[1:]):
        nodes.append(node(op, before, made, **({"to": 1} if op == "Cast" else {})))
    nodes.append(node("Add", f"{names[-1]} head.fc.bias", "y"))
    trace = follow(
        model(nodes, [value("x", 2, 4)], [unshaped("y")],
              [weight("onnx::MatMul_7", 4, 3), weight("head.fc.bias", 3)])
    )  # fmt: skip
    product = next(call for call in trace.calls if call.operation.name == "onnx.MatMul")
    assert product.layer == "head.fc"


def test_the_model_itself_is_called_by_the_name_of_its_graph(follow):
    made = model([node("Slice", "x i i", "y")], [value("x", 2)], [unshaped("y")], [ints("i", 0)])
    assert follow(made).layers[0].type == "graph"
