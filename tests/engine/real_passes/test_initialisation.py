"""Weights drawn anew have the spread that each scheme promises."""

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.engine.real_passes.preparation import initialise
from cnninspect.metrics.depth import weighted_layers
from cnninspect.records.passes import GradientSettings

FAN_IN, FAN_OUT = 9 * 64, 9 * 96
DEVIATIONS = {
    "kaiming": (2 / FAN_IN) ** 0.5,
    "xavier": (2 / (FAN_IN + FAN_OUT)) ** 0.5,
    "lecun": (1 / FAN_IN) ** 0.5,
    "orthogonal": (1 / FAN_IN) ** 0.5,  # 96 rows of length 1, each of 9 × 64 numbers
    "normal:0.3": 0.3,
}


def initialised(model: nn.Module, shape: tuple[int, ...], scheme: str) -> nn.Module:
    layers = weighted_layers(cnninspect.trace(model, [shape]))
    torch.manual_seed(0)
    initialise(model, layers, GradientSettings(init=scheme))
    return model


@pytest.mark.parametrize("scheme", DEVIATIONS)
def test_convolutions_get_the_deviation_of_the_scheme_and_no_bias(scheme):
    conv = initialised(nn.Conv2d(64, 96, 3), (1, 64, 8, 8), scheme)
    assert float(conv.weight.detach().std()) == pytest.approx(DEVIATIONS[scheme], rel=0.02)
    assert not conv.bias.any()


def test_orthogonal_weights_keep_lengths():
    layer = initialised(nn.Linear(16, 16), (1, 16), "orthogonal")
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(16), rtol=0, atol=1e-5)


def test_each_gate_of_a_recurrent_layer_is_drawn_by_itself():
    lstm = initialised(nn.LSTM(8, 8, batch_first=True), (1, 3, 8), "orthogonal")
    for gate in lstm.weight_hh_l0.split(8):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), rtol=0, atol=1e-5)


def test_norms_and_looked_up_vectors_keep_their_values():
    model = nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.Linear(4, 3))
    with torch.no_grad():
        model[1].weight.fill_(7.0)
    vectors = model[0].weight.clone()
    layers = weighted_layers(cnninspect.trace(model, (torch.tensor([[1, 2]]),)))
    initialise(model, layers, GradientSettings(init="normal:1e-9"))
    assert torch.equal(model[0].weight, vectors)
    assert torch.equal(model[1].weight, torch.full((4,), 7.0))
    assert float(model[2].weight.detach().abs().max()) < 1e-7


def test_default_leaves_everything():
    layer = nn.Linear(4, 3)
    weight = layer.weight.clone()
    assert torch.equal(initialised(layer, (1, 4), "default").weight, weight)
