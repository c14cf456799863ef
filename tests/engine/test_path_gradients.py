"""Gradients along single paths: all of them together are the whole gradient."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.engine.real_passes.path_gradients import Paths
from cnninspect.errors import BadOption, CannotTrain
from cnninspect.metrics.depth import weighted_layers
from cnninspect.metrics.residual_blocks import branch_sides, residual_blocks


class Block(nn.Module):
    """A residual block that adds in one of the ways in which one can."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.one, self.two = nn.Linear(6, 8), nn.Linear(8, 6)
        self.project = nn.Linear(6, 6) if way == "projected" else None

    def forward(self, x: Tensor) -> Tensor:
        made = self.two(torch.tanh(self.one(x)))
        if self.way == "in place":
            made += x
            return made
        if self.way == "function":
            return torch.relu(torch.add(x, made))
        return torch.relu(made + (x if self.project is None else self.project(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Linear(4, 6)
        self.blocks = nn.Sequential(*map(Block, ("plain", "in place", "function", "projected")))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)))


def sides(net: nn.Module, shape: tuple[int, ...]) -> dict[str, int]:
    traced = cnninspect.trace(net, shape)
    return branch_sides(traced, {layer.path for layer in weighted_layers(traced)})


def test_the_branch_is_told_from_the_shortcut() -> None:
    assert sides(Net(), (2, 4)) == {"blocks.0": 0, "blocks.1": 0, "blocks.2": 1, "blocks.3": 0}
    traced = cnninspect.trace("resnet20")
    assert len(residual_blocks(traced)) == 9
    assert set(branch_sides(traced, {x.path for x in weighted_layers(traced)}).values()) == {1}


def test_all_paths_together_are_the_whole_gradient() -> None:
    net, x = Net().double(), torch.randn(5, 4, dtype=torch.float64)
    paths = Paths(net, sides(net, (5, 4)), lambda: net(x).square().sum())
    assert list(paths.valves) == [f"blocks.{i}" for i in range(4)]
    every = [taken for n in range(5) for taken in combinations(paths.valves, n)]
    together = sum(paths.gradient(taken) for taken in every)
    whole = paths.gradient(None)
    entered = net.stem(x).detach().requires_grad_()
    (true,) = torch.autograd.grad(net.head(net.blocks(entered)).square().sum(), entered)
    assert torch.allclose(whole, true)
    assert torch.allclose(together, true)
    assert not any(module._forward_hooks for module in net.modules())


def test_a_path_with_more_branches_carries_less() -> None:
    report = cnninspect.gradient_paths("resnet20@depth=8", (2, 3, 8, 8), samples=2)
    (model,) = report.models
    found = model.gradients
    assert [each.branches for each in found] == [0, 1, 2, 3]
    assert [each.sampled for each in found] == [1, 2, 2, 1]
    assert all(each.blocks == 3 and each.whole > 0 for each in found)
    assert cnninspect.gradient_paths("resnet20@depth=8").models[0].gradients == ()
    text = cnninspect.render(report, format="table")
    assert "gradient along paths" in text
    again = cnninspect.gradient_paths("resnet20@depth=8", (2, 3, 8, 8), samples=2)
    assert again.models[0].gradients == found


def test_a_picture_has_all_three_panels() -> None:
    pytest.importorskip("matplotlib")
    from cnninspect.commands.gradients.paths_plot import picture

    report = cnninspect.gradient_paths("resnet20@depth=8", (2, 3, 8, 8), samples=1)
    figure = picture(report, "figure")
    assert [axis.get_xlabel() for axis in figure.axes] == [
        "weighted layers on the path", *["residual branches on the path"] * 2,
    ]  # fmt: skip


def test_what_has_no_blocks_says_so() -> None:
    with pytest.raises(CannotTrain, match="no residual blocks"):
        cnninspect.gradient_paths("lenet5_modern", samples=1)
    with pytest.raises(BadOption):
        cnninspect.gradient_paths("resnet20", samples=-1)
