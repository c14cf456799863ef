"""Which layers count as depth."""

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.metrics.depth import weighted_layers


def paths(model, *inputs):
    return [layer.path for layer in weighted_layers(cnninspect.trace(model, inputs or None))]


@pytest.mark.parametrize(
    ("name", "layers"),
    [("resnet34", 34 + 3), ("vgg16", 16), ("lenet5_modern", 5), ("densenet121", 121),
     ("resnet1202", 1202), ("lstm", 2)],
)  # fmt: skip
def test_networks_named_after_their_depth_have_it(name, layers):
    assert len(paths(name)) == layers  # ResNet-34's name leaves out three projections


def test_norms_activations_and_what_never_runs_are_left_out():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm((3, 4)), nn.PReLU(), nn.Dropout())
    assert paths(model, (2, 3, 4)) == ["0"]
    model.spare = nn.Linear(4, 4)
    model.forward = lambda x: model[0](x)
    assert paths(model, (2, 4)) == ["0"]


def test_attention_that_hands_its_weights_on_is_one_layer():
    (layer,) = weighted_layers(
        cnninspect.trace(nn.MultiheadAttention(4, 2), tuple(torch.randn(3, 5, 1, 4)))
    )
    assert set(layer.parameters) == {
        "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias",
    }  # fmt: skip


def test_a_parametrised_layer_is_one_with_what_makes_its_weight():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))
    (layer,) = weighted_layers(cnninspect.trace(model, [(1, 4)]))
    assert layer.path == "0"
    assert set(layer.parameters) == {
        "0.bias",
        "0.parametrizations.weight.original0",
        "0.parametrizations.weight.original1",
    }


def test_a_block_with_parameters_of_its_own_is_no_layer():
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.linear = nn.Parameter(torch.ones(2, 4)), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.scale * self.linear(x)

    assert paths(Scaled(), (2, 4)) == ["linear"]


def test_layers_come_in_the_order_of_their_first_call():
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b, self.a = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(self.b(self.a(x)))

    assert paths(Backwards(), (2, 4)) == ["a", "b"]


def test_tied_weights_belong_to_each_layer_that_uses_them():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.decode = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
            self.decode.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.decode(self.embed(x))

    found = weighted_layers(cnninspect.trace(Tied(), (torch.tensor([1]),)))
    assert [(layer.path, layer.parameters) for layer in found] == [
        ("embed", ("embed.weight",)),
        ("decode", ("embed.weight",)),
    ]
