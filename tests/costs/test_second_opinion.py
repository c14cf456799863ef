"""Real operators on real tensors: our counts against PyTorch's own counter and decompositions."""

# ruff: noqa: E501 - a problem is easier to read on one line

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from op_recording import operation_of, record
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.costs import cost_of
from cnninspect.records.operations import CostState

torch.set_num_threads(1)


def macs_of(operations):
    costed = [cost_of(operation) for operation in operations]
    unknown = [o.name for o, c in zip(operations, costed) if c.state is CostState.UNKNOWN]
    assert not unknown
    return sum(c.cost.macs for c in costed)


def theirs(function):
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() // 2


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


PROBLEMS = {
    "conv1d": lambda: F.conv1d(torch.randn(2, 4, 32), torch.randn(8, 4, 3), dilation=2),
    "conv2d": lambda: F.conv2d(torch.randn(2, 6, 9, 9), torch.randn(8, 3, 3, 3), stride=2, padding=1, groups=2),
    "conv2d, no batch": lambda: F.conv2d(torch.randn(6, 9, 9), torch.randn(8, 6, 3, 3)),
    "conv3d": lambda: F.conv3d(torch.randn(1, 2, 4, 5, 6), torch.randn(3, 2, 2, 2, 2)),
    "conv_transpose1d": lambda: F.conv_transpose1d(torch.randn(2, 4, 9), torch.randn(4, 3, 5), stride=2),
    "conv_transpose2d": lambda: F.conv_transpose2d(
        torch.randn(2, 4, 6, 6), torch.randn(4, 3, 3, 3), stride=2, padding=1, output_padding=1, groups=2),
    "mm": lambda: torch.randn(3, 4) @ torch.randn(4, 5),
    "bmm": lambda: torch.bmm(torch.randn(2, 3, 4), torch.randn(2, 4, 5)),
    "baddbmm": lambda: torch.baddbmm(torch.randn(5), torch.randn(2, 3, 4), torch.randn(2, 4, 5)),
    "linear": lambda: F.linear(torch.randn(2, 3, 4), torch.randn(5, 4), torch.randn(5)),
    "matmul, broadcast": lambda: torch.matmul(torch.randn(7, 1, 3, 4), torch.randn(2, 4, 5)),
    "einsum": lambda: torch.einsum("bhqd,bhkd->bhqk", torch.randn(2, 3, 4, 5), torch.randn(2, 3, 6, 5)),
    "tensordot": lambda: torch.tensordot(torch.randn(3, 4, 5), torch.randn(5, 4, 2), ([1, 2], [1, 0])),
    "multi-head attention, weights wanted": lambda: nn.MultiheadAttention(16, 4)(*[torch.randn(5, 2, 16)] * 3),
    "lstm cell": lambda: nn.LSTMCell(6, 5)(torch.randn(3, 6)),
    "linear, backward": lambda: F.linear(leaf(2, 3, 4), leaf(5, 4), leaf(5)).sum().backward(),
    "conv2d, backward": lambda: F.conv2d(leaf(2, 6, 9, 9), leaf(8, 6, 3, 3), leaf(8), stride=2).sum().backward(),
    "conv2d, backward to weight": lambda: F.conv2d(torch.randn(2, 6, 9, 9), leaf(8, 6, 3, 3)).sum().backward(),
    "conv_transpose2d, backward": lambda: F.conv_transpose2d(leaf(2, 4, 6, 6), leaf(4, 3, 3, 3), stride=2).sum().backward(),
}  # fmt: skip


@pytest.mark.parametrize("function", [pytest.param(f, id=n) for n, f in PROBLEMS.items()])
def test_macs_are_half_of_what_pytorch_counts(function):
    ours = macs_of(record(function))
    assert ours == theirs(function)
    assert ours > 0


def test_gradient_of_a_grouped_weight_is_as_dear_as_the_forward_pass():
    # PyTorch's counter forgets the groups here, so it is no help.
    operations = record(
        lambda: F.conv2d(leaf(2, 6, 9, 9), leaf(9, 2, 3, 3), groups=3).sum().backward()
    )
    assert macs_of(operations) == 3 * (2 * 7 * 7 * 9 * 2 * 9)


