"""Training: the same as a plain loop, resumable from any epoch, and honest about what it saw."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import cnninspect
from cnninspect.commands.train.analysis import degradation_among, fit_of
from cnninspect.commands.train.measuring import augmented, rate_at
from cnninspect.commands.train.report import Epoch, TrainingSettings
from cnninspect.engine.real_passes.data_sets import load_data, split
from cnninspect.errors import (
    BadOption,
    CannotTrain,
    CnnInspectError,
    FileExists,
    FileMissing,
    FileUnreadable,
    LabelOutOfRange,
    UnknownChoice,
    UnusableData,
    WeightsMismatch,
)

SHAPE = (1, 4, 4)


class Net(nn.Module):
    """A small network with all that training has to look after."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.dropout, self.head = nn.Dropout(0.2), nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(torch.relu(self.norm(self.conv(x))).flatten(1)))


@pytest.fixture
def data(tmp_path: Path) -> str:
    """90 images of 3 classes, which can be told apart."""
    draws = numpy.random.default_rng(0)
    labels = numpy.arange(90) % 3
    images = draws.normal(size=(90, 4, 4)) + 1.2 * (labels[:, None, None] - 1)
    numpy.savez(tmp_path / "data.npz", x=images.astype("float32"), y=labels)
    return str(tmp_path / "data.npz")


def train(model: Any, data: str, **settings: Any) -> Any:
    options = {"data": data, "batch": 16, "epochs": 3, **settings}
    return cnninspect.train(model, (1, *SHAPE), **options)


def trained(model: Any, data: str, **settings: Any) -> Any:
    return train(model, data, **settings).models[0]


# --- the loop ---


def test_it_is_what_a_plain_loop_does(data: str) -> None:
    found = trained(Net(), data, optimizer="momentum", lr=0.05, weight_decay=1e-3)
    examples = load_data(data, SHAPE)
    learnt, kept = split(examples, 0.2)
    model, losses = Net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    for epoch in (1, 2, 3):
        torch.manual_seed(epoch)
        order = learnt[torch.randperm(len(learnt))]
        model.train()
        total = 0.0
        for chosen in order.split(16):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(examples.inputs[chosen]), examples.labels[chosen])
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(chosen)
        losses.append(total / len(learnt))
    model.eval()
    with torch.no_grad():
        scores = model(examples.inputs[kept])
    assert [each.loss for each in found.epochs] == pytest.approx(losses)
    last = found.epochs[-1]
    assert last.held_out_loss == pytest.approx(
        float(F.cross_entropy(scores, examples.labels[kept]))
    )
    right = float((scores.argmax(1) == examples.labels[kept]).float().mean())
    assert last.held_out_accuracy == pytest.approx(right)
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert last.weight_norm == pytest.approx(float(weights.norm()), rel=1e-5)
    assert last.weight_l1 == pytest.approx(float(weights.abs().sum()), rel=1e-5)


def test_the_same_seed_gives_the_same_curves_and_a_module_stays_as_it_was(data: str) -> None:
    model = Net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, again, other = (trained(model, data, seed=seed) for seed in (0, 0, 1))
    assert first.epochs == again.epochs
    assert first.epochs != other.epochs
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"])
def test_every_optimizer_learns(data: str, optimizer: str) -> None:
    found = trained(Net(), data, optimizer=optimizer, epochs=6)
    assert found.epochs[-1].loss < found.epochs[0].loss
    assert found.epochs[-1].held_out_accuracy > 0.5
    assert found.stop.reason == "completed"


def test_what_is_held_out_is_a_share_of_each_class_and_the_same_for_every_training(
    data: str,
) -> None:
    examples = load_data(data, SHAPE)
    learnt, kept = split(examples, 0.2)
    assert torch.bincount(examples.labels[kept]).tolist() == [6, 6, 6]
    assert sorted([*learnt.tolist(), *kept.tolist()]) == list(range(90))
    report = train([Net(), Net()], data, seed=3)
    assert (report.trained_examples, report.held_out_examples) == (72, 18)


