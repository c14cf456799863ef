"""Why a file has other numbers than its network: from traces made by hand."""

from cnninspect.commands.export.analysis import (
    BIAS,
    CONSTANT,
    DROPPED,
    FOLDED,
    OTHERWISE,
    PRODUCTS,
    REWRITTEN,
    UNUSED,
    ZERO,
    reconcile,
)
from cnninspect.records.layers import Buffer, Layer, Parameter
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import Call, Operation
from cnninspect.records.tensors import TensorSpec
from cnninspect.records.traces import HowTraced, Trace


def layer(path, kind="Linear", *, calls=1, buffers=None, **parameters):
    return Layer(
        path, kind, calls,
        parameters=tuple(Parameter(n, TensorSpec((size,))) for n, size in parameters.items()),
        buffers=tuple(Buffer(n, TensorSpec((size,))) for n, size in (buffers or {}).items()),
    )  # fmt: skip


def trace(*layers, work=()):
    """A trace of these layers; `work` are pairs of a layer and the columns of its product."""
    calls = tuple(Call(i, path, product(columns), (-1,)) for i, (path, columns) in enumerate(work))
    return Trace(ModelInfo("m", "zoo", "m"), (), (), (layer(""), *layers), calls,
                 HowTraced("meta", "abstract"))  # fmt: skip


def product(columns):
    arguments = (("A", TensorSpec((1, 10))), ("B", TensorSpec((10, columns))))
    return Operation("onnx.MatMul", arguments, (TensorSpec((1, columns)),))


def reasons(network, graph, zeros=()):
    found = reconcile(network, graph, zeros)
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


def test_zeros_unused_layers_and_parts_of_others_are_told_apart():
    network = trace(
        layer("fc", weight=40, bias=4), layer("aux", calls=0, weight=7), layer("scale", gain=9)
    )
    graph = trace(layer("fc", weight=40))
    assert reasons(network, graph, zeros={"fc.bias"}) == [
        (-4, ZERO, ("fc",)), (-7, UNUSED, ("aux",)), (-9, DROPPED, ("scale",)),
    ]  # fmt: skip


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
    network = trace(layer("a"), layer("b"), work=[("a", 3), ("b", 4)])
    graph = trace(layer("b"), work=[("b", 4)])
    found = reconcile(network, graph)
    assert (found.macs.torch, found.macs.onnx) == (70, 40)
    assert [(d.change, d.reason, d.layers) for d in found.differences] == [(-30, PRODUCTS, ("a",))]


def test_layers_that_are_written_in_another_way_are_named():
    network = trace(layer("a"), layer("b"), work=[("a", 3), ("b", 4)])
    graph = trace(layer("a"), layer("b"), work=[("a", 5), ("b", 1)])
    assert [(d.change, d.reason, d.layers) for d in reconcile(network, graph).differences] == [
        (-10, OTHERWISE, ("a", "b"))
    ]


def test_work_that_only_moved_to_another_layer_is_no_difference():
    network = trace(layer("a"), layer("b"), work=[("a", 3)])
    graph = trace(layer("a"), layer("b"), work=[("b", 3)])
    assert reconcile(network, graph).differences == ()
