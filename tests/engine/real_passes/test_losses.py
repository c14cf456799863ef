"""Which loss is taken, and what it is made of."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnninspect
from cnninspect.engine.real_passes.losses import chosen_loss, loss_of
from cnninspect.errors import BadOption, LabelOutOfRange

NOISE = torch.Generator()


def taken(model, inputs, **settings):
    return cnninspect.gradients(model, inputs=inputs, **settings).models[0]


@pytest.mark.parametrize(
    ("output", "inputs", "loss"),
    [
        ((4, 10), [(4, 3, 8, 8)], "cross-entropy"),
        ((4, 1), [(4, 3, 8, 8)], "mse"),
        ((4, 3, 8, 8), [(4, 3, 8, 8)], "mse"),
        ((4, 21, 8, 8), [(4, 3, 8, 8)], "cross-entropy"),
        ((4, 3, 4, 4), [(4, 3, 8, 8)], "cross-entropy"),
        ((4, 3, 8, 8), [(4, 100, 1, 1)], "mse"),
        ((4, 3, 8, 8), [(4, 100)], "mse"),
        ((4, 7, 10), [(4, 7, 28)], "cross-entropy"),
    ],
    ids=["classes", "one value", "reconstruction", "segmentation", "smaller map", "generator",
         "generator from a vector", "a class for each step"],
)  # fmt: skip
def test_auto_takes_what_the_output_is(output, inputs, loss):
    assert chosen_loss("auto", torch.empty(output), [torch.empty(s) for s in inputs]) == loss
    assert chosen_loss("sum", torch.empty(output)) == "sum"


def test_an_autoencoder_of_three_channels_has_no_classes():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1))
    assert taken(net, (2, 3, 8, 8)).loss == "mse"
    assert taken(net, (2, 3, 8, 8), loss="cross-entropy").loss == "cross-entropy"


def test_bce_is_that_of_pytorch():
    output, targets = torch.randn(5, 4), torch.rand(5, 4)
    found = loss_of([output], targets, "bce", noise=NOISE)
    assert found == F.binary_cross_entropy_with_logits(output, targets)
    classes = torch.tensor([0, 3, 1, 2, 0])
    expected = F.binary_cross_entropy_with_logits(output, F.one_hot(classes, 4).float())
    assert loss_of([output], classes, "bce", noise=NOISE) == expected
    two = torch.tensor([0, 1, 1, 0, 1])
    expected = F.binary_cross_entropy_with_logits(output[:, :1], two[:, None].float())
    assert loss_of([output[:, :1]], two, "bce", noise=NOISE) == expected
    drawn = taken(nn.Linear(3, 1), (6, 3), loss="bce")
    assert drawn.loss == "bce"
    assert drawn.verdict == "healthy"


def test_bce_refuses_labels_that_are_neither_0_nor_1():
    with pytest.raises(LabelOutOfRange, match="label 2 is out of range"):
        loss_of([torch.randn(3, 1)], torch.tensor([0, 1, 2]), "bce", noise=NOISE)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_auxiliary_losses_have_their_weight(weight):
    main, aux, targets = torch.randn(4, 3), torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    expected = F.cross_entropy(main, targets) + weight * F.cross_entropy(aux, targets)
    found = loss_of([main, aux], targets, "cross-entropy", noise=NOISE, aux_weight=weight)
    assert found == pytest.approx(float(expected))


class WithAux(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.out, self.aux = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.first(x)
        return {"aux": self.aux(x), "out": self.out(x)}


def test_the_weight_of_auxiliary_losses_is_that_of_googlenet_unless_given():
    targets = torch.tensor([0, 1, 2, 3])
    values = {
        weight: taken(WithAux(), (torch.ones(4, 3),), targets=targets, **settings).loss_value
        for weight, settings in ((0.3, {}), (0.0, {"aux_weight": 0.0}), (1.0, {"aux_weight": 1.0}))
    }
    assert values[0.3] == pytest.approx(0.7 * values[0.0] + 0.3 * values[1.0], rel=1e-4)
    assert values[0.0] < values[0.3] < values[1.0]
    model = WithAux()
    assert values[0.0] == pytest.approx(
        float(F.cross_entropy(model(torch.ones(4, 3))["out"], targets).detach())
    )
    with pytest.raises(BadOption, match="aux_weight"):
        taken("lenet5", None, aux_weight=-1.0)


@pytest.mark.parametrize("word", ["last", "every"])
def test_what_is_judged_over_time_is_asked_over_time_only(word):
    with pytest.raises(BadOption) as caught:
        taken("lenet5", None, loss=word)
    assert "used with over= time" in caught.value.hint


def test_every_precision_sees_the_same_data():
    losses = {
        dtype: taken("lenet5_modern", (4, 1, 32, 32), dtype=dtype).loss_value
        for dtype in ("float32", "float64", "bfloat16")
    }
    assert losses["float32"] == pytest.approx(losses["float64"], abs=1e-5)
    assert losses["bfloat16"] == pytest.approx(losses["float64"], abs=0.02)
    drawn = [
        taken("lenet5_modern", (4, 1, 32, 32), dtype=dtype, init="normal:0.1").loss_value
        for dtype in ("float32", "float64")
    ]
    assert drawn[0] == pytest.approx(drawn[1], abs=1e-5)


def test_the_batch_of_the_report_is_the_real_one():
    assert cnninspect.gradients("lenet5", (5, 1, 32, 32)).settings.batch == 5
    assert cnninspect.gradients(nn.Linear(3, 2), (torch.ones(7, 3),)).settings.batch == 7
    assert cnninspect.gradients("lenet5", batch=3).settings.batch == 3
