"""Gradient paths: exact numbers, lengths, and which tensors carry a gradient."""

from __future__ import annotations

from collections import Counter
from math import comb

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import cnninspect
from cnninspect.metrics.depth import weighted_layers
from cnninspect.metrics.gradient_paths import gradient_paths
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import Call, NamedTensor, Operation, TensorSpec
from cnninspect.records.passes import WeightedLayer
from cnninspect.records.traces import HowTraced, Layer, Parameter, Trace


def paths_of(model, *inputs, mode="eval"):
    """Paths by length."""
    trace = cnninspect.trace(model, inputs or None, mode=mode)
    found = gradient_paths(trace, weighted_layers(trace))
    lengths = {item.length: item.paths for item in found.lengths}
    assert sum(lengths.values()) == found.count
    assert list(lengths) == sorted(lengths)
    return lengths


class Sum(nn.Module):
    """A function of one input, made from a function."""

    def __init__(self, function, *layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers)


def residual(x, *layers):
    return x + layers[1](F.relu(layers[0](x)))


def linear(*sizes):
    return [nn.Linear(4, 4) for _ in range(*sizes)]


def test_three_residual_blocks_give_eight_paths():
    blocks = nn.Sequential(*(Sum(residual, *linear(2)) for _ in range(3)))
    assert paths_of(blocks, (1, 4)) == {0: 1, 2: 3, 4: 3, 6: 1}


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_n_blocks_give_a_binomial_distribution(depth):
    blocks = nn.Sequential(*(Sum(residual, *linear(2)) for _ in range(depth)))
    assert paths_of(blocks, (1, 4)) == {2 * k: comb(depth, k) for k in range(depth + 1)}


def dense(x, *layers):
    maps = [x]
    for layer in layers:
        maps.append(layer(torch.cat(maps, 1)))
    return torch.cat(maps, 1)


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_a_dense_block_of_n_layers_gives_two_to_the_n(depth):
    # Layer i is reached from the input and all earlier ones: 1, 2, 4, … paths; with the input's own
    # one these add up to 2^n.  A path goes through any choice of layers: binomial lengths.
    layers = [nn.Conv2d(2 + i, 1, 1) for i in range(depth)]
    assert paths_of(Sum(dense, *layers), (1, 2, 3, 3)) == {
        k: comb(depth, k) for k in range(depth + 1)
    }


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("resnet18", 8), ("resnet34", 16), ("resnet50", 16), ("resnet110", 54), ("preresnet18", 8),
     ("densenet40_k12", 36), ("densenet121", 58), ("resnet1202", 600)],
)  # fmt: skip
def test_networks_of_residual_or_dense_blocks_give_a_power_of_two(name, blocks):
    assert sum(paths_of(name).values()) == 2**blocks


def test_a_block_with_a_projection_still_doubles_the_paths_and_lengthens_one():
    # ResNet-34: 13 blocks with 2 layers or none, 3 with 2 or the projection; stem and head.
    expected = Counter()
    for plain in range(14):
        for projected in range(4):
            length = 2 + 2 * plain + 2 * projected + (3 - projected)
            expected[length] += comb(13, plain) * comb(3, projected)
    assert paths_of("resnet34") == expected


@pytest.mark.parametrize(
    ("name", "layers"),
    [("plain34", 34), ("plain110", 110), ("vgg16_bn", 16), ("alexnet", 8), ("alexnet_grouped", 8),
     ("mlp", 2), ("lenet5_modern", 5)],
)  # fmt: skip
def test_plain_networks_have_one_path_however_their_norms_are_written(name, layers):
    assert paths_of(name) == {layers: 1}
    assert paths_of(name, mode="train") == {layers: 1}


@pytest.mark.parametrize(
    ("function", "layers", "paths"),
    [
        (lambda x: x * x, 0, {0: 2}),
        (lambda x: x + x.detach(), 0, {0: 1}),
        (lambda x: x * (x > 0), 0, {0: 1}),
        (lambda x: torch.where(x > 0, x, -x), 0, {0: 2}),
        (lambda x: F.dropout(x, 0.5, training=True), 0, {0: 1}),
        (lambda x: x + torch.randn_like(x) + torch.zeros_like(x), 0, {0: 1}),
        (lambda x: x * x.round(), 0, {0: 1}),
        (lambda x: torch.cat([x, x, x]), 0, {0: 3}),
        (lambda x: x.relu_().mul_(2), 0, {0: 1}),
        (lambda x, gate: x * torch.sigmoid(gate(x)), 1, {0: 1, 1: 1}),
        (lambda x, a, b: a(x) + b(x), 2, {1: 2}),
        (lambda x, a: a(a(x)), 1, {2: 1}),
        (lambda x, a: a(x).argmax(-1).float() + a(x).sum(), 1, {1: 1}),
        (lambda x, a: torch.empty(3, 4).copy_(a(x)), 1, {1: 1}),
        (lambda x, q, k, v: F.scaled_dot_product_attention(q(x), k(x), v(x)), 3, {1: 3}),
    ],
)
def test_tensors_that_carry_a_gradient(function, layers, paths):
    assert paths_of(Sum(function, *linear(layers)), (3, 4)) == paths