ATTENTIONS = {
    "plain": ((2, 4, 7, 8), (2, 4, 9, 8), (2, 4, 9, 8), {}),
    "causal": ((2, 4, 7, 8), (2, 4, 7, 8), (2, 4, 7, 8), {"is_causal": True}),
    "grouped queries": ((2, 8, 7, 8), (2, 2, 9, 8), (2, 2, 9, 8), {"enable_gqa": True}),
    "another width of value": ((2, 4, 7, 8), (2, 4, 9, 8), (2, 4, 9, 6), {}),
    "one batch of keys for all": ((2, 4, 7, 8), (1, 4, 9, 8), (1, 4, 9, 8), {}),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_costs_what_its_decomposition_costs(name):
    from torch.nn.attention import SDPBackend, sdpa_kernel

    query, key, value, options = ATTENTIONS[name]
    q, k, v = torch.randn(query), torch.randn(key), torch.randn(value)

    def attend():
        return F.scaled_dot_product_attention(q, k, v, **options)

    with sdpa_kernel(SDPBackend.MATH):
        decomposed = record(attend)
    assert (
        macs_of(record(attend))
        == macs_of(decomposed)
        == 7 * key[2] * query[0] * query[1] * (key[3] + value[3])
    )


COMPOSITES = {
    "linear": lambda: F.linear(torch.randn(2, 3, 4), torch.randn(5, 4)),
    "conv2d": lambda: F.conv2d(torch.randn(6, 9, 9), torch.randn(8, 3, 3, 3), groups=2),
    "matmul": lambda: torch.matmul(torch.randn(2, 1, 3, 4), torch.randn(5, 4, 2)),
    "matmul of vectors": lambda: torch.matmul(torch.randn(4), torch.randn(4)),
    "inner": lambda: torch.inner(torch.randn(2, 3, 4), torch.randn(5, 4)),
    "tensordot": lambda: torch.tensordot(torch.randn(3, 4), torch.randn(1, 2), ([1], [0])),
    "bilinear": lambda: F.bilinear(torch.randn(7, 3), torch.randn(7, 4), torch.randn(5, 3, 4)),
    "attention": lambda: F.scaled_dot_product_attention(*[torch.randn(2, 3, 4, 5)] * 3),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_inference_mode_which_shows_composites_counts_the_same(name):
    function = COMPOSITES[name]
    taken_apart = record(function)
    with torch.inference_mode():
        whole = record(function)
    assert macs_of(whole) == macs_of(taken_apart) > 0


@st.composite
def einsums(draw):
    """An equation over at most five letters, with a shape for each operand."""
    sizes = {letter: draw(st.integers(1, 4)) for letter in "abcde"}
    names = st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True)
    operands = draw(st.lists(names, min_size=1, max_size=3))
    known = sorted({letter for operand in operands for letter in operand})
    result = draw(st.lists(st.sampled_from(known), unique=True, max_size=4))
    equation = ",".join("".join(o) for o in operands)
    arrow = draw(st.booleans())
    shapes = [[draw(st.sampled_from([sizes[n], sizes[n], 1])) for n in o] for o in operands]
    return equation + ("->" + "".join(result) if arrow else ""), shapes


@given(einsums())
@settings(max_examples=300, deadline=None)
def test_an_einstein_sum_costs_what_its_decomposition_costs(problem):
    equation, shapes = problem
    tensors = [torch.randn(shape) for shape in shapes]
    steps = record(lambda: torch.ops.aten.einsum(equation, tensors))
    out = torch.ops.aten.einsum(equation, tensors)
    whole = operation_of(torch.ops.aten.einsum.default, (equation, tensors), {}, out)
    assert cost_of(whole).cost.macs == macs_of(steps)


def test_an_einstein_sum_follows_its_path_and_its_dots():
    tensors = [torch.randn(3, 2, 4), torch.randn(3, 5, 6), torch.randn(6, 7)]
    arguments = ("...ij,...kl,lm->...ikm", tensors)
    path = {"path": [1, 2, 0, 1]}
    steps = record(lambda: torch.ops.aten.einsum(*arguments, **path))
    out = torch.ops.aten.einsum(*arguments, **path)
    whole = operation_of(torch.ops.aten.einsum.default, arguments, path, out)
    assert cost_of(whole).cost.macs == macs_of(steps) == 3 * 5 * 6 * 7


NETWORKS = {
    "lstm": (nn.LSTM(6, 5, num_layers=2), torch.ops.aten.lstm.input),
    "lstm, both ways": (nn.LSTM(6, 5, num_layers=2, bidirectional=True), torch.ops.aten.lstm.input),
    "lstm, projected": (nn.LSTM(6, 5, num_layers=2, proj_size=3), torch.ops.aten.lstm.input),
    "gru, no bias": (nn.GRU(6, 5, bias=False, bidirectional=True), torch.ops.aten.gru.input),
    "rnn": (nn.RNN(6, 5, num_layers=3), torch.ops.aten.rnn_tanh.input),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_recurrent_network_costs_what_its_steps_cost(name):
    network, operator = NETWORKS[name]
    sequences = torch.randn(7, 3, 6)
    layers, ways = network.num_layers, 1 + network.bidirectional
    hidden = torch.zeros(layers * ways, 3, network.proj_size or 5)
    state = [hidden, torch.zeros(layers * ways, 3, 5)] if network.mode == "LSTM" else hidden
    arguments = (sequences, state, list(network.parameters()), network.bias, layers, 0.0, False,
                 network.bidirectional, False)  # fmt: skip
    steps = record(lambda: operator(*arguments))
    whole = operation_of(operator, arguments, {}, operator(*arguments))
    assert cost_of(whole).cost.macs == macs_of(steps) > 0