def test_penalties_make_weights_smaller(data: str) -> None:
    plain, l1, l2 = (
        trained(Net(), data, epochs=5, **more).epochs[-1]
        for more in ({}, {"l1": 0.02}, {"weight_decay": 0.5})
    )
    assert l1.weight_l1 < plain.weight_l1
    assert l2.weight_norm < plain.weight_norm


def test_label_smoothing_is_that_of_pytorch(data: str) -> None:
    smooth = trained(Net(), data, label_smoothing=0.9, epochs=4).epochs[-1]
    assert smooth.loss > 0.9  # what is asked for is nearly uniform


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [0.1, 0.1, 0.1, 0.1]),
        ("step", [0.1, 0.1, 0.01, 0.001]),
        ("cosine", [0.1, 0.05 * (1 + math.cos(math.pi / 4)), 0.05,
                    0.05 * (1 - math.cos(math.pi / 4))]),
    ],
)  # fmt: skip
def test_schedules(schedule: str, rates: list[float], data: str) -> None:
    settings = TrainingSettings(schedule=schedule, epochs=4, lr=0.1)
    assert [rate_at(settings, epoch) for epoch in (1, 2, 3, 4)] == pytest.approx(rates)
    found = trained(Net(), data, schedule=schedule, epochs=4, lr=0.1, optimizer="sgd")
    assert [each.learning_rate for each in found.epochs] == pytest.approx(rates)


def test_augmented_images_are_mirrored_and_moved() -> None:
    torch.manual_seed(0)
    images = torch.arange(64 * 9.0).view(64, 1, 3, 3)
    flipped = augmented(images, ("flip",))
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert bool((mirrored | same).all())
    assert 10 < int(mirrored.sum()) < 54
    large = torch.randn(64, 2, 16, 16)
    moved = augmented(large, ("shift",))
    assert moved.shape == large.shape
    places = {
        (down, right)
        for image, shifted in zip(large, moved)
        for down in range(-2, 3)
        for right in range(-2, 3)
        if torch.equal(shifted[:, 2:-2, 2:-2],
                       image.roll((down, right), (1, 2))[:, 2:-2, 2:-2])
    }  # fmt: skip
    assert len(places) > 15
    assert augmented(large, ()) is large


# --- where it starts, and what is trained ---


