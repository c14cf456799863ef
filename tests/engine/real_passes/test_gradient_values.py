"""Norms taken in hooks are those of the gradients that `torch.autograd.grad` gives."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from gradient_problems import PROBLEMS, Problem, norm, slowly, zero_share
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import cnninspect
from cnninspect.metrics.depth import weighted_layers
from cnninspect.records.passes import Norms

EXACT = 1e-6


def targets_of(problem: Problem, outputs: Any) -> Tensor | None:
    """Labels or values that the loss of a problem asks for."""
    first = outputs["out"] if isinstance(outputs, dict) else outputs
    if problem.loss == "cross-entropy":
        rows = first.reshape(-1, first.shape[-1])
        return torch.arange(len(rows)) % rows.shape[-1]
    if problem.loss == "mse":
        noise = torch.Generator().manual_seed(3)
        return torch.randn(first.shape, generator=noise, dtype=first.dtype)
    return None


def loss_of(problem: Problem, outputs: Any, targets: Tensor | None) -> Tensor:
    """The loss, written down a second time."""
    if isinstance(outputs, dict):
        main, aux = (loss_of(problem, outputs[name], targets) for name in ("out", "aux"))
        return main + 0.3 * aux
    if isinstance(outputs, tuple):
        outputs = outputs[0]
    if problem.loss == "cross-entropy":
        return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets)
    return ((outputs - targets) ** 2).mean() if problem.loss == "mse" else outputs.sum()


def doubled(value: Any) -> Any:
    return value.double() if value.is_floating_point() else value


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_norms_are_those_of_autograd(problem: Problem, dtype: str) -> None:
    torch.manual_seed(1)
    model, inputs = problem.build().train(), problem.inputs
    if dtype == "float64":
        model, inputs = model.double(), tuple(map(doubled, inputs))
    with torch.no_grad():
        targets = targets_of(problem, model(*inputs))
    layers, of_parameters, loss = slowly(
        model, inputs, lambda outputs: loss_of(problem, outputs, targets)
    )
    profile = cnninspect.gradients(model, inputs, targets=targets, loss=problem.loss).models[0]
    assert profile.loss_value == pytest.approx(loss, rel=EXACT)
    owned = {
        layer.path: layer.parameters
        for layer in weighted_layers(cnninspect.trace(model, inputs, mode="train"))
    }
    named = dict(model.named_parameters(remove_duplicate=False))
    first_name = {id(p): name for name, p in reversed(list(named.items()))}
    assert profile.layers
    for layer in profile.layers:
        found = layers[layer.path]
        assert layer.calls == len(found.activations)
        assert layer.activation_norm == pytest.approx(norm(found.activations), rel=EXACT)
        if found.activation_gradients is None:
            assert layer.activation_gradient_norm is None
        else:
            gradients = found.activation_gradients
            elements = sum(g.numel() for g in gradients)
            expected = norm(gradients)
            assert layer.activation_gradient_norm == pytest.approx(expected, rel=EXACT)
            assert layer.activation_gradient_rms == pytest.approx(
                expected / math.sqrt(elements), rel=EXACT
            )
            assert layer.activation_gradient_zeros == zero_share(gradients)
        own = [named[name] for name in owned[layer.path]]
        trained = [of_parameters[first_name[id(p)]] for p in own if p.requires_grad]
        assert layer.trainable == sum(g.numel() for g in trained)
        assert layer.parameter_norm == pytest.approx(norm(own), rel=EXACT)
        if not trained:
            assert layer.gradient_norm is None
            continue
        assert layer.gradient_norm == pytest.approx(norm(trained), rel=EXACT)
        assert layer.gradient_zeros == zero_share(trained)


class Repeated(nn.Module):
    """Goes thrice through one layer, each time forgetting what lies between."""

    def __init__(self, *, is_reentrant: bool) -> None:
        super().__init__()
        self.is_reentrant = is_reentrant
        self.first, self.middle, self.last = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for _ in range(3):
            x = checkpoint(self.part, x, use_reentrant=self.is_reentrant)
        return self.last(torch.tanh(self.middle(x)))

    def part(self, x: Tensor) -> Tensor:
        return torch.tanh(self.middle(x))


@pytest.mark.filterwarnings(
    "ignore:None of the inputs"
)  # PyTorch's, of the trace without gradients
@pytest.mark.parametrize("steps", [0, 2])
def test_parts_of_a_gradient_are_added_before_they_are_measured(steps: int) -> None:
    found = []
    for is_reentrant in (False, True):
        torch.manual_seed(0)
        model = Repeated(is_reentrant=is_reentrant)
        report = cnninspect.gradients(model, [(3, 4)], steps=steps, every=1 if steps else None)
        profile = report.models[0]
        points = [point.layers for point in profile.training] or [profile.layers]
        found.append(
            [
                [getattr(layer, f.name) for layer in layers for f in fields(Norms)]
                for layers in points
            ]
        )
    one_piece, parts = found
    for expected, values in zip(one_piece, parts):
        assert values == pytest.approx(expected, rel=1e-6)


def test_depth_is_the_order_of_execution() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Linear(3, 2), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(x))

    profile = cnninspect.gradients(Backwards(), [(2, 4)]).models[0]
    assert [(layer.depth, layer.path) for layer in profile.layers] == [(1, "first"), (2, "last")]


def test_a_sine_of_known_gradient_is_measured_by_hand() -> None:
    # y = w x with w = 3 and x = (1, 2): dy/dw = 1 + 2, dy/d(output) = (1, 1)
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(3.0)
    inputs = (torch.tensor([[1.0], [2.0]]),)
    (layer,) = cnninspect.gradients(model, inputs, loss="sum").models[0].layers
    assert layer.gradient_norm == 3.0
    assert layer.parameter_norm == 3.0
    assert layer.activation_norm == pytest.approx(math.sqrt(9 + 36))
    assert layer.activation_gradient_norm == pytest.approx(math.sqrt(2))
    assert layer.activation_gradient_rms == 1.0
