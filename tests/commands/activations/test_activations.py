"""What flows through layers: against plain sums, and through training."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.errors import CnnInspectError


class Net(nn.Module):
    """Every kind of thing that is looked at."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.relu = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True)
        self.sigmoid, self.head = nn.Sigmoid(), nn.Linear(64, 3)
        with torch.no_grad():
            self.conv.bias[1] = -100.0

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.sigmoid(20 * self.relu(self.conv(x))).flatten(1))


def seen(model: Any, inputs: Any = None, **settings: Any) -> Any:
    return cnninspect.activations(model, inputs, **settings).models[0]


def test_figures_are_those_of_plain_sums() -> None:
    net, x = Net(), torch.randn(5, 1, 4, 4)
    layers = {layer.path: layer for layer in seen(net, (x,)).points[0].layers}
    with torch.no_grad():
        conv = net.conv(x)
        relu = conv.relu()
        sigmoid = (20 * relu).sigmoid()
    for path, value in (("conv", conv), ("relu", relu), ("sigmoid", sigmoid)):
        assert layers[path].mean == pytest.approx(float(value.mean()), rel=1e-5)
        assert layers[path].deviation == pytest.approx(float(value.std(correction=0)), rel=1e-5)
        assert layers[path].zeros == pytest.approx(float((value == 0).float().mean()))
    assert (layers["relu"].dead_channels, layers["relu"].channels) == (1, 4)
    assert layers["conv"].dead_channels == 0  # before the ReLU that writes into it
    assert layers["sigmoid"].constant_channels == 1
    far = ((sigmoid < 0.05) | (sigmoid > 0.95)).float().mean()
    assert layers["sigmoid"].saturated == pytest.approx(float(far))
    assert layers["relu"].saturated is None
    means = conv.mean((0, 2, 3)).tolist()
    assert layers["conv"].channel_means == pytest.approx(means, rel=1e-5)
    deviations = relu.transpose(0, 1).flatten(1).std(1, correction=0).tolist()
    assert layers["relu"].channel_deviations == pytest.approx(deviations, rel=1e-5)
    assert layers["relu"].channel_zeros[1] == 1.0
    assert len(layers["sigmoid"].channel_saturated) == 4
    assert layers["relu"].channel_saturated == ()
    assert not any(module._forward_hooks for module in net.modules())


def test_training_moves_the_distributions_and_leaves_the_module() -> None:
    net = Net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = seen(
        net, (torch.randn(5, 1, 4, 4),), steps=4, every=2, lr=0.02, targets=torch.arange(5) % 3
    )
    assert [point.step for point in found.points] == [0, 2, 4]
    assert found.points[-1].loss < found.points[0].loss
    assert found.points[0].layers[-1].mean != found.points[-1].layers[-1].mean
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_same_line_gives_the_same_numbers() -> None:
    assert seen("lenet5", batch=2) == seen("lenet5", batch=2)
    assert seen("lenet5", batch=2).points != seen("lenet5", batch=2, seed=1).points


class Block(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(6, 6), scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.linear(x)


def test_blocks_tell_how_far_they_move_what_passes() -> None:
    torch.manual_seed(0)
    net, x = nn.Sequential(Block(0.0), Block(0.5)), torch.randn(7, 6)
    first, second = seen(net, (x,)).points[0].blocks
    assert (first.path, first.change) == ("0", 0.0)
    with torch.no_grad():
        branch = 0.5 * net[1].linear(x)
    assert second.change == pytest.approx(float(branch.norm() / x.norm()), rel=1e-5)
    assert [block.path for block in seen("resnet20@depth=8", batch=2).points[0].blocks] == [
        "layer1.0"
    ]
    assert seen("plain20@depth=8", batch=2).points[0].blocks == ()


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gates_are_those_of_the_cell(kind: str, batch_first: bool) -> None:
    torch.manual_seed(0)
    net = getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True, batch_first=batch_first)
    x = torch.randn((2, 5, 3) if batch_first else (5, 2, 3))
    gates = seen(net, (x,), mode="eval").points[0].gates
    names = {"LSTM": ["input", "forget", "output"], "GRU": ["reset", "update"]}[kind]
    assert [gate.gate for gate in gates] == names * 4
    assert [(g.layer, g.is_backward) for g in gates[:: len(names)]] == [
        (0, False), (0, True), (1, False), (1, True),
    ]  # fmt: skip
    steps = x if batch_first else x.transpose(0, 1)
    cell = getattr(nn, f"{kind}Cell")(3, 4)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(cell, name, nn.Parameter(getattr(net, f"{name}_l0").detach()))
    state: Any = None
    values = []
    with torch.no_grad():
        for step in range(5):
            hidden = torch.zeros(2, 4) if state is None else (state[0] if kind == "LSTM" else state)
            sums = nn.functional.linear(steps[:, step], cell.weight_ih, cell.bias_ih)
            sums = sums + nn.functional.linear(hidden, cell.weight_hh, cell.bias_hh)
            values.append(sums[:, :4].sigmoid())
            state = cell(steps[:, step], state)
    assert gates[0].mean == pytest.approx(float(torch.stack(values).mean()), rel=1e-5)


