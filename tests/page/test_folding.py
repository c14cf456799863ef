from __future__ import annotations

from dataclasses import replace

import pytest
from hand_built import norm, plain, resnet10, with_totals
from hypothesis import given, settings
from random_reports import summaries

from cnninspect.metrics.summary import Counts
from cnninspect.page.layer_tree import fold, tree_of
from cnninspect.records.traces import run_name


def names(nodes):
    return [(node.name, node.times, names(node.children)) for node in nodes]


def chain(*layers):
    return fold(tree_of(with_totals((plain("", "Net", (1,), (1,)), *layers))))[0].children


def test_blocks_that_are_alike_are_shown_once():
    (root,) = fold(tree_of(resnet10().layers))
    layer1 = next(node for node in root.children if node.name == "layer1")
    assert [(node.name, node.times) for node in layer1.children] == [("0–2", 3)]
    assert [node.name for node in layer1.children[0].children] == [
        "conv1", "bn1", "relu", "conv2", "bn2",
    ]  # fmt: skip
    assert layer1.children[0].last.path == "layer1.2"


def test_only_neighbours_are_folded():
    nodes = chain(norm("a", 8, 4), norm("b", 16, 4), norm("c", 8, 4))
    assert names(nodes) == [("a", 1, []), ("b", 1, []), ("c", 1, [])]


@pytest.mark.parametrize(
    "change",
    [
        {"type": "LayerNorm"},
        {"calls": 2},
        {"input_shapes": ((1, 8, 5, 5),)},
        {"output_shapes": ((1, 8, 5, 5),)},
        {"own": Counts(1)},
        {"kernel": (3, 3)},
        {"stride": (2, 2)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_layers_that_differ_stay_apart(change):
    nodes = chain(norm("a", 8, 4), replace(norm("b", 8, 4), **change))
    assert len(nodes) == 2


def test_blocks_whose_layers_have_other_names_stay_apart():
    first = (plain("0", "Block", (1,), (1,)), norm("0.a", 8, 4))
    second = (plain("1", "Block", (1,), (1,)), norm("1.b", 8, 4))
    assert len(chain(*first, *second)) == 2
    assert len(chain(*first, second[0], norm("1.a", 8, 4))) == 1


@given(summaries())
@settings(max_examples=60, deadline=None)
def test_folded_rows_times_their_number_make_the_total(summary):
    def total(node):
        under = (total(child) * child.times for child in node.children)
        return node.layer.own.macs + sum(under)

    for node in fold(tree_of(summary.layers)):
        assert total(node) == node.layer.total.macs


def test_runs_are_named_by_their_numbers():
    assert run_name("1", "2") == "1–2"
    assert run_name("denselayer9", "denselayer12") == "denselayer9–12"
    assert run_name("conv", "deconv") == "conv–deconv"


def test_layers_without_their_parents_hang_from_the_nearest_ancestor():
    layers = (plain("", "Net", (1,), (1,)), plain("a.b.c", "ReLU", (1,), (1,)))
    assert names(tree_of(layers)) == [("", 1, [("a.b.c", 1, [])])]
    assert names(tree_of(layers[1:])) == [("a.b.c", 1, [])]
