"""What holds for all conventions, and LeNet-5's connections."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_networks import NETWORKS
from torch import nn

import cnninspect
from cnninspect.costs.conventions import CONVENTIONS, find
from cnninspect.errors import UnknownChoice

# LeCun et al. 1998, section II-B; the output's links follow from the printed total.
LENET5 = {
    "c1": 122304,
    "s2": 5880,
    "c3": 151600,
    "s4": 2000,
    "c5": 48120,
    "f6": 10164,
    "output": 840,
}


def test_lenet5_has_the_connections_that_its_paper_prints():
    trace = cnninspect.trace("lenet5")
    by_part = dict.fromkeys(LENET5, 0)
    for path, connections in CONVENTIONS["connections"].count(trace).items():
        if path.partition(".")[0] in by_part:
            by_part[path.partition(".")[0]] += connections
    assert by_part == LENET5
    assert CONVENTIONS["connections"].total(trace) == 340908


def total(network, shape, convention):
    return CONVENTIONS[convention].total(cnninspect.trace(network, shape))


@pytest.mark.parametrize(
    ("network", "shape", "expected"),
    [
        pytest.param(nn.Conv2d(3, 4, 3), (1, 3, 6, 6), 4 * 4 * 4 * (27 + 1), id="conv with bias"),
        pytest.param(nn.Conv2d(3, 4, 3, bias=False), (1, 3, 6, 6), 4 * 4 * 4 * 27, id="conv"),
        pytest.param(nn.Linear(5, 3), (2, 7, 5), 14 * 3 * (5 + 1), id="linear on sequences"),
        pytest.param(
            nn.AvgPool2d(2), (1, 3, 6, 6), 3 * 3 * 3 * 4, id="each output with its window"
        ),
        pytest.param(nn.MaxPool2d((3, 2)), (1, 3, 6, 6), 3 * 2 * 3 * 6, id="oblong window"),
        pytest.param(nn.AdaptiveAvgPool2d(1), (1, 3, 6, 6), 3 * 36, id="one window"),
        pytest.param(
            nn.GRU(6, 5), (7, 2, 6), 14 * (3 * 5 * (6 + 5) + 6 * 5), id="two biases a gate"
        ),
        pytest.param(nn.BatchNorm2d(3), (1, 3, 6, 6), 0, id="normalisation"),
    ],
)
def test_connections_follow_the_derivation(network, shape, expected):
    assert total(network, shape, "connections") == expected


def test_pycls_adds_a_bias_for_each_element():
    assert total(nn.Conv2d(3, 4, 3), (2, 3, 6, 6), "pycls") == 2 * 4 * 4 * 4 * (27 + 1)
    assert total(nn.AvgPool2d(2), (1, 3, 6, 6), "pycls") == 0


def test_pycls_finds_a_bias_that_is_added_after_the_product():
    x = torch.rand(5, 7, 6).transpose(0, 1)  # not contiguous: product and sum are two operators
    trace = cnninspect.trace(nn.Linear(6, 4), x)
    assert CONVENTIONS["pycls"].total(trace) == 35 * 4 * (6 + 1)


def test_torchvision_leaves_out_recurrent_layers():
    network, shape = nn.LSTM(6, 5), (7, 2, 6)
    assert total(network, shape, "torchvision") == 0
    assert total(network, shape, "macs") == 14 * 4 * 5 * (6 + 5)


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_a_convention_says_what_it_is(convention):
    assert convention.unit
    assert convention.source
    assert convention.counts
    assert convention.caution


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_has_its_count_and_macs_add_up(name):
    build, shape = NETWORKS[name]
    trace = cnninspect.trace(build(), shape)
    for convention in CONVENTIONS.values():
        counts = convention.count(trace)
        assert list(counts) == [layer.path for layer in trace.layers]
        assert convention.total(trace) == sum(counts.values())
        assert min(counts.values()) >= 0
    assert CONVENTIONS["macs"].total(trace) == cnninspect.summarize(trace).totals.macs


@given(batch=st.integers(2, 5), name=st.sampled_from(["pooling", "upsampling", "volumes"]))
def test_counts_are_linear_in_the_batch(batch, name):
    build, (_, *one) = NETWORKS[name]
    network = build()
    single, many = (cnninspect.trace(network, (n, *one)) for n in (1, batch))
    for convention in CONVENTIONS.values():
        assert convention.total(many) == batch * convention.total(single)


def test_find_names_the_nearest_where_there_is_none():
    assert find("fvcore") is CONVENTIONS["fvcore"]
    with pytest.raises(UnknownChoice, match="'fvcor' is not known") as caught:
        find("fvcor")
    assert "fvcore" in caught.value.hint
