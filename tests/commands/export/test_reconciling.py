"""Why a file has other numbers than its network: from traces made by hand."""

import pytest

from cnninspect.commands.export.analysis import (
    BIAS,
    CONSTANT,
    CUT,
    FOLDED,
    JOINED,
    OTHERWISE,
    PRODUCTS,
    REWRITTEN,
    SAME,
    UNKNOWN,
    UNUSED,
    WORKED_OUT,
    ZERO,
    Evidence,
    reconcile,
)
from cnninspect.records.exports import Kinship
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import Call, Operation, TensorSpec
from cnninspect.records.traces import Buffer, HowTraced, Layer, Parameter, Trace


def layer(path, kind="Linear", *, calls=1, buffers=None, **parameters):
    return Layer(
        path, kind, calls,
        parameters=tuple(Parameter(n, TensorSpec((size,))) for n, size in parameters.items()),
        buffers=tuple(Buffer(n, TensorSpec((size,))) for n, size in (buffers or {}).items()),
    )  # fmt: skip


def trace(*layers, work=(), calls=()):
    """A trace of these layers; `work` are pairs of a layer and the columns of its product."""
    made = tuple(Call(i, path, product(columns), (-1,)) for i, (path, columns) in enumerate(work))
    return Trace(ModelInfo("m", "zoo", "m"), (), (), (layer(""), *layers), (*made, *calls),
                 HowTraced("meta", "abstract"))  # fmt: skip


def product(columns):
    arguments = (("A", TensorSpec((1, 10))), ("B", TensorSpec((10, columns))))
    return Operation("onnx.MatMul", arguments, (TensorSpec((1, columns)),))


def reasons(network, graph, *kinships):
    found = reconcile(network, graph, Evidence(tuple(Kinship(*k) for k in kinships)))
    total = sum(d.change for d in found.differences if d.quantity == "parameters")
    assert found.parameters.onnx - found.parameters.torch == total
    return [(d.change, d.reason, d.layers) for d in found.differences]


def test_the_same_is_not_explained():
    network = trace(layer("fc", weight=40, bias=4), work=[("fc", 4)])
    found = reconcile(network, network)
    assert (found.parameters.torch, found.parameters.onnx) == (44, 44)
    assert (found.macs.torch, found.macs.onnx) == (40, 40)
    assert found.differences == ()


def test_batch_norm_is_folded_and_leaves_a_bias():
    network = trace(layer("conv", weight=40), layer("bn", "BatchNorm2d", weight=4, bias=4))
    graph = trace(layer("conv", weight=40, bias=4))
    assert reasons(network, graph) == [(-8, FOLDED, ("bn",)), (4, BIAS, ("conv",))]


def test_batch_norm_that_the_file_still_has_is_not_folded():
    network = trace(layer("bn", "BatchNorm2d", weight=4, bias=4))
    node = Operation("onnx.BatchNormalization", (("X", TensorSpec((1, 4))),), (TensorSpec((1, 4)),))
    graph = trace(layer("bn", weight=4), calls=(Call(0, "bn", node, (-1,)),))
    assert reasons(network, graph) == [(-4, UNKNOWN, ("bn",))]


