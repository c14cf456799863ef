"""Predicted slopes of plain stacks, against theory and against what is measured."""

import math

import pytest
import torch
from torch import nn

import cnninspect

DEPTH, WIDTH = 30, 64


def stack(activation, *, gain, norm=False, depth=DEPTH):
    """Linear layers whose weights have the variance gain²/width."""
    torch.manual_seed(0)
    layers = []
    for _ in range(depth):
        linear = nn.Linear(WIDTH, WIDTH)
        nn.init.normal_(linear.weight, std=gain / math.sqrt(WIDTH))
        nn.init.zeros_(linear.bias)
        layers += [linear, *([nn.BatchNorm1d(WIDTH)] if norm else []), activation()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


def slopes(model, batch=64):
    found = cnninspect.gradients(model, inputs=(batch, WIDTH)).models[0]
    return found.predicted_slope, found.slope


@pytest.mark.parametrize(
    ("gain", "slope"),
    [(math.sqrt(2), 0.0), (1.0, 0.5 * math.log10(2)), (2.0, -0.5 * math.log10(2))],
    ids=["he", "xavier", "too large"],
)
def test_relu_halves_the_mean_square(gain, slope):
    predicted, measured = slopes(stack(nn.ReLU, gain=gain))
    assert predicted == pytest.approx(slope, abs=0.02)
    assert measured == pytest.approx(predicted, abs=0.03)


def test_linear_layers_keep_it_with_variance_one_by_width():
    predicted, measured = slopes(stack(nn.Identity, gain=1.0))
    assert predicted == pytest.approx(0, abs=0.02)
    assert measured == pytest.approx(predicted, abs=0.03)


@pytest.mark.parametrize("gain", [0.3, 1.4, 5.0])
def test_batch_norm_with_relu_grows_by_1_21_whatever_the_weights(gain):
    predicted, measured = slopes(stack(nn.ReLU, gain=gain, norm=True), batch=128)
    assert 10**-predicted == pytest.approx(math.sqrt(math.pi / (math.pi - 1)), rel=0.02)
    assert measured == pytest.approx(predicted, abs=0.03)


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh])
def test_saturating_activations_lose_what_their_slope_says(activation):
    predicted, measured = slopes(stack(activation, gain=1.0))
    assert predicted > 0
    assert measured == pytest.approx(predicted, abs=0.05)


def test_a_residual_network_is_no_plain_stack():
    assert cnninspect.gradients("resnet20@depth=8", batch=2).models[0].predicted_slope is None