def test_frozen_layers_stay_and_keep_their_statistics(data: str, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    found = trained(Net(), data, freeze=("conv", "norm"), output=file)
    assert found.trained_parameters == 16 * 3 + 3
    from safetensors.torch import load_file

    after, before = load_file(file), Net().state_dict()
    for name, value in before.items():
        assert torch.equal(value, after[name]) == (not name.startswith("head.")), name
    unfrozen = trained(Net(), data, freeze=("*",), unfreeze=("head",))
    assert unfrozen.epochs == found.epochs
    with pytest.raises(CannotTrain, match="all its 6 parameters are frozen"):
        trained(Net(), data, freeze=("*",))


def test_weights_go_on_where_they_were_saved(data: str, tmp_path: Path) -> None:
    for name in ("w.safetensors", "w.pth"):
        saved = trained(Net(), data, output=tmp_path / name)
        assert saved.weights == str(tmp_path / name)
        still = trained(Net(), data, weights=str(tmp_path / name), lr=1e-12, epochs=1)
        last = saved.epochs[-1]
        assert still.epochs[0].held_out_accuracy == pytest.approx(last.held_out_accuracy, abs=0.12)
        assert still.epochs[0].weight_norm == pytest.approx(last.weight_norm, rel=1e-4)
    with pytest.raises(WeightsMismatch):
        trained(Net(5), data, weights=str(tmp_path / "w.pth"))


def test_a_new_head_takes_the_weights_of_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    cnninspect.train("mlp", batch=256, epochs=1, output=file)
    model = cnninspect.train("mlp", batch=256, epochs=1, weights=str(file), head=12).models[0]
    assert model.model.reference == "mlp@num_classes=12"
    with pytest.raises(WeightsMismatch):
        cnninspect.train("mlp@num_classes=12", batch=256, epochs=1, weights=str(file))


# --- stopping and going on ---


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(data: str, tmp_path: Path) -> None:
    whole, file = trained(Net(), data, epochs=4), tmp_path / "run.ckpt"
    trained(Net(), data, epochs=2, checkpoint=file)
    assert list(tmp_path.glob(".run*")) == []
    resumed = trained(Net(), data, epochs=4, checkpoint=file, resume=True)
    assert resumed.epochs == whole.epochs
    assert resumed.stop == whole.stop
    done = trained(Net(), data, epochs=4, checkpoint=file, resume=True)
    assert done.epochs == whole.epochs


def test_a_checkpoint_that_is_replaced_stays_until_there_is_another(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, link = tmp_path / "c", tmp_path / "link"
    file.write_text("precious")
    link.symlink_to(file)
    with pytest.raises(CnnInspectError):
        trained(Net(), data, epochs=1, checkpoint=link, force=True, device="nowhere")
    assert file.read_text() == "precious"
    trained(Net(), data, epochs=1, checkpoint=link, force=True)
    assert link.is_symlink()
    assert file.read_bytes()[:2] == b"PK"


def test_a_checkpoint_is_of_one_training(data: str, tmp_path: Path) -> None:
    file = tmp_path / "run.ckpt"
    trained(Net(), data, epochs=1, checkpoint=file)
    with pytest.raises(FileExists):
        trained(Net(), data, checkpoint=file)
    with pytest.raises(FileUnreadable, match="of another training: lr is"):
        trained(Net(), data, checkpoint=file, resume=True, lr=0.3)
    with pytest.raises(FileMissing):
        trained(Net(), data, checkpoint=tmp_path / "none", resume=True)
    (tmp_path / "text").write_text("no checkpoint")
    with pytest.raises(FileUnreadable, match="no checkpoint of train"):
        trained(Net(), data, checkpoint=tmp_path / "text", resume=True)
    with pytest.raises(BadOption, match="checkpoint="):
        train([Net(), Net()], data, checkpoint=file)


def test_stopping_early_keeps_the_best_weights(data: str, tmp_path: Path) -> None:
    found = trained(Net(), data, epochs=60, patience=2, lr=0.1, output=tmp_path / "w.pth")
    best = min(found.epochs, key=lambda each: each.held_out_loss)
    assert found.stop.reason == "stopped early"
    assert found.kept_epoch == best.epoch == len(found.epochs) - 2
    model = Net()
    model.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True))
    examples = load_data(data, SHAPE)
    _, kept = split(examples, 0.2)
    with torch.no_grad():
        scores = model.eval()(examples.inputs[kept])
    loss = float(F.cross_entropy(scores, examples.labels[kept]))
    assert loss == pytest.approx(best.held_out_loss, rel=1e-5)