def test_positions_of_a_maximum_carry_none():
    class Unpools(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            pooled, where = F.max_pool2d(self.conv(x), 2, return_indices=True)
            return F.max_unpool2d(pooled, where, 2)

    assert paths_of(Unpools(), (1, 1, 4, 4)) == {1: 1}


def test_an_activation_that_is_written_out_is_one_step():
    class Gelu(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.045 * x**3)))

    assert paths_of(nn.Sequential(*linear(1), Gelu(), Gelu(), *linear(1)), (1, 4)) == {2: 1}


def test_paths_from_token_ids_begin_where_they_are_looked_up():
    assert paths_of("lstm_imdb") == {3: 2}  # the last step forward and the first backward


def test_attention_is_as_long_as_its_projections():
    class SelfAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, x, x, need_weights=False)[0]

    # From the projection on, there are the ways of the query, the key and the value.
    assert paths_of(SelfAttention(), (3, 1, 4)) == {2: 3}


def test_a_computed_weight_is_a_weight():
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    assert paths_of(nn.Sequential(normed, nn.Linear(4, 4)), (1, 4)) == {2: 1}


def test_every_output_counts():
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.a, self.b = linear(3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            x = self.trunk(x)
            return self.a(x), self.b(F.relu(self.b(x))), x.argmax(-1)

    assert paths_of(TwoHeads(), (1, 4)) == {2: 1, 3: 1}


def test_what_is_left_unused_counts_for_nothing():
    assert paths_of(Sum(lambda x, a: [a(x), x * 2][1], *linear(1)), (1, 4)) == {0: 1}


# --- any graph, against going through all paths one by one ---

FLOAT = TensorSpec((2,))


@st.composite
def graphs(draw):
    """Sources of each call, whether it is weighted, and the calls that the outputs come from."""
    size = draw(st.integers(1, 9))
    calls = [draw(st.lists(st.integers(-2, i - 1), max_size=3).map(tuple)) for i in range(size)]
    weighted = [draw(st.booleans()) for _ in range(size)]
    ends = draw(st.lists(st.integers(-1, size - 1), min_size=1, max_size=3).map(tuple))
    return calls, weighted, ends


def trace_of(calls, weighted, ends):
    weight = TensorSpec((2, 2))
    multiply = Operation("aten.mm", (("self", weight), ("mat2", weight)), (FLOAT,))
    add = Operation("aten.add", (("self", FLOAT),), (FLOAT,))
    layers = [Layer("", "Net", 1)]
    layers += [
        Layer(f"w{i}", "Linear", 1, parameters=(Parameter("weight", weight),))
        for i, is_weighted in enumerate(weighted)
        if is_weighted
    ]
    made = tuple(
        Call(i, f"w{i}", multiply, sources, (f"w{i}.weight",))
        if weighted[i]
        else Call(i, "", add, sources)
        for i, sources in enumerate(calls)
    )
    inputs = (NamedTensor("a", FLOAT), NamedTensor("b", FLOAT))
    return Trace(
        ModelInfo("n", "zoo", "n"), inputs, (), tuple(layers), made, HowTraced("", ""),
        origins=ends,
    )  # fmt: skip


def enumerated(calls, weighted, ends):
    found = Counter()

    def walk(place, length):
        if place < 0:
            found[length] += 1
            return
        for source in calls[place]:
            walk(source, length + weighted[place])

    for end in ends:
        walk(end, 0)
    return found


@given(graphs())
def test_any_graph_has_the_paths_that_going_through_them_finds(graph):
    trace = trace_of(*graph)
    layers = [WeightedLayer(p.path, p.type, ("w",)) for p in trace.layers[1:]]
    found = gradient_paths(trace, layers)
    assert {item.length: item.paths for item in found.lengths} == enumerated(*graph)
    assert found.count == sum(enumerated(*graph).values())
