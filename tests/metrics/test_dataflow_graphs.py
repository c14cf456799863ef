"""The dataflow between modules: what is drawn is the trace, no more and no less."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import BadOption, UnknownChoice, UnknownLayer
from cnninspect.metrics.dataflow import Graph
from cnninspect.metrics.dataflow_drafts import Drafts, Looks, factors_of
from cnninspect.metrics.stacks import stacked
from cnninspect.metrics.summarizing import summarize_trace

BLOCKS = {
    "residual": ("resnet34", "layer2.0"),
    "squeeze and excite": ("se_resnet18", "layer1.0"),
    "inception": ("googlenet", "inception3a"),
    "dense": ("densenet121", "features.denseblock1"),
    "mbconv": ("efficientnet_b0", "features.3.1"),
    "lstm": ("lstm", "recurrent"),
}
NETWORKS = ("resnet20", "lenet5", "googlenet", "densenet40_k12", "lstm", "vgg11")


@pytest.fixture(scope="module")
def drafted():
    """Graphs of networks of the zoo, each traced once."""
    traces: dict[str, object] = {}

    def make(reference: str, layer: str = "", **looks: object) -> Graph:
        if reference not in traces:
            trace = cnninspect.trace(reference)
            traces[reference] = trace, summarize_trace(trace, "macs")
        return Drafts(*traces[reference], Looks(**looks)).graph(layer)

    return make


def whole(graph: Graph, quantity: str) -> int:
    factors = factors_of(graph, counts_steps=quantity == "macs")
    return sum(getattr(node, quantity) * factors[node.path] for node in graph.nodes)


def edges_of(graph: Graph) -> set[tuple[str, str]]:
    prefix = f"{graph.layer}." if graph.layer else ""
    return {(e.source.removeprefix(prefix), e.target.removeprefix(prefix)) for e in graph.edges}


def check(graph: Graph) -> None:
    """What holds for every graph."""
    paths = [node.path for node in graph.nodes]
    assert len(set(paths)) == len(paths)
    assert all(edge.source in paths and edge.target in paths for edge in graph.edges)
    assert all(path in paths for frame in graph.frames for path in frame.nodes)
    assert whole(graph, "macs") == graph.macs
    waiting = {path: {e.source for e in graph.edges if e.target == path} for path in paths}
    while waiting:  # no circle
        ready = [path for path, sources in waiting.items() if not sources]
        assert ready
        waiting = {p: s - set(ready) for p, s in waiting.items() if p not in ready}


@pytest.mark.parametrize("level", ["auto", 1, 2, None])
@pytest.mark.parametrize("reference", NETWORKS)
def test_boxes_add_up_to_the_network_at_every_level(drafted, reference, level):
    graph = drafted(reference, level=level)
    check(graph)
    assert whole(graph, "parameters") == graph.parameters
    assert sum(node.share for node in graph.nodes) == pytest.approx(1)
    unfolded = drafted(reference, level=level, folded=False)
    check(unfolded)
    assert len(unfolded.nodes) >= len(graph.nodes)


@pytest.mark.parametrize("name", BLOCKS)
def test_boxes_of_a_block_add_up_to_it(drafted, name):
    check(drafted(*BLOCKS[name]))


def test_a_residual_block_has_its_shortcut(drafted):
    edges = edges_of(drafted(*BLOCKS["residual"]))
    assert {("input", "conv1"), ("input", "downsample.0"), ("downsample.1", "add")} <= edges
    assert {("bn2", "add"), ("add", "relu (2)"), ("relu (2)", "output")} <= edges


def test_a_dense_block_has_an_arrow_from_each_layer_to_each_later_one(drafted):
    edges = edges_of(drafted(*BLOCKS["dense"]))
    joins = {f"denselayer{i}": {t for s, t in edges if s == f"denselayer{i}"} for i in range(1, 7)}
    assert [len(targets) for targets in joins.values()] == [6, 5, 4, 3, 2, 1]
    assert len({target for source, target in edges if source == "input"}) == 7


def test_a_squeeze_and_excitation_scales_what_it_squeezed(drafted):
    edges = edges_of(drafted(*BLOCKS["squeeze and excite"]))
    assert {("bn2", "se.avgpool"), ("bn2", "se.mul"), ("se.sigmoid", "se.mul")} <= edges
    assert {("se.mul", "add"), ("input", "add")} <= edges


def test_an_inception_module_has_four_branches_into_one_concatenation(drafted):
    edges = edges_of(drafted(*BLOCKS["inception"]))
    assert len({target for source, target in edges if source == "input"}) == 4
    assert len({source for source, target in edges if target == "cat"}) == 4


def test_an_lstm_is_unrolled_over_time_with_its_parameters_once(drafted):
    graph = drafted("lstm", "recurrent")
    cells = [node for node in graph.nodes if node.calls]
    assert [node.name for node in cells] == ["t = 1", "t = 2", "t = 3–27", "t = 28"]
    assert [node.times for node in cells] == [1, 1, 25, 1]
    assert sum(node.parameters for node in cells) == graph.parameters
    handed_on = [edge for edge in graph.edges if edge.label == "h, c"]
    assert [e.target for e in handed_on] == [node.path for node in cells[1:]]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("both", [False, True], ids=["forwards", "both directions"])
@pytest.mark.parametrize("steps", [1, 3, 9])
def test_recurrences_of_all_kinds_add_up(kind, both, steps):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = kind(5, 4, num_layers=2, bidirectional=both)

        def forward(self, x):
            return self.cells(x)[0]

    graph = cnninspect.graph(Network(), [(steps, 2, 5)], layer="cells")
    check(graph)
    assert sum(node.parameters for node in graph.nodes) == graph.parameters
    assert {node.kind for node in graph.nodes} == {"step"}


def test_a_cell_that_runs_at_each_step_is_one_box_over_time():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(4, 4)

        def forward(self, x):
            h = c = x[0]
            for row in x:
                h, c = self.cell(row, (h, c))
            return h

    graph = cnninspect.graph(Loop(), [(9, 1, 4)])
    check(graph)
    (cell,) = [node for node in graph.nodes if node.kind == "module"]
    assert (cell.times, cell.is_recurrence, cell.name) == (9, True, "cell over time")
    few = cnninspect.graph(Loop(), [(3, 1, 4)])
    names = [node.path for node in few.nodes if node.kind == "module"]
    assert names == ["cell", "cell (2)", "cell (3)"]


def test_equal_blocks_in_a_row_are_one_box(drafted):
    graph = drafted("resnet34")
    times = {node.path: (node.name, node.times) for node in graph.nodes if node.times > 1}
    assert times == {
        "layer1.0": ("0–2", 3),
        "layer2.1": ("1–3", 3),
        "layer3.1": ("1–5", 5),
        "layer4.1": ("1–2", 2),
    }


def test_a_repeated_pattern_is_a_frame(drafted):
    frames = [frame for frame in drafted("vgg16").frames if frame.times > 1]
    assert [(f.name, f.times, f.nodes) for f in frames] == [
        ("12–15", 2, ("features.12", "features.13")),
        ("19–22", 2, ("features.19", "features.20")),
        ("24–29", 3, ("features.24", "features.25")),
    ]


def test_blocks_that_another_arrow_leaves_are_not_folded():
    class Tapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))

        def forward(self, x):
            first = self.layers[0](x)
            second = self.layers[1](first)
            return self.layers[3](self.layers[2](second)) + second

    graph = cnninspect.graph(Tapped(), [(1, 4)], level=2)
    check(graph)
    assert {node.path: node.times for node in graph.nodes if node.kind == "module"} == {
        "layers.0": 2,
        "layers.2": 2,
    }


def test_a_mask_that_all_blocks_share_does_not_hinder_folding():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.mask = nn.Linear(4, 4)
            self.blocks = nn.ModuleList(nn.Bilinear(4, 4, 4) for _ in range(5))

        def forward(self, x):
            mask = self.mask(x)
            for block in self.blocks:
                x = block(x, mask)
            return x

    graph = cnninspect.graph(Masked(), [(1, 4)], level=2)
    check(graph)
    assert [node.times for node in graph.nodes if node.type == "Bilinear"] == [5]


def test_five_thousand_equal_layers_fold_by_themselves():
    rows = [layer for _ in range(2500) for layer in (nn.Linear(4, 4), nn.ReLU())]
    graph = cnninspect.graph(nn.Sequential(*rows), [(1, 4)])
    check(graph)
    assert len(graph.nodes) == 4
    assert [frame.times for frame in graph.frames] == [2500]


def test_many_different_layers_are_left_out_in_the_middle_and_said_so():
    widths = [3 + i % 7 + i // 200 for i in range(1001)]
    net = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(widths)))
    graph = cnninspect.graph(net, [(1, widths[0])])
    check(graph)
    assert len(stacked(graph)) < 100
    assert "1,000 boxes are too many to read: 940 in the middle are drawn as one" in graph.notes[0]
    assert whole(graph, "parameters") == graph.parameters


def test_the_level_may_be_named(drafted):
    assert {n.path for n in drafted("resnet20", level=1).nodes if n.kind == "module"} == {
        "conv1", "bn1", "relu", "layer1", "layer2", "layer3", "avgpool", "fc"
    }  # fmt: skip
    with pytest.raises(BadOption, match="--level 1 is not possible"):
        drafted("resnet20", "layer1", level=1)
    with pytest.raises(UnknownLayer, match="no layer 'layer9'"):
        drafted("resnet20", "layer9")
    with pytest.raises(UnknownChoice, match="--color-by"):
        drafted("resnet20", color_by="taste")


@pytest.mark.parametrize("color_by", ["macs", "parameters", "time", "memory"])
def test_shares_are_of_what_the_colour_shows(drafted, color_by):
    graph = drafted("resnet20", color_by=color_by)
    values = {"time": "seconds", "memory": "written_bytes"}.get(color_by, color_by)
    factors = factors_of(graph)
    total = sum((getattr(n, values) or 0) * factors[n.path] for n in graph.nodes)
    for node in graph.nodes:
        part = (getattr(node, values) or 0) * factors[node.path]
        assert node.share == pytest.approx(part / total)


def test_unknown_operations_are_said_not_counted_as_nothing():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.linalg.eigvals(x).real

    graph = cnninspect.graph(Odd(), [(3, 3)])
    assert sum(node.uncounted for node in graph.nodes) == 1
    assert graph.uncounted


@pytest.fixture(scope="module")
def residual_file(tmp_path_factory):
    """A residual block in a file, with nodes named as exporters of PyTorch name them."""
    helper = pytest.importorskip("onnx").helper
    shape = (1, 4, 8, 8)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="/block/conv1/Conv", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], name="/block/relu/Relu"),
        helper.make_node("Conv", ["b", "w"], ["c"], name="/block/conv2/Conv", pads=[1] * 4),
        helper.make_node("Add", ["c", "x"], ["d"], name="/block/Add"),
        helper.make_node("Relu", ["d"], ["y"], name="/block/relu_1/Relu"),
    ]
    weights = helper.make_tensor("w", 1, (4, 4, 3, 3), [0.0] * 144)
    ends = [helper.make_tensor_value_info(name, 1, shape) for name in "xy"]
    body = helper.make_graph(nodes, "net", ends[:1], ends[1:], [weights])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("files") / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def test_an_onnx_file_has_the_graph_of_its_network(residual_file):
    graph = cnninspect.graph(residual_file, level=2)
    check(graph)
    assert graph.macs == 2 * 144 * 64
    edges = {(source.rpartition("/")[2], target) for source, target in edges_of(graph)}
    assert {("x", "block.conv1"), ("x", "block.Add"), ("block.conv2", "block.Add")} <= edges
    inside = cnninspect.graph(residual_file, layer="block")
    check(inside)
    assert {("x", "conv1"), ("conv1", "relu"), ("conv2", "Add"), ("x", "Add")} <= edges_of(inside)


def test_every_box_that_can_be_gone_into_has_its_inside(drafted):
    trace = cnninspect.trace("googlenet")
    graphs = Drafts(trace, summarize_trace(trace, "macs"), Looks()).with_insides()
    drawn = {graph.layer for graph in graphs}
    assert {n.module for g in graphs for n in g.nodes if n.has_inside} <= drawn
    for graph in graphs:
        check(graph)
