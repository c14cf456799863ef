"""The rules of the way back: each worked example against torch.autograd."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.commands.explain.report import Backward

CONVOLUTIONS = [
    nn.Conv2d(3, 4, 3, padding=1),
    nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False),
    nn.Conv2d(3, 6, (1, 3), padding=(0, 1), groups=3),
    nn.Conv2d(3, 4, 3, dilation=2),
    nn.Conv2d(3, 4, 1),
    nn.Conv2d(3, 4, 2, stride=3),
    nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1),
    nn.ConvTranspose2d(3, 4, 2, stride=2, bias=False),
]
POOLINGS = [
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, 2, 1),
    nn.MaxPool2d(3, 1, dilation=2),
    nn.AvgPool2d(2),
    nn.AvgPool2d(3, 2, 1),
    nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    nn.AvgPool2d((1, 2)),
    nn.AdaptiveAvgPool2d(1),
    nn.AdaptiveAvgPool2d(3),
]
ACTIVATIONS = [
    nn.ReLU(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.SiLU(),
    nn.ReLU6(),
    nn.LeakyReLU(0.2),
    nn.GELU(),
]


def named(module: nn.Module) -> str:
    return repr(module).replace(" ", "")


def way_back(module: nn.Module, shape: tuple[int, ...] = (2, 3, 12, 12), **options: Any) -> Any:
    net = nn.Sequential(module)
    return cnninspect.explain(net, "0", shape, backward=True, **options)


def example(rule: Backward) -> dict[str, Tensor]:
    return {m.name: torch.tensor(m.rows, dtype=torch.float64) for m in rule.example}


def gradients(y: Tensor, by: dict[str, Tensor], g: Tensor) -> dict[str, Tensor]:
    found = torch.autograd.grad(y, list(by.values()), g)
    return {f"∂L/∂{name}": gradient for name, gradient in zip(by, found)}


def check(shown: dict[str, Tensor], y: Tensor, by: dict[str, Tensor]) -> None:
    """The output and every gradient of the example are those of autograd."""
    assert torch.allclose(y.reshape(shown["y"].shape), shown["y"])
    for name, gradient in gradients(y, by, shown["∂L/∂y"].reshape(y.shape)).items():
        assert torch.allclose(gradient.reshape(shown[name].shape), shown[name]), name


@pytest.mark.parametrize("module", CONVOLUTIONS, ids=named)
def test_a_convolution_goes_back_as_autograd_does(module: Any) -> None:
    (rule,) = way_back(module).backward
    shown = example(rule)
    x, w = (shown[name].clone()[None, None].requires_grad_() for name in ("x", "w"))
    b = torch.ones(1, dtype=torch.float64, requires_grad=True) if "∂L/∂b" in shown else None
    run = (
        nn.functional.conv_transpose2d
        if isinstance(module, nn.ConvTranspose2d)
        else nn.functional.conv2d
    )
    y = run(x, w, b, stride=module.stride, padding=module.padding, dilation=module.dilation)
    assert (b is not None) is (module.bias is not None)
    check(shown, y, {"x": x, "w": w, **({"b": b} if b is not None else {})})
    assert rule.gradient_out.shape == (2, 3, 12, 12)


@pytest.mark.parametrize("module", POOLINGS, ids=named)
def test_pooling_goes_back_as_autograd_does(module: Any) -> None:
    (rule,) = way_back(module).backward
    shown = example(rule)
    x = shown["x"].clone()[None, None].requires_grad_()
    if isinstance(module, nn.AdaptiveAvgPool2d):
        module = nn.AdaptiveAvgPool2d(shown["y"].shape)
    check(shown, module(x), {"x": x})


@pytest.mark.parametrize("module", ACTIVATIONS, ids=named)
def test_an_activation_goes_back_as_autograd_does(module: Any) -> None:
    (rule,) = way_back(module).backward
    shown = example(rule)
    x = shown["x"].clone().requires_grad_()
    check(shown, module(x), {"x": x})


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_goes_back_as_autograd_does(bias: bool) -> None:
    report = way_back(nn.Linear(12, 5, bias=bias), (2, 12))
    (rule,) = report.backward
    shown = example(rule)
    x, w = shown["x"].clone().requires_grad_(), shown["W"].clone().requires_grad_()
    check(shown, w @ x + float(bias), {"x": x, "W": w})
    assert any("∂L/∂b" in text for text in rule.formulas) is bias
    assert rule.gradient_out.shape == (2, 12)
    assert rule.input_macs == rule.weight_macs == report.layer.total.macs == 2 * 12 * 5


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_batch_normalisation_goes_back_as_autograd_does(mode: str) -> None:
    (rule,) = way_back(nn.BatchNorm2d(3), mode=mode).backward
    shown = example(rule)
    x = shown["x"].clone().reshape(-1, 1).requires_grad_()
    gamma, beta = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (2.0, 1.0))
    y = nn.functional.batch_norm(x, None, None, gamma, beta, training=True)
    check(shown, y, {"x": x, "γ": gamma, "β": beta})
    assert "n = 288" in rule.formulas[1]


class Scaled(nn.Module):
    """A product with a number and a quotient by one."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 3 / 4 + torch.zeros(())


