import pytest
import torch
from torch import nn

from cnninspect.errors import BadSetting
from cnninspect.zoo import catalogue

NAMES = [variant.name for variant in catalogue.WIDE_RESNET.variants]


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_knows_the_exact_parameters_of_a_wide_resnet(name, parameters_of):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize(
    ("name", "millions"),
    [  # table 4
        ("wrn40_1", 0.6),
        ("wrn40_2", 2.2),
        ("wrn40_4", 8.9),
        ("wrn40_8", 35.7),
        ("wrn28_10", 36.5),
        ("wrn28_12", 52.5),
        ("wrn22_8", 17.2),
        ("wrn22_10", 26.8),
        ("wrn16_8", 11.0),
        ("wrn16_10", 17.1),
    ],
)
def test_parameters_of_a_wide_resnet_are_those_of_table_4(name, millions, parameters_of):
    assert round(parameters_of(name) / 1e6, 1) == millions


def test_wrn40_10_has_the_56_million_parameters_of_section_3(parameters_of):
    assert round(parameters_of("wrn40_10") / 1e6) == 56


@pytest.mark.parametrize(
    ("depth", "kernels", "millions"),
    [  # table 2, all with k = 2
        (40, (1, 3, 1), 1.4),
        (40, (3, 1), 1.2),
        (40, (1, 3), 1.3),
        (40, (3, 1, 1), 1.3),
        (28, (3, 3), 1.5),
        (22, (3, 1, 3), 1.1),
    ],
)
def test_parameters_by_kernels_are_those_of_table_2(depth, kernels, millions, parameters_of):
    parameters = parameters_of("wrn40_2", depth=depth, kernels=kernels)
    assert round(parameters / 1e6, 1) == millions


@pytest.mark.parametrize(("setting", "value"), [("depth", 18), ("kernels", (3, 2))])
def test_a_wide_resnet_refuses_what_cannot_be(setting, value, build):
    with pytest.raises(BadSetting, match=setting):
        build("wrn16_8", **{setting: value})


@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 100, "in_channels": 1, "resolution": 28, "kernels": (1, 3, 1)},
        {"head": "flatten", "resolution": 30},
        {"activation": "leaky_relu", "norm": "none", "dropout": 0.3, "drop_path": 0.5},
    ],
)
def test_a_wide_resnet_answers_with_a_score_for_each_class(settings, build, input_of):
    scores = build("wrn16_8", **settings)(input_of("wrn16_8", **settings))
    assert scores.shape == (2, settings.get("num_classes", 10))


def test_dropout_stands_between_the_convolutions_of_a_block(build):
    branch = build("wrn16_8", dropout=0.3).layer1[0].branch
    assert list(dict(branch.named_children())) == ["conv1", "bn2", "relu2", "dropout2", "conv2"]
    assert branch.dropout2.p == 0.3


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_identity_path_of_a_wide_block_leaves_the_signal_as_it_is(norm, build):
    block = build("wrn16_8", device="cpu", width=1, norm=norm).layer1[1]
    nn.init.zeros_(block.branch.conv2.weight)
    if norm == "none":
        nn.init.zeros_(block.branch.conv2.bias)
    x = torch.randn(2, 16, 8, 8)
    before = x.clone()
    assert torch.equal(block(x), before)
    assert torch.equal(x, before)


def test_a_skipped_wide_block_is_the_identity_in_training(build):
    block = build("wrn16_8", device="cpu", width=1, drop_path=1.0).layer3[1].train()
    x = torch.randn(2, 64, 4, 4)
    assert torch.equal(block(x), x)
    assert not torch.equal(block.branch(x), torch.zeros_like(x))
