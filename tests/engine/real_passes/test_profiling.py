"""Passes: repeatable, on other people's modules without a trace, and as steps of training."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import cnninspect
from cnninspect.errors import (
    BadOption,
    CannotTrain,
    FileMissing,
    PatternMatchesNothing,
    RunFailed,
    WeightsMismatch,
)

TINY = "resnet20@num_classes=3"


def small() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(True), nn.Dropout(0.5),
        nn.Flatten(), nn.Linear(64, 3),
    )  # fmt: skip


def gradients(model: Any, inputs: Any = None, **settings: Any) -> Any:
    (found,) = cnninspect.gradients(model, inputs, **settings).models
    return found


def norms(model: Any) -> list[float]:
    return [layer.gradient_norm for layer in model.layers]


# --- the same again ---


def test_the_same_seed_gives_the_same_numbers_and_another_one_others():
    first, again, other = (gradients("lenet5", batch=2, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert norms(first) != norms(other)


def test_seeds_and_batches_are_independent_passes():
    both = gradients("lenet5", batch=2, seeds=2, batches=2)
    assert (both.seeds, both.passes) == (2, 4)
    singles = [gradients("lenet5", batch=2, seed=seed, batches=2) for seed in (0, 1)]
    one_batch = gradients("lenet5", batch=2)
    losses = [each.loss_value for each in (*singles, one_batch)]
    assert len(set(losses)) == 3
    layer = both.layers[0]
    assert layer.low.gradient_norm < layer.gradient_norm < layer.high.gradient_norm


def test_one_pass_has_no_spread():
    layer = gradients("lenet5", batch=2).layers[0]
    assert layer.low.gradient_norm == layer.gradient_norm == layer.high.gradient_norm


def test_dropout_does_not_depend_on_what_ran_before():
    torch.manual_seed(1)
    first = gradients(small(), [(4, 1, 6, 6)])
    torch.manual_seed(2)
    torch.rand(7)
    assert gradients(small(), [(4, 1, 6, 6)]) == first


# --- other people's modules ---


def fingerprint(model: nn.Module) -> Any:
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "values": {n: (id(t), t.detach().clone().tolist()) for n, t in tensors.items()},
        "trained": {n: (p.requires_grad, id(p.grad)) for n, p in model.named_parameters()},
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        "parameter hooks": [p._post_accumulate_grad_hooks for p in model.parameters()],
        "training": [m.training for m in model.modules()],
        "attributes": [sorted(vars(m)) for m in model.modules()],
        "random": (torch.get_rng_state().tolist(), random.getstate()),
    }


SETTINGS = {
    "plain": {},
    "frozen": {"freeze": ("0",)},
    "drawn_anew": {"init": "kaiming"},
    "trained": {"steps": 2, "optimizer": "adam"},
    "in_double": {"dtype": "float64"},
    "testing": {"mode": "eval"},
    "several": {"seeds": 2, "batches": 2},
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_live_module_is_left_as_it_was(settings):
    model, x = small(), torch.randn(4, 1, 6, 6)
    F.cross_entropy(model(x), torch.tensor([0, 1, 2, 0])).backward()  # somebody's own gradients
    kept = [parameter.grad for parameter in model.parameters()]
    model[1].eval()
    before = fingerprint(model)
    values = [gradient.clone() for gradient in kept]
    gradients(model, (x,), **SETTINGS[settings])
    assert fingerprint(model) == before
    assert all(a is p.grad for a, p in zip(kept, model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(kept, values))


def test_a_recurrent_module_is_left_as_it_was_when_unrolled():
    model = nn.Sequential(nn.LSTM(3, 4, batch_first=True))
    before = fingerprint(model)
    gradients(model, [(2, 5, 3)], over="time")
    assert fingerprint(model) == before


def test_a_module_that_writes_into_its_weights_is_left_as_it_was():
    class Bounded(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            self.weight.data = torch.renorm(self.weight.data, 2, 0, 0.1)
            self.bias.data.clamp_(-0.1, 0.1)
            return super().forward(x)

    model = nn.Sequential(Bounded(3, 4), nn.ReLU(), Bounded(4, 2))
    before = fingerprint(model)
    gradients(model, [(5, 3)])
    assert fingerprint(model) == before


def test_a_module_that_fails_is_left_as_it_was_too():
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            if not x.is_meta and torch.is_grad_enabled():
                raise ValueError("not today")
            return self.linear(x)

    model = Fails()
    before = fingerprint(model)
    with pytest.raises(RunFailed, match="ValueError: not today"):
        gradients(model, [(2, 3)])
    assert fingerprint(model) == before


def test_lazy_layers_get_their_weights_in_a_copy():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 2))
    found = gradients(model, [(3, 2, 5)])
    assert [layer.path for layer in found.layers] == ["1", "3"]
    assert found.layers[0].parameters == 44
    assert isinstance(model[1].weight, nn.UninitializedParameter)


def test_parameters_keep_no_gradient():
    model = small()
    gradients(model, [(4, 1, 6, 6)])
    assert all(parameter.grad is None for parameter in model.parameters())


# --- settings ---


def test_frozen_layers_have_no_gradient_and_stop_it_where_nothing_lies_below():
    found = gradients(TINY, batch=2, freeze=("conv1", "bn1", "layer*"))
    *backbone, head = found.layers
    assert all(layer.gradient_norm is None and not layer.trainable for layer in backbone)
    assert all(layer.activation_gradient_norm is None for layer in backbone)
    assert all(layer.activation_norm > 0 for layer in backbone)
    assert head.gradient_norm > 0
    assert found.frozen == tuple(layer.path for layer in backbone)


def test_a_frozen_layer_passes_the_gradient_on():
    found = gradients(TINY, batch=2, freeze=("layer2",))
    assert found.layers[0].gradient_norm > 0
    middle = next(layer for layer in found.layers if layer.path == "layer2.0.conv1")
    assert middle.gradient_norm is None
    assert middle.activation_gradient_norm > 0


def test_weights_are_loaded_from_a_file(tmp_path):
    donor = small()
    file = tmp_path / "weights.pth"
    torch.save(donor.state_dict(), file)
    other = small()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    x = torch.randn(4, 1, 6, 6)
    loaded = gradients(other, (x,), weights=str(file), targets=torch.tensor([0, 1, 2, 0]))
    own = gradients(donor, (x,), targets=torch.tensor([0, 1, 2, 0]))
    assert norms(loaded) == pytest.approx(norms(own))
    with pytest.raises(WeightsMismatch):
        gradients(TINY, weights=str(file))
    with pytest.raises(FileMissing):
        gradients(TINY, weights=str(tmp_path / "nosuch.pth"))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-3), ("bfloat16", 0.1)])
def test_other_precisions_give_nearly_the_same(dtype, tolerance):
    x = torch.randn(8, 1, 6, 6)
    settings = {"targets": torch.arange(8) % 3, "mode": "eval"}
    single = gradients(small(), (x,), **settings)
    other = gradients(small(), (x,), dtype=dtype, **settings)
    assert norms(other) == pytest.approx(norms(single), rel=tolerance)
    assert norms(other) != norms(single)


def test_evaluation_mode_uses_the_statistics_that_are_kept():
    x = 5 + 3 * torch.randn(8, 1, 6, 6)
    training, testing = (gradients(small(), (x,), mode=mode) for mode in ("train", "eval"))
    assert training.loss_value != testing.loss_value


def test_stochastic_depth_keeps_a_row_for_every_layer():
    found = gradients("resnet20@drop_path=1", batch=2, seeds=3)
    assert len(found.layers) > 10
    assert {layer.depth for layer in found.layers} == set(range(1, len(found.layers) + 1))


# --- training ---


def test_steps_are_those_of_the_optimizer():
    x, labels = torch.randn(6, 1, 6, 6), torch.arange(6) % 3
    model = small()
    for part in model.modules():
        part.training = not isinstance(part, nn.Dropout)
    model[3].p = 0.0
    twin = small()
    twin[3].p = 0.0
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.2, momentum=0.9)
    losses, sizes = [], []
    for _ in range(4):
        optimizer.zero_grad()
        loss = F.cross_entropy(twin(x), labels)
        loss.backward()
        losses.append(float(loss.detach()))
        sizes.append(float(torch.cat([twin[0].weight.grad.ravel(), twin[0].bias.grad]).norm()))
        optimizer.step()
    found = gradients(model, (x,), targets=labels, steps=3, every=1, optimizer="momentum", lr=0.2)
    assert [point.step for point in found.training] == [0, 1, 2, 3]
    assert [point.loss for point in found.training] == pytest.approx(losses, rel=1e-5)
    assert [point.layers[0].gradient_norm for point in found.training] == pytest.approx(
        sizes, rel=1e-4
    )
    assert found.layers == found.training[0].layers


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"])
def test_every_optimizer_learns_one_batch(optimizer):
    lr = 0.05 if optimizer in ("sgd", "momentum") else 0.01
    found = gradients("mlp", batch=8, steps=40, optimizer=optimizer, lr=lr)
    assert found.training[-1].loss < 0.7 * found.training[0].loss
    assert found.training[-1].step == 40
    assert 10 <= len(found.training) <= 12


def test_unmeasured_steps_count_as_well():
    every, some = (gradients("mlp", batch=4, steps=6, every=k) for k in (1, 3))
    assert [point.step for point in some.training] == [0, 3, 6]
    assert some.training[1:] == tuple(p for p in every.training if p.step in (3, 6))


# --- what cannot be measured ---


class Argmax(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).argmax(-1)


class Detached(Argmax):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).detach()


@pytest.mark.parametrize(
    ("model", "settings", "error", "message"),
    [
        (Argmax(), {}, CannotTrain, r"Argmax cannot be trained: its output \(int64\)"),
        (Detached(), {}, CannotTrain, "that can be differentiated"),
        (nn.ReLU(), {}, CannotTrain, "it has no parameters"),
        (nn.Linear(3, 2), {"freeze": ("*",)}, CannotTrain, "all its 2 parameters are frozen"),
        (nn.Linear(3, 2), {"freeze": ("conv",)}, PatternMatchesNothing, "'conv'"),
        (nn.Linear(3, 2).to("meta"), {}, CannotTrain, "no values"),
        (nn.Sequential(nn.BatchNorm1d(3)), {}, CannotTrain, "no layer with weights"),
        (nn.Linear(3, 1), {"loss": "cross-entropy"}, BadOption, "an output of 2×1"),
        (nn.Linear(3, 2), {"device": "mps"}, BadOption, "one that is here: cpu"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
def test_what_cannot_be_measured_is_refused_with_the_reason(model, settings, error, message):
    with pytest.raises(error) as caught:
        gradients(model, [(2, 3)], **settings)
    assert __import__("re").search(message, f"{caught.value} {caught.value.hint}")


@pytest.mark.skipif(torch.cuda.is_available(), reason="it is here")
def test_an_absent_gpu_is_refused():
    with pytest.raises(BadOption, match=r"device.*cuda is not possible"):
        gradients("mlp", device="cuda")


def test_batch_norm_of_a_single_value_is_told_with_what_to_do():
    with pytest.raises(RunFailed) as caught:
        gradients(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), [(1, 3)])
    assert "batch=" in caught.value.hint


def test_what_is_not_finite_is_reported_with_the_layer_it_began_at():
    class Divides(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / 0.0

    forward = nn.Sequential(nn.Linear(3, 3), Divides(), nn.Linear(3, 3), nn.Linear(3, 2))
    found = gradients(forward, [(2, 3)])
    assert (found.verdict, found.not_finite.path) == ("not-finite", "2")
    assert found.not_finite.where == "activations"
    assert not math.isfinite(found.layers[2].activation_norm)

    class RootOfNothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * 0).abs().sqrt()

    backward = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), RootOfNothing(), nn.Linear(3, 2))
    found = gradients(backward, [(2, 3)])
    assert (found.verdict, found.not_finite.path) == ("not-finite", "1")
    assert found.not_finite.where == "gradient at the output"


def test_dead_layers_are_named():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].bias.fill_(-100.0)
    found = gradients(model, [(5, 3)])
    assert found.verdict == "dead"
    assert found.dead == ("0",)
    assert found.layers[0].gradient_zeros == 1.0