def test_a_number_scales_the_gradient_as_well() -> None:
    report = cnninspect.explain(Scaled(), "", (1, 3), backward=True)
    rules = [rule for rule in report.backward if rule.rule.startswith("scaling")]
    assert ["c = 0.25" in rules[0].formulas[0], "c = 3" in rules[1].formulas[0]] == [True, True]
    for rule, run in zip(rules, (lambda x: x / 4, lambda x: x * 3)):
        shown = example(rule)
        x = shown["x"].clone().requires_grad_()
        check(shown, run(x), {"x": x})
    assert report.without_rule == ()  # what is made of nothing needs none


class Joins(nn.Module):
    """Two branches that are added, multiplied, joined and scored."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x) + x
        y = torch.cat([y * y.mean((2, 3), keepdim=True), x], 1)
        return torch.erf(y.softmax(1))


def test_what_joins_branches_goes_back_as_autograd_does() -> None:
    report = cnninspect.explain(Joins(), "", (1, 3, 8, 8), backward=True)
    found = {rule.rule.partition(",")[0]: example(rule) for rule in report.backward}
    assert list(found) == [
        "softmax", "concatenation", "product", "mean", "addition", "convolution",
    ]  # fmt: skip
    joins = {
        "addition": lambda a, b: a + b,
        "product": lambda a, b: a * b,
        "concatenation": lambda a, b: torch.cat([a, b], -1),
    }
    for name, run in joins.items():
        shown = found[name]
        a, b = shown["a"].clone().requires_grad_(), shown["b"].clone().requires_grad_()
        check(shown, run(a, b), {"a": a, "b": b})
    for name, run_one in {"softmax": lambda x: x.softmax(-1), "mean": lambda x: x.mean()}.items():
        shown = found[name]
        x = shown["x"].clone().requires_grad_()
        check(shown, run_one(x), {"x": x})
    assert report.without_rule == ("aten.erf",)


def test_a_block_tells_each_rule_once_last_first() -> None:
    report = cnninspect.explain("resnet20", "layer1.0", backward=True)
    titles = [rule.rule for rule in report.backward]
    assert titles[0] == "ReLU"
    assert titles[1] == "addition, y = a + b"
    (conv,) = [rule for rule in report.backward if rule.op == "aten.convolution"]
    assert (conv.calls, conv.layer) == (2, "layer1.0.conv2")
    assert conv.input_macs == conv.weight_macs == report.layer.total.macs
    assert cnninspect.explain("resnet20", "layer1.0").backward == ()


def test_a_window_too_large_for_an_example_is_shown_smaller() -> None:
    (rule,) = cnninspect.explain("resnet18", "conv1", backward=True).backward
    assert rule.rule == "convolution, window 7×7, stride 2, padding 3"
    assert "2·q − 3 + t" in rule.formulas[0]
    assert rule.about_example == "shown with a window of 3×3"
    assert example(rule)["w"].shape == (3, 3)