def test_an_open_forget_gate_is_seen() -> None:
    def forget(reference: str) -> Any:
        return next(g for g in seen(reference, batch=2).points[0].gates if g.gate == "forget")

    assert forget("lstm").mean == pytest.approx(0.5, abs=0.05)
    assert forget("lstm@forget_bias=4").open > 0.95


def test_every_format_is_written() -> None:
    report = cnninspect.activations(["resnet20@depth=8", "lstm"], batch=2, steps=1)
    text = cnninspect.render(report)
    assert "how far residual blocks move" in text
    assert "forget" in text
    assert (
        json.loads(cnninspect.render(report, format="json"))["schema"] == "cnninspect.activations/1"
    )
    rows = cnninspect.render(report, format="csv").splitlines()
    assert len(rows) == 1 + sum(len(p.layers) for m in report.models for p in m.points)
    assert "--rows all" in cnninspect.render(report, rows=2)


class Shifted(nn.Module):
    """A convolution whose output is looked at as it stands, and averaged over all positions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular")
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.conv(x)).flatten(1))


def test_a_shift_moves_maps_and_not_what_is_averaged_over_them() -> None:
    net, x = Shifted().double(), torch.randn(5, 1, 6, 8, dtype=torch.float64)
    report = cnninspect.activations(net, (x,), shift=3)
    (point,) = report.models[0].points
    found = {each.path: each.changes for each in point.shifts}
    assert list(found) == ["conv", "pool", "head", ""]
    assert report.shift == 3
    with torch.no_grad():
        maps = net.conv(x)
    for number, change in enumerate(found["conv"], start=1):
        moved = (maps.roll(number, -1) - maps).flatten(1).norm(dim=1)
        assert change == pytest.approx(float((moved / maps.flatten(1).norm(dim=1)).mean()))
    assert max(found["pool"]) < 1e-6  # of exactly the same numbers, added up in another order
    assert max(found[""]) < 1e-6
    assert point.same_answers == (1.0, 1.0, 1.0)
    text = cnninspect.render(report, format="table")
    assert "by 3 pixels" in text
    assert "same answer" in text
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize("pool", ["max", "average"])
def test_pooling_moves_less_than_what_it_is_given(pool: str) -> None:
    reference = f"shallow_cnn@resolution=16,pool={pool}"
    report = cnninspect.activations(reference, data="digits", batch=16, mode="eval", shift=2)
    moved = {each.path: each.changes for each in report.models[0].points[0].shifts}
    for given, pooled in zip(moved["activation"], moved["pool"]):
        assert 0 < pooled < given


def test_what_is_no_image_is_not_shifted() -> None:
    for shift in (1, 40, -1):
        with pytest.raises(CnnInspectError, match="shift"):
            cnninspect.activations("lstm" if shift == 1 else "shallow_cnn", batch=2, shift=shift)


def test_the_picture_has_a_panel_for_each_thing_that_was_seen() -> None:
    pytest.importorskip("matplotlib")
    from cnninspect.commands.activations.plot import picture

    residual = cnninspect.activations("resnet20@depth=8", (4, 3, 8, 8), steps=2, shift=2)
    gates = cnninspect.activations(["lstm@hidden_size=4", "gru@hidden_size=4"], batch=2)
    for report, labels in (
        (residual, ["deviation", "share", "‖y − x‖ / ‖x‖", "relative change"]),
        (gates, ["deviation", "mean of the gate"]),
    ):
        figure = picture(report, "figure")
        drawn = [axis for axis in figure.axes if axis.axison]
        assert len(drawn) == len(labels)
        for axis, label in zip(drawn, labels):
            assert label in axis.get_ylabel()
    assert picture(gates, "png").startswith(b"\x89PNG")
