import pytest
import torch
from torch import nn

from cnninspect.errors import BadSetting
from cnninspect.zoo import catalogue

NAMES = [variant.name for variant in catalogue.CIFAR_RESNEXT.variants]


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_knows_the_exact_parameters_of_a_cifar_resnext(name, parameters_of):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnext29_8x64d", 34.4), ("resnext29_16x64d", 68.1)],  # table 7, the second truncated
)
def test_parameters_of_a_cifar_resnext_are_those_printed(name, millions, parameters_of):
    assert 0 <= parameters_of(name) / 1e6 - millions < 0.1


def test_depth_of_a_cifar_resnext_counts_convolutions_and_the_linear_layer(build):
    layers = [
        path
        for path, module in build("resnext29_8x64d").named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and "downsample" not in path
    ]
    assert len(layers) == 29


def test_a_cifar_resnext_refuses_a_depth_without_a_whole_number_of_blocks(build):
    with pytest.raises(BadSetting, match="depth=30"):
        build("resnext29_8x64d", depth=30)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 100, "in_channels": 1, "resolution": 28, "cardinality": 2, "base_width": 3},
        {"head": "flatten", "resolution": 30, "depth": 20},
        {"activation": "sigmoid", "norm": "none", "dropout": 0.5, "drop_path": 0.3},
    ],
)
def test_a_cifar_resnext_answers_with_a_score_for_each_class(settings, build, input_of):
    scores = build("resnext29_8x64d", **settings)(input_of("resnext29_8x64d", **settings))
    assert scores.shape == (2, settings.get("num_classes", 10))


def test_a_skipped_cifar_resnext_block_is_the_identity_in_training(build):
    settings = {"cardinality": 2, "base_width": 2, "drop_path": 1.0}
    block = build("resnext29_8x64d", device="cpu", **settings).layer3[2].train()
    x = torch.rand(2, 1024, 2, 2)
    assert torch.equal(block(x), x)
    assert block.branch(x).any()
