"""Recurrent layers run step by step give the same results, and gradients at every state."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.engine.real_passes.unrolling import Unrolling
from cnninspect.errors import CannotTrain

KINDS = {
    "rnn": lambda **o: nn.RNN(3, 4, **o),
    "rnn_relu": lambda **o: nn.RNN(3, 4, nonlinearity="relu", **o),
    "gru": lambda **o: nn.GRU(3, 4, **o),
    "lstm": lambda **o: nn.LSTM(3, 4, **o),
    "lstm_projected": lambda **o: nn.LSTM(3, 4, proj_size=2, **o),
}
OPTIONS = {
    "plain": {},
    "batch_first": {"batch_first": True},
    "deep_both_ways": {"num_layers": 2, "bidirectional": True},
    "without_bias": {"bias": False, "batch_first": True},
}


def flat(output: object) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    return [tensor for part in output for tensor in flat(part)]


pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_the_module(kind, options):
    torch.manual_seed(0)
    module = KINDS[kind](**OPTIONS[options])
    x = torch.randn(5, 6, 3)
    expected = flat(module(x))
    with Unrolling(module, kind):
        found = flat(module(x))
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
    assert "forward" not in vars(module)


@pytest.mark.parametrize("kind", KINDS)
def test_a_given_state_and_a_single_sequence_are_taken(kind):
    torch.manual_seed(0)
    module = KINDS[kind](num_layers=2)
    x = torch.randn(5, 3)
    state = tuple(torch.randn_like(part) for part in flat(module(x)[1]))
    given = state if len(state) > 1 else state[0]
    expected = flat(module(x, given))
    with Unrolling(module, kind):
        found = flat(module(x, given))
    for mine, theirs in zip(found, expected):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


CELLS = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}


class Reader(nn.Module):
    def __init__(self, recurrent: nn.RNNBase) -> None:
        super().__init__()
        self.recurrent, self.head = recurrent, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


@pytest.mark.parametrize("kind", CELLS)
def test_gradients_at_states_are_those_of_cells_in_a_loop(kind):
    torch.manual_seed(0)
    model, x = Reader(KINDS[kind](batch_first=True)).double(), torch.randn(2, 6, 3).double()
    cell = CELLS[kind](3, 4).double()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict({n: getattr(model.recurrent, f"{n}_l0") for n in names})
    state, states = None, []
    for step in range(x.shape[1]):
        state = cell(x[:, step], state)
        states.append(state if isinstance(state, tuple) else (state,))
    loss = model.head(states[-1][0]).sum()
    asked = [part for parts in states for part in parts]
    gradients = torch.autograd.grad(loss, asked, allow_unused=True)
    norms = [0.0 if g is None else float(g.norm()) for g in gradients]
    profile = cnninspect.gradients(model, (x,), loss="sum", over="time").models[0]
    width = len(states[0])
    assert [s.state for s in profile.states] == ["hidden", "cell"][:width]
    for i, found in enumerate(profile.states):
        assert found.norms == pytest.approx(norms[i::width], rel=1e-6)


def test_layers_have_the_same_gradients_as_without():
    torch.manual_seed(0)
    model, x = Reader(nn.GRU(3, 4, 2, batch_first=True)).double(), torch.randn(2, 6, 3).double()
    plain, unrolled = (
        cnninspect.gradients(model, (x,), loss="sum", over=over).models[0].layers
        for over in ("depth", "time")
    )
    for one, other in zip(plain, unrolled):
        assert one.gradient_norm == pytest.approx(other.gradient_norm)
        assert one.activation_gradient_norm == pytest.approx(other.activation_gradient_norm)


def test_a_gradient_that_reads_backwards_is_judged_in_its_own_order():
    torch.manual_seed(0)
    recurrent = nn.RNN(3, 4, batch_first=True, bidirectional=True)

    class BothEnds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = recurrent

        def forward(self, x: Tensor) -> Tensor:
            steps = self.recurrent(x)[0]
            return torch.cat([steps[:, -1, :4], steps[:, 0, 4:]], dim=-1)

    settings = {"loss": "sum", "over": "time"}
    states = cnninspect.gradients(BothEnds(), [(2, 30, 3)], **settings).models[0].states
    forward, backward = states
    assert not forward.is_backward
    assert backward.is_backward
    assert forward.norms[-1] > 1e3 * forward.norms[0]
    assert backward.norms[0] > 1e3 * backward.norms[-1]
    assert forward.trend.orders < -3
    assert backward.trend.orders < -3


def test_networks_without_recurrent_layers_and_packed_sequences_are_refused():
    with pytest.raises(CannotTrain, match=r"over time: it has no nn\.RNN"):
        cnninspect.gradients("lenet5", over="time")
    packed = nn.utils.rnn.pack_sequence([torch.randn(4, 3), torch.randn(2, 3)])
    module = nn.GRU(3, 4)
    with Unrolling(module, "gru"), pytest.raises(CannotTrain, match="packed"):
        module(packed)


class Tagger(nn.Module):
    """Judged at every step, or at the last."""

    def __init__(self, *, batch_first=True, both_ways=False, only=None, flat=False):
        super().__init__()
        torch.manual_seed(3)
        self.recurrent = nn.RNN(5, 8, batch_first=batch_first, bidirectional=both_ways)
        self.tags = nn.Linear(16 if both_ways else 8, 4)
        self.only, self.flat, self.is_first = only, flat, batch_first

    def forward(self, x: Tensor) -> Tensor:
        found = self.tags(self.recurrent(x)[0])
        if self.only is not None:
            return found[:, self.only] if self.is_first else found[self.only]
        return found.flatten(0, 1) if self.flat else found


def over_time(model, shape, **settings):
    return cnninspect.gradients(model, inputs=shape, over="time", **settings).models[0]


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("flat", [True, False])
def test_a_network_judged_at_every_step_is_judged_at_the_last(batch_first, flat):
    shape = (3, 30, 5) if batch_first else (30, 3, 5)
    every = over_time(Tagger(batch_first=batch_first, flat=flat), shape)
    last = over_time(Tagger(batch_first=batch_first, only=-1), shape)
    assert every.states[0].norms == pytest.approx(last.states[0].norms)
    assert every.verdict == last.verdict == "vanishing"
    flat_profile = over_time(Tagger(batch_first=batch_first, flat=flat), shape, loss="every")
    assert flat_profile.verdict == "healthy"
    assert flat_profile.states[0].norms[0] > 1e3 * every.states[0].norms[0]


def test_what_reads_from_the_end_is_judged_at_the_first_step():
    found = over_time(Tagger(both_ways=True), (3, 30, 5))
    forward, backward = found.states
    first = over_time(Tagger(both_ways=True, only=0), (3, 30, 5)).states[1]
    last = over_time(Tagger(both_ways=True, only=-1), (3, 30, 5)).states[0]
    assert backward.is_backward
    assert backward.norms == pytest.approx(first.norms)
    assert forward.norms == pytest.approx(last.norms)
    assert backward.norms[0] > backward.norms[-1] > 0


class Two(nn.Module):
    """The first layer forgets, the second remembers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.forgets, self.keeps = nn.RNN(5, 8, batch_first=True), nn.RNN(8, 8, batch_first=True)
        nn.init.orthogonal_(self.keeps.weight_hh_l0)
        nn.init.zeros_(self.forgets.weight_hh_l0)
        with torch.no_grad():
            self.forgets.weight_hh_l0 += 0.2 * torch.eye(8)
            self.keeps.weight_ih_l0 *= 0.01
        self.tags = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        once = self.forgets(x)[0]
        return self.tags(self.keeps(once * torch.zeros(x.shape[1], 1).index_fill(
            0, torch.tensor([x.shape[1] - 1]), 1.0))[0][:, -1])  # fmt: skip


def test_the_worst_state_decides():
    found = over_time(Two(), (3, 20, 5))
    verdicts = {state.path: state.trend.verdict for state in found.states}
    assert verdicts == {"forgets": "vanishing", "keeps": "healthy"}
    assert found.verdict == "vanishing"