def test_zeros_unused_layers_and_what_nobody_knows_are_told_apart():
    network = trace(
        layer("fc", weight=40, bias=4), layer("aux", calls=0, weight=7), layer("scale", gain=9)
    )
    graph = trace(layer("fc", weight=40))
    assert reasons(network, graph, ("fc.bias", "zeros")) == [
        (-4, ZERO, ("fc",)), (-7, UNUSED, ("aux",)), (-9, UNKNOWN, ("scale",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "reason"), [("same", SAME), ("cut", CUT), ("joined", JOINED), ("form", REWRITTEN)]
)
def test_values_tell_where_a_parameter_went(how, reason):
    network = trace(layer("norm", weight=8), layer("other", weight=8))
    graph = trace(layer("other", weight=8))
    assert reasons(network, graph, ("norm.weight", how, "other.weight")) == [
        (-8, reason, ("norm",))
    ]
    assert reasons(network, graph) == [(-8, UNKNOWN, ("norm",))]


def test_a_parameter_of_which_only_constants_are_made_is_worked_out():
    spec = TensorSpec((9,))
    scaled = Operation("aten.mul", (("self", spec), ("other", 2.0)), (spec,))
    work = (Call(0, "scale", scaled, (), ("scale.gain",)), Call(1, "", scaled, (0, -1)))
    network = trace(layer("scale", gain=9), calls=work)
    assert reasons(network, trace()) == [(-9, WORKED_OUT, ("scale",))]


def test_tensors_of_one_size_are_not_taken_for_each_other_where_values_say_otherwise():
    network = trace(layer("a", weight=8))
    graph = trace(layer("b", val_3=8))
    assert reasons(network, graph) == []
    found = reasons(network, graph, ("val_3", "buffer", "mask"))
    assert found == [(-8, UNKNOWN, ("a",)), (8, CONSTANT, ("b",))]


def test_another_name_for_the_same_weight_is_no_difference():
    network = trace(layer("embed", weight=66))
    graph = trace(layer("head", weight=66))
    assert reasons(network, graph) == []


def test_a_weight_in_another_form_stays_with_its_layer():
    network = trace(layer("pool", coefficient=6))
    graph = trace(layer("pool", expanded=24))
    assert reasons(network, graph) == [(18, REWRITTEN, ("pool",))]


def test_buffers_that_become_weights_are_constants():
    network = trace(layer("head", weight=40, buffers={"scale": 3}))
    graph = trace(layer("head", weight=40, scale=3))
    assert reasons(network, graph) == [(3, CONSTANT, ("head",))]


def test_shared_weights_count_once():
    shared = Parameter("weight", TensorSpec((66,)), shared_with="embed.weight")
    network = trace(layer("embed", weight=66), Layer("head", "Linear", 1, parameters=(shared,)))
    assert reconcile(network, network).parameters.torch == 66


def test_products_of_constants_are_gone_from_the_file():
    constant = Call(0, "a", product(3), ())
    network = trace(layer("a"), layer("b"), calls=(constant, Call(1, "b", product(4), (-1,))))
    graph = trace(layer("b"), work=[("b", 4)])
    found = reconcile(network, graph)
    assert (found.macs.torch, found.macs.onnx) == (70, 40)
    assert [(d.change, d.reason, d.layers) for d in found.differences] == [(-30, PRODUCTS, ("a",))]


def test_products_on_data_that_are_gone_are_not_explained():
    network = trace(layer("a"), layer("b"), work=[("a", 3), ("b", 4)])
    graph = trace(layer("b"), work=[("b", 4)])
    assert [(d.change, d.reason, d.layers) for d in reconcile(network, graph).differences] == [
        (-30, UNKNOWN, ("a",))
    ]
    fewer = trace(layer("a"), layer("b"), work=[("a", 1), ("b", 4)])
    assert [(d.change, d.reason, d.layers) for d in reconcile(network, fewer).differences] == [
        (-20, UNKNOWN, ("a",))
    ]


def test_what_could_not_be_counted_in_the_file_explains_nothing_and_is_named():
    network = trace(layer("a"), layer("b"), work=[("a", 3), ("b", 4)])
    strange = Operation("my.Foo", (("x", TensorSpec((1,))),), (TensorSpec((1,)),))
    graph = trace(layer("b"), calls=(Call(0, "a", strange, (-1,)), Call(1, "b", product(4), (0,))))
    (difference,) = reconcile(network, graph).differences
    assert (difference.change, difference.reason) == (-30, UNKNOWN)
    assert "my.Foo" in difference.remark


def test_layers_that_are_written_as_other_products_are_named():
    network = trace(layer("a"), layer("b"), work=[("a", 3), ("b", 4)])
    graph = trace(layer("a"), layer("b"), work=[("a", 2), ("a", 2), ("a", 1), ("b", 1)])
    assert [(d.change, d.reason, d.layers) for d in reconcile(network, graph).differences] == [
        (-10, OTHERWISE, ("a", "b"))
    ]


def test_work_that_only_moved_to_another_layer_is_no_difference():
    network = trace(layer("a"), layer("b"), work=[("a", 3)])
    graph = trace(layer("a"), layer("b"), work=[("b", 3)])
    assert reconcile(network, graph).differences == ()