class Breaks(Net):
    """Gives what is no number from the third step on, in its normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.training and self.calls > 2:
            self.norm.weight.data.fill_(math.nan)
        return super().forward(x)


def test_a_loss_that_is_no_number_stops_it_and_says_where(data: str, tmp_path: Path) -> None:
    found = trained(Breaks(), data, output=tmp_path / "w.pth")
    assert found.stop.reason == "not finite"
    assert (found.stop.epoch, found.stop.step, found.stop.layer) == (1, 2, "norm")
    assert found.epochs == ()
    assert found.fit.verdict == "undecided"
    assert not (tmp_path / "w.pth").exists()


# --- what the curves say ---


def epoch(number: int, loss: float, accuracy: float, held_loss: float, held: float) -> Epoch:
    return Epoch(number, loss, accuracy, held_loss, held, 1.0, 1.0, 1.0, 0.1)


def test_verdicts_go_by_the_written_rule() -> None:
    good = [epoch(1, 1.0, 0.6, 1.0, 0.6), epoch(2, 0.2, 0.95, 0.25, 0.93)]
    assert fit_of(good, held_out=1000).verdict == "good fit"
    low = [epoch(1, 1.0, 0.5, 1.0, 0.5), epoch(2, 0.9, 0.55, 0.9, 0.55)]
    assert fit_of(low, held_out=1000).verdict == "underfitting"
    rising = [epoch(1, 1.0, 0.6, 1.0, 0.6), epoch(2, 0.5, 0.8, 0.8, 0.7),
              epoch(3, 0.2, 0.8, 0.85, 0.78), epoch(4, 0.1, 0.8, 0.9, 0.78)]  # fmt: skip
    fit = fit_of(rising, held_out=1000)
    assert (fit.verdict, fit.since_epoch) == ("overfitting", 2)
    apart = [
        epoch(1, 1.0, 0.6, 1.0, 0.6),
        epoch(2, 0.5, 0.9, 0.8, 0.7),
        epoch(3, 0.4, 1.0, 0.8, 0.8),
    ]
    fit = fit_of(apart, held_out=1000)
    assert (fit.verdict, fit.since_epoch) == ("overfitting", 1)
    assert fit.gap == pytest.approx(0.2)
    assert fit_of(apart, held_out=10).verdict == "good fit"  # 0.2 of 10 examples is chance
    assert fit_of(apart[:1], held_out=1000).verdict == "undecided"


def test_depth_that_makes_it_worse_is_told(data: str) -> None:
    report = cnninspect.train(
        ["resnet20@depth=8", "resnet20@depth=14"], (1, 3, 8, 8), epochs=1, batch=256, seed=0
    )
    (pair,) = report.degradation
    assert (pair.shallower, pair.deeper) == ("resnet20@depth=8", "resnet20@depth=14")
    shallow, deep = (model.epochs[-1] for model in report.models)
    assert (pair.shallower_accuracy, pair.deeper_accuracy) == (shallow.accuracy, deep.accuracy)
    assert pair.is_seen == (deep.accuracy < shallow.accuracy - 0.01 and deep.loss > shallow.loss)
    assert degradation_among(report.models[:1]) == ()


# --- data ---


def test_digits_are_resized_and_shown_in_all_channels() -> None:
    digits = load_data("digits", (3, 16, 16))
    assert digits.inputs.shape == (1797, 3, 16, 16)
    assert torch.equal(digits.inputs[:, 0], digits.inputs[:, 2])
    assert torch.bincount(digits.labels).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]
    flat = load_data("digits", (64,))
    assert flat.inputs.shape == (1797, 64)
    assert float(flat.inputs.mean()) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (numpy.zeros((6, 5, 5), "float32"), (3, 8, 8)),
        (numpy.zeros((6, 5, 5, 3), "uint8"), (3, 5, 5)),
        (numpy.zeros((6, 3, 5, 5), "float64"), (1, 5, 5)),
        (numpy.zeros((6, 7), "float32"), (7,)),
    ],
)
def test_arrays_become_what_the_model_takes(array: Any, shape: Any, tmp_path: Path) -> None:
    numpy.savez(tmp_path / "a.npz", images=array, labels=numpy.array(list("abcabc")))
    data = load_data(str(tmp_path / "a.npz"), shape)
    assert data.inputs.shape == (6, *shape)
    assert data.classes == ("a", "b", "c")
    assert data.labels.tolist() == [0, 1, 2] * 2


def pictures(folder: Path, *parts: str, count: int = 4) -> Path:
    from PIL import Image

    for part in parts:
        (folder / part).mkdir(parents=True)
        for number in range(count):
            shade = (60 * number) % 255 if "cat" in part else 255 - 20 * number
            Image.new("RGB", (6, 6), (shade, 30, 9)).save(folder / part / f"{number}.png")
    return folder


def test_a_folder_of_images_may_hold_broken_ones(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pets", "cat", "dog")
    (folder / "cat" / "broken.png").write_bytes(b"not an image")
    report = cnninspect.train(Net(2), (1, *SHAPE), data=str(folder), batch=2, epochs=1)
    assert report.data.skipped == 1
    assert report.data.classes == ("cat", "dog")
    assert "1 file could not be read" in cnninspect.render(report)


def test_folders_may_say_what_is_held_out(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pets", "train/cat", "train/dog", "val/cat", "val/dog", count=3)
    report = cnninspect.train(Net(2), (1, *SHAPE), data=str(folder), batch=2, epochs=1)
    assert (report.trained_examples, report.held_out_examples) == (6, 6)
    pictures(tmp_path / "pets", "train/cow")
    with pytest.raises(UnusableData, match="train and val have other classes: cow"):
        cnninspect.train(Net(2), (1, *SHAPE), data=str(folder))


@pytest.mark.parametrize(
    ("x", "y", "problem"),
    [
        (numpy.zeros((40, 4, 4)), numpy.zeros(40, int), "all its examples are of one class, 0"),
        (numpy.zeros((40, 4, 4)), numpy.arange(40) % 2 - 1, "label -1 is below 0"),
        (numpy.zeros((40, 4, 4)), numpy.arange(30) % 2, "do not go together"),
        (numpy.full((40, 4, 4), numpy.nan), numpy.arange(40) % 2, "not all finite"),
        (numpy.zeros((40, 5)), numpy.arange(40) % 2, "an example is 5"),
        (numpy.zeros((40, 2, 4, 4)), numpy.arange(40) % 2, None),
        (numpy.zeros((12, 4, 4)), numpy.arange(12) % 2, "fewer than a batch of 16"),
    ],
    ids=["one class", "negative label", "lengths", "nan", "no image", "two channels", "few"],
)
def test_data_of_no_use_are_refused(x: Any, y: Any, problem: str | None, tmp_path: Path) -> None:
    numpy.savez(tmp_path / "d.npz", x=x, y=y)
    if problem is None:
        assert trained(Net(), str(tmp_path / "d.npz")).epochs
        return
    with pytest.raises(UnusableData, match=problem):
        trained(Net(), str(tmp_path / "d.npz"))


def test_labels_beyond_the_models_classes_are_refused(tmp_path: Path) -> None:
    numpy.savez(tmp_path / "d.npz", x=numpy.zeros((60, 4, 4)), y=numpy.arange(60) % 5)
    with pytest.raises(LabelOutOfRange, match="label 4 is out of range: the model has 3 classes"):
        trained(Net(), str(tmp_path / "d.npz"))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"data": "no-such.npz"}, FileMissing),
        ({"data": "no-such-folder"}, FileMissing),
        ({"optimizer": "lion"}, UnknownChoice),
        ({"schedule": "linear"}, UnknownChoice),
        ({"augment": ("turn",)}, UnknownChoice),
        ({"lr": -1.0}, BadOption),
        ({"l1": -1.0}, BadOption),
        ({"label_smoothing": 1.0}, BadOption),
        ({"held_out": 0.0}, BadOption),
        ({"epochs": 0}, BadOption),
        ({"device": "tpu"}, UnknownChoice),
    ],
)
def test_what_cannot_be_is_a_plain_error(wrong: dict[str, Any], error: Any, data: str) -> None:
    with pytest.raises(error):
        trained(Net(), wrong.pop("data", data), **wrong)


def test_a_model_of_token_ids_or_of_maps_cannot_learn_from_images(data: str) -> None:
    with pytest.raises(UnusableData, match="no images"):
        cnninspect.train(nn.Embedding(5, 3), data=data)
    with pytest.raises(UnusableData, match="not a score for each of its classes"):
        trained(nn.Conv2d(1, 3, 3), data)
    broken = Path(data).parent / "x.npz"
    broken.write_bytes(b"PK no zip")
    with pytest.raises(FileUnreadable):
        trained(Net(), str(broken))


def test_an_unknown_setting_is_one_error_that_lists_those_there_are(data):
    with pytest.raises(CnnInspectError, match="train has no argument 'epoch'") as said:
        train(Net(), data, epoch=2)
    assert "epochs" in said.value.hint


def test_a_network_may_have_attributes_called_like_methods_of_its_class(data):
    class Shadowing(Net):
        def __init__(self):
            super().__init__()
            self.__dict__.update(parameters=["a"], modules=3)

    assert len(train(Shadowing(), data, epochs=1).models[0].epochs) == 1
    assert cnninspect.evaluate(Shadowing(), (1, *SHAPE), data=data).accuracy is not None


RATES = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw")


@pytest.mark.parametrize("optimizer", RATES)
def test_the_steps_of_each_parameter_are_those_of_torch_optim(optimizer: str) -> None:
    import torch

    from cnninspect.engine.real_passes.profiling import OPTIMIZERS as MADE
    from cnninspect.engine.real_passes.step_sizes import steps_taken

    torch.manual_seed(0)
    parameters = {"w": torch.randn(5, 7, dtype=torch.float64, requires_grad=True)}
    twin = parameters["w"].detach().clone().requires_grad_()
    kind, options = MADE[optimizer]
    ours, theirs = (getattr(torch.optim, kind)([p], lr=0.05, **options)
                    for p in (parameters["w"], twin))  # fmt: skip
    means = torch.zeros_like(twin)
    for number in range(1, 6):
        gradient = torch.randn(5, 7, dtype=torch.float64)
        parameters["w"].grad, twin.grad = gradient.clone(), gradient.clone()
        before = {"w": parameters["w"].detach().clone()}
        start = twin.detach().clone()
        ours.step()
        theirs.step()
        (step,) = steps_taken(ours, parameters, before, number=number)
        if optimizer == "adamw":  # its decay is no part of the step
            start = start * (1 - 0.05 * theirs.param_groups[0]["weight_decay"])
        moved = start - twin.detach()
        if optimizer in ("adam", "adamw"):
            means = 0.9 * means + 0.1 * gradient
            gradient = means / (1 - 0.9**number)
        elif optimizer == "momentum":
            means = 0.9 * means + gradient
            gradient = means
        rates = (moved / gradient).flatten().sort().values
        assert step.rate == pytest.approx(float(rates[17]), rel=1e-6)
        assert (step.low, step.high) == pytest.approx((float(rates[8]), float(rates[26])), rel=1e-6)
        change = (parameters["w"].detach() - before["w"]).square().mean().sqrt()
        assert step.change_rms == pytest.approx(float(change))


def test_adagrads_rates_only_fall_and_sgds_stay() -> None:
    for optimizer, falls in (("adagrad", True), ("sgd", False)):
        report = cnninspect.train(
            "mlp@hidden=8", data="digits", epochs=2, optimizer=optimizer, by_parameter=True
        )
        steps = report.models[0].steps
        names = [step.name for step in steps]
        assert len(set(names)) == 4
        assert len(steps) == 4 * 3  # the first step, and the last of each epoch
        rates = [step.rate for step in steps if step.name == "output.weight"]
        assert (rates[0] > rates[1] > rates[2]) if falls else (set(rates) == {0.1})


def test_steps_by_parameter_change_nothing_and_survive_a_resume(tmp_path: Path) -> None:
    plain = cnninspect.train("mlp@hidden=8", epochs=2)
    file = tmp_path / "run.ckpt"
    cnninspect.train("mlp@hidden=8", epochs=1, by_parameter=True, checkpoint=file)
    watched = cnninspect.train(
        "mlp@hidden=8", epochs=2, by_parameter=True, checkpoint=file, resume=True
    )
    assert watched.models[0].epochs == plain.models[0].epochs
    assert [step.step for step in watched.models[0].steps[::4]] == [1, 23, 46]
    assert plain.models[0].steps == ()
