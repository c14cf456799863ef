"""Layers that are asleep at the start are told from dead ones."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import cnninspect


class Branches(nn.Module):
    """Residual branches that start at 0, by a gain or, within it, by another."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(6, 6)
        self.branches = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.last = nn.Linear(6, 3)
        self.kind = kind
        self.outer, self.inner = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
        self.dead = nn.Linear(6, 6)
        nn.init.constant_(self.dead.bias, -1e4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for number, layer in enumerate(self.branches):
            branch = torch.tanh(layer(x))
            if self.kind == "nested":
                branch = self.inner[number] * branch + 0 * x + 1
            x = x + self.outer[number] * branch
        if self.kind == "with a dead one":
            x = x + torch.relu(self.dead(x))
        return self.last(x)


@pytest.mark.parametrize("kind", ["rezero", "nested", "with a dead one"])
def test_zero_initialised_branches_are_asleep_and_not_dead(kind):
    model = Branches(kind)
    before = copy.deepcopy(model.state_dict())
    found = cnninspect.gradients(model, inputs=(8, 6), seeds=2).models[0]
    assert found.asleep == ("branches.0", "branches.1", "branches.2")
    assert found.dead == (("dead",) if kind == "with a dead one" else ())
    assert found.verdict == ("dead" if kind == "with a dead one" else "healthy")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_training_goes_on_as_if_nobody_had_looked():
    found = cnninspect.gradients(
        Branches("rezero"), inputs=(8, 6), steps=3, every=1, lr=0.1, optimizer="momentum"
    ).models[0]
    assert [point.trend.verdict for point in found.training] == ["healthy"] * 4
    model, (x, y) = Branches("rezero"), _data_of_seed_0()
    losses = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(4):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert [point.loss for point in found.training] == pytest.approx(losses, rel=1e-5)


def _data_of_seed_0() -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(8, 6, dtype=torch.float64, generator=noise).float()
    return x, torch.randint(3, (8,), generator=noise)
