"""What holds for the summary of every network, tried on random ones."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import cnninspect
from cnninspect.metrics.summary import Counts, Summary, limit_level
from cnninspect.records.traces import parent_of


class Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Twice(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.body(x))


class Unused(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.spare = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Tied(nn.Module):
    """Two convolutions with one weight."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


CHANNELS = 4
LEAVES = st.sampled_from(
    [
        lambda: nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        lambda: nn.Conv2d(CHANNELS, CHANNELS, 1, groups=2, bias=False),
        lambda: nn.BatchNorm2d(CHANNELS),
        lambda: nn.ReLU(inplace=True),
        lambda: nn.ConvTranspose2d(CHANNELS, CHANNELS, 3, padding=1),
        lambda: nn.AvgPool2d(3, 1, 1),
        lambda: Tied(CHANNELS),
    ]
)


def with_parts(parts: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(
            lambda makers: lambda: nn.Sequential(*(make() for make in makers))
        ),
        parts.map(lambda make: lambda: Residual(make())),
        parts.map(lambda make: lambda: Twice(make())),
        parts.map(lambda make: lambda: Unused(make())),
        parts.map(lambda make: lambda: nn.Sequential(*[make()] * 2)),
    )


NETWORKS = st.recursive(LEAVES, with_parts, max_leaves=8).map(lambda make: make())


def summary_of(network: nn.Module, batch: int = 1) -> Summary:
    return cnninspect.summarize(network, (torch.randn(batch, CHANNELS, 6, 5),))


@settings(max_examples=60)
@given(NETWORKS)
def test_own_costs_add_up_to_the_total(network: nn.Module) -> None:
    report = summary_of(network)
    together = sum((layer.own for layer in report.layers), Counts())
    assert together == report.layers[0].total
    assert together.macs == report.totals.macs
    assert together.parameters == report.totals.parameters
    assert report.totals.flops == 2 * report.totals.macs


@settings(max_examples=60)
@given(NETWORKS)
def test_a_layers_total_is_its_own_and_its_childrens(network: nn.Module) -> None:
    layers = summary_of(network).layers
    for layer in layers:
        children = [l.total for l in layers if l.path and parent_of(l.path) == layer.path]  # noqa: E741
        assert layer.total == sum(children, layer.own)


@settings(max_examples=60)
@given(NETWORKS)
def test_each_parameter_is_counted_once(network: nn.Module) -> None:
    distinct = {id(p): p.numel() for p in network.parameters()}
    assert summary_of(network).totals.parameters == sum(distinct.values())


@settings(max_examples=60)
@given(NETWORKS, st.integers(0, 4))
def test_what_a_level_hides_is_added_to_the_nearest_shown_ancestor(
    network: nn.Module, level: int
) -> None:
    report = summary_of(network)
    limited = limit_level(report, level)
    assert sum((layer.own for layer in limited.layers), Counts()) == report.layers[0].total
    assert all(layer.level <= level for layer in limited.layers)
    before = {layer.path: layer for layer in report.layers}
    for layer in limited.layers:
        assert layer.total == before[layer.path].total
        if layer.level == level:
            assert layer.own == layer.total


@settings(max_examples=40)
@given(NETWORKS, st.integers(0, 5))
def test_costs_scale_linearly_with_the_batch(network: nn.Module, batch: int) -> None:
    one, many = summary_of(network), summary_of(network, batch)
    for single, several in zip(one.layers, many.layers):
        assert several.own.macs == batch * single.own.macs
        assert several.own.activations == batch * single.own.activations
        assert several.own.parameters == single.own.parameters


@settings(max_examples=60)
@given(NETWORKS)
def test_parents_come_before_their_children_and_every_module_has_a_row(network: nn.Module) -> None:
    paths = [layer.path for layer in summary_of(network).layers]
    assert set(paths) == {name for name, _ in network.named_modules(remove_duplicate=False)}
    assert len(paths) == len(set(paths))
    for i, path in enumerate(paths):
        assert not path or parent_of(path) in paths[:i]


@settings(max_examples=60)
@given(NETWORKS)
def test_the_calls_are_a_dataflow_graph(network: nn.Module) -> None:
    trace = cnninspect.trace(network, (torch.randn(1, CHANNELS, 6, 5),))
    layers = {layer.path for layer in trace.layers}
    for i, call in enumerate(trace.calls):
        assert call.index == i
        assert call.layer in layers
        assert all(-len(trace.inputs) <= origin < i for origin in call.inputs)
    fed = {origin for call in trace.calls for origin in call.inputs}
    assert -1 in fed
