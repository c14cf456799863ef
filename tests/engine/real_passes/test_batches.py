"""Data: random, real images, or what a person gave."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

import cnninspect
from cnninspect.engine.real_passes.batches import (
    Batches,
    Feed,
    Folder,
    Stream,
    images_for,
    picture_in,
)
from cnninspect.errors import BadOption, FileMissing, FileUnreadable, LabelOutOfRange
from cnninspect.records.models import InputRequest, LoadedModel, ModelInfo
from cnninspect.records.passes import GradientSettings

NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


def batches(model=NET, seed=0, inputs=((3, 3, 8, 8),), **settings):
    loaded = LoadedModel(ModelInfo("net", "module", "net"), lambda: model, live=True)
    chosen = GradientSettings(batch=1, **settings)
    feed = Feed([InputRequest(i) if isinstance(i, tuple) else i for i in inputs])
    return Batches(model, loaded, feed, settings=chosen, seed=seed, images=images_for(chosen))


def test_random_batches_depend_on_seed_and_number_alone():
    first = batches().batch(0).args[0]
    assert first.shape == (3, 3, 8, 8)
    assert torch.equal(first, batches().batch(0).args[0])
    assert not torch.equal(first, batches().batch(1).args[0])
    assert not torch.equal(first, batches(seed=1).batch(0).args[0])
    large = batches(inputs=((16, 3, 32, 32),)).batch(0).args[0]
    assert abs(float(large.mean())) < 0.02
    assert float(large.std()) == pytest.approx(1, abs=0.02)


def test_given_tensors_are_used_as_they_are():
    x = torch.randn(2, 3, 8, 8)
    made = batches(inputs=(x,))
    assert torch.equal(made.batch(0).args[0], x)
    assert torch.equal(made.batch(5).args[0], x)
    assert made.used().name == "given"
    assert batches().used().name == "random"


def test_inputs_take_the_precision_of_the_model():
    model = nn.Linear(4, 3).bfloat16()
    assert batches(model, inputs=((2, 4),)).batch(0).args[0].dtype == torch.bfloat16


def test_token_ids_stay_below_the_vocabulary():
    profile = cnninspect.gradients("lstm_imdb@vocabulary=7,length=5", batch=3)
    assert profile.models[0].inputs[0].spec.dtype == "int64"


@pytest.mark.parametrize(
    ("shape", "picture"),
    [
        ((2, 3, 8, 9), (3, (8, 9))),
        ((2, 28, 20), (1, (28, 20))),
        ((2, 64), (1, (8, 8))),
        ((2, 192), (3, (8, 8))),
        ((2, 63), None),
        ((2, 3, 4, 5, 6), None),
    ],
)
def test_shapes_that_images_fill(shape, picture):
    assert picture_in(shape) == picture


def test_digits_are_real_images_resized_and_in_an_order_of_the_seed():
    made = batches(data="digits")
    batch = made.batch(0)
    image = batch.args[0]
    assert image.shape == (3, 3, 8, 8)
    assert torch.equal(image[:, 0], image[:, 2])  # grey
    assert len(torch.unique(image)) > 10
    assert batch.labels.shape == (3,)
    assert torch.equal(batch.labels, batches(data="digits").batch(0).labels)
    assert not torch.equal(image, made.batch(0).args[0])  # a stream goes on
    used = made.used()
    assert (used.name, used.images, len(used.classes)) == ("digits", 1797, 10)


def test_data_that_are_no_images_for_the_model_are_refused():
    model = nn.Linear(5, 3)
    with pytest.raises(BadOption, match=r"data.*digits"):
        batches(model, data="digits", inputs=((2, 5),)).batch(0)


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(
        LabelOutOfRange, match=r"label [5-9] is out of range: the model has 5 classes"
    ):
        cnninspect.gradients("resnet20@num_classes=5", batch=64, data="digits", inputs=None)
    with pytest.raises(LabelOutOfRange, match=r"label 3"):
        cnninspect.gradients(nn.Linear(4, 3), [(2, 4)], targets=torch.tensor([0, 3]))
    with pytest.raises(LabelOutOfRange, match=r"label -1"):
        cnninspect.gradients(nn.Linear(4, 3), [(2, 4)], targets=torch.tensor([0, -1]), loss="mse")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two images; one of each is broken."""
    for name, color in (("cat", (255, 0, 0)), ("dog", (0, 0, 255))):
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 30), color).save(tmp_path / name / "good.png")
        (tmp_path / name / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not an image")
        (tmp_path / name / "notes.txt").write_text("no image, and not called one")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_a_folder_of_class_folders_is_read_and_broken_images_are_counted(folder):
    made = batches(data=str(folder), inputs=((6, 3, 8, 8),))
    batch = made.batch(0)
    assert batch.args[0].shape == (6, 3, 8, 8)
    assert sorted(batch.labels.tolist()) == [0, 0, 0, 1, 1, 1]
    for image, label in zip(batch.args[0], batch.labels):
        assert int(image.mean(dim=(1, 2)).argmax()) == (2 if label else 0)  # blue dogs, red cats
    used = made.used()
    assert (used.images, used.classes, used.skipped) == (4, ("cat", "dog"), 2)


def test_grey_models_get_grey_images(folder):
    image, _ = Stream(Folder(folder), 0).batch(2, 1, (5, 7))
    assert image.shape == (2, 1, 5, 7)


def test_folders_of_no_use_are_refused(tmp_path, folder):
    with pytest.raises(FileMissing):
        batches(data=str(tmp_path / "nosuch"))
    empty = tmp_path / "empty"
    (empty / "class").mkdir(parents=True)
    with pytest.raises(FileUnreadable, match="no folder in it holds images"):
        batches(data=str(empty))
    (empty / "class" / "broken.png").write_bytes(b"nothing")
    with pytest.raises(FileUnreadable, match="none of 1 files can be read"):
        batches(data=str(empty)).batch(0)
