"""Of a mixture of experts, what one token meets is told apart from what there is."""

import pytest
import torch
from torch import nn

import cnninspect


class Listed(nn.Module):
    """Four experts in a list, each token sent to two."""

    def __init__(self, gate_first=True):
        super().__init__()
        if gate_first:
            self.gate = nn.Linear(8, 4, bias=False)
        self.experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))
        if not gate_first:
            self.gate = nn.Linear(8, 4, bias=False)
        self.shared = nn.Linear(8, 8)

    def forward(self, x):
        weights, chosen = self.gate(x).softmax(-1).topk(2, dim=-1)
        y = self.shared(x)
        for i, expert in enumerate(self.experts):
            token, place = torch.where(chosen == i)
            y = y.index_add(0, token, expert(x[token]) * weights[token, place, None])
        return y


class Sliced(nn.Module):
    """The same with one parameter for all experts, the choice in a layer of its own."""

    def __init__(self):
        super().__init__()
        self.gate = Gate()
        self.experts = Stack()

    def forward(self, x):
        return self.experts(x, self.gate(x))


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 8))

    def forward(self, x):
        return (x @ self.weight.t()).topk(1, dim=-1).indices


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.bias = nn.Parameter(torch.rand(4, 8, 8)), nn.Parameter(torch.rand(4, 8))

    def forward(self, x, chosen):
        y = torch.zeros_like(x)
        for i in range(4):
            token, _ = torch.where(chosen == i)
            y = y.index_add(0, token, x[token] @ self.up[i] + self.bias[i])
        return y


LINEAR = 8 * 8 + 8
KINDS = {
    "listed": (Listed(), 32 + 5 * LINEAR, 32 + 3 * LINEAR),
    "listed, gate last": (Listed(gate_first=False), 32 + 5 * LINEAR, 32 + 3 * LINEAR),
    "sliced": (Sliced(), 32 + 4 * LINEAR, 32 + LINEAR),
    "two blocks": (
        nn.Sequential(Listed(), Sliced()), 64 + 9 * LINEAR, 64 + 4 * LINEAR,
    ),
    "four blocks": (
        nn.Sequential(*(Listed() for _ in range(4))),
        4 * (32 + 5 * LINEAR), 4 * (32 + 3 * LINEAR),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_active_parameters_are_those_of_the_chosen_experts(kind):
    net, total, active = KINDS[kind]
    report = cnninspect.summarize(net, [(8, 8)])
    assert (report.totals.parameters, report.totals.active_parameters) == (total, active)
    assert "active parameters" in cnninspect.render(report, format="markdown")


def test_a_network_without_experts_has_none():
    class Prunes(nn.Sequential):
        def forward(self, x):
            y = super().forward(x)
            return y[:, y.sum(0).topk(3).indices]

    for net in (nn.Linear(8, 8), Prunes(nn.Linear(8, 8), nn.Linear(8, 8))):
        report = cnninspect.summarize(net, [(4, 8)])
        assert report.totals.active_parameters is None
        assert "active" not in cnninspect.render(report, format="markdown")
