"""Differences between networks, layer by layer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import cnninspect
from cnninspect.metrics.alignment import difference
from cnninspect.metrics.difference import LayerFacts, ParameterShape, structural_hash
from cnninspect.records.models import ModelInfo

INFO = ModelInfo("net", "zoo", "net")


def facts(path, kind="Block", weights=None, macs=0):
    tensors = (ParameterShape("weight", weights),) if weights else ()
    size = weights[0] * weights[1] if weights else 0
    return LayerFacts(path, kind, ((1, 4),), tensors, size, macs)


def diff(old, new):
    return difference((INFO, old), (INFO, new))


def told(report):
    return [
        (c.kind, c.old.path if c.old else None, c.new.path if c.new else None, c.layers)
        for c in report.changes
    ]


ROOT = facts("", "Net")
BLOCK = [facts("a"), facts("a.conv", "Conv2d", (4, 4), 10), facts("a.act", "ReLU")]


def block(name, size=4):
    return [
        facts(name),
        facts(f"{name}.conv", "Conv2d", (4, size), 10),
        facts(f"{name}.act", "ReLU"),
    ]


def test_the_same_network_has_no_difference():
    assert diff([ROOT, *BLOCK], [ROOT, *BLOCK]).is_empty


def test_an_added_block_is_one_change_with_all_under_it():
    report = diff([ROOT, *block("a")], [ROOT, *block("a"), *block("b")])
    assert told(report) == [("added", None, "b", 3)]
    assert (report.changes[0].parameters, report.changes[0].macs) == (16, 10)


def test_a_removed_block_stands_where_it_was():
    report = diff(
        [ROOT, *block("a"), *block("b"), *block("c", 5)], [ROOT, *block("a"), *block("c", 6)]
    )
    assert told(report) == [("removed", "b", None, 3), ("changed", "c.conv", "c.conv", 1)]


def test_a_block_put_in_front_shifts_the_others():
    old = [ROOT, facts("0", "Conv2d", (4, 3)), facts("1", "ReLU"), facts("2", "Conv2d", (9, 9))]
    new = [ROOT, facts("0", "Conv2d", (4, 3)), facts("1", "Norm", (1, 4)), facts("2", "ReLU"),
           facts("3", "Conv2d", (9, 9))]  # fmt: skip
    assert told(diff(old, new)) == [
        ("added", None, "1", 1), ("renamed", "1", "2", 1), ("renamed", "2", "3", 1),
    ]  # fmt: skip


def test_a_renamed_layer_is_recognised_by_its_weights():
    report = diff([ROOT, facts("fc", "Linear", (9, 4))], [ROOT, facts("head", "Linear", (9, 4))])
    assert told(report) == [("renamed", "fc", "head", 1)]


def test_layers_that_moved_under_another_are_renamed_and_not_new():
    old = [ROOT, *block("a"), facts("fc", "Linear", (9, 4))]
    new = [ROOT, facts("backbone", "Body"), *block("backbone.a"), facts("fc", "Linear", (9, 4))]
    assert told(diff(old, new)) == [
        ("added", None, "backbone", 1), ("renamed", "a", "backbone.a", 3),
    ]  # fmt: skip


def test_a_changed_type_or_shape_says_what():
    report = diff([ROOT, facts("x", "Conv2d", (4, 4), 5)], [ROOT, facts("x", "Linear", (4, 5), 6)])
    assert report.changes[0].what == ("type", "tensors", "macs")
    assert (report.changes[0].parameters, report.changes[0].macs) == (4, 1)


names = st.sampled_from(["a", "b", "c", "conv", "fc"])
leaf = st.tuples(st.sampled_from(["Conv2d", "ReLU", "Linear"]), st.integers(0, 3))


@st.composite
def networks(draw):
    """A model with up to four children, each with up to three."""
    found = [ROOT]
    for name in draw(st.lists(names, max_size=4, unique=True)):
        found.append(facts(name))
        for part in draw(st.lists(names, max_size=3, unique=True)):
            kind, size = draw(leaf)
            weights = (size, 2) if size else None
            found.append(facts(f"{name}.{part}", kind, weights, 7 * size))
    return found


@given(networks(), networks())
def test_changes_add_up_to_the_difference_of_the_totals(old, new):
    report = diff(old, new)
    for field in ("parameters", "macs"):
        change = sum(getattr(c, field) for c in report.changes)
        assert change == getattr(report.new, field) - getattr(report.old, field)


@given(networks(), networks())
def test_no_change_is_told_exactly_where_the_networks_are_alike(old, new):
    alike = structural_hash(old) == structural_hash(new)
    assert diff(old, new).is_empty == alike


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ("resnet18", "resnet34", {"added"}),
        ("resnet34", "resnet18", {"removed"}),
        ("resnet18", "resnet18@num_classes=10", {"changed"}),
    ],
)
def test_networks_of_the_zoo_differ_where_their_papers_say(old, new, kinds):
    report = cnninspect.diff(old, new)
    assert {change.kind for change in report.changes} == kinds


def test_live_modules_can_be_held_against_each_other():
    report = cnninspect.diff(nn.Linear(3, 4), nn.Linear(3, 5), (1, 3))
    assert report.changes[0].what == ("tensors", "output", "macs")
