import pytest
import torch
from torch import nn

from cnninspect.errors import BadSetting
from cnninspect.zoo import catalogue
from cnninspect.zoo.preresnet import Block

IMAGENET = [entry.name for entry in catalogue.entries() if entry.family == "preresnet"]
CIFAR = [entry.name for entry in catalogue.entries() if entry.family == "cifar_preresnet"]


@pytest.mark.parametrize("name", [*IMAGENET, *CIFAR])
def test_the_catalogue_knows_the_exact_parameters_of_a_preresnet(name, parameters_of):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("preresnet110", 1.7),  # Zagoruyko, Komodakis 2016, table 5
        ("preresnet164", 1.7),  # He et al. 2016, table 4
        ("preresnet200", 64.7),  # Zagoruyko, Komodakis 2016, table 8
    ],
)
def test_parameters_of_a_preresnet_are_those_printed(name, millions, parameters_of):
    assert round(parameters_of(name) / 1e6, 1) == millions


def test_the_printed_millions_of_preresnet1001_are_those_of_the_convolutions_alone(build):
    convolutions = [m for m in build("preresnet1001").modules() if isinstance(m, nn.Conv2d)]
    assert round(sum(m.weight.numel() for m in convolutions) / 1e6, 1) == 10.2  # table 4


@pytest.mark.parametrize("name", ["preresnet18", "preresnet50", "preresnet110", "preresnet164"])
def test_depth_of_a_preresnet_counts_convolutions_and_the_linear_layer(name, build):
    layers = [
        path
        for path, module in build(name).named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and "downsample" not in path
    ]
    assert len(layers) == int(name.removeprefix("preresnet"))


@pytest.mark.parametrize("name", ["preresnet110", "preresnet164"])
def test_a_preresnet_refuses_a_depth_without_a_whole_number_of_blocks(name, build):
    with pytest.raises(BadSetting, match="depth=19"):
        build(name, depth=19)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 12, "in_channels": 1, "resolution": 40},
        {"head": "flatten", "resolution": 50},
        {"activation": "tanh", "norm": "none", "dropout": 0.5, "drop_path": 0.5},
    ],
)
@pytest.mark.parametrize("name", ["preresnet18", "preresnet50", "preresnet110", "preresnet164"])
def test_a_preresnet_answers_with_a_score_for_each_class(name, settings, build, input_of):
    default = 10 if name in CIFAR else 1000
    scores = build(name, **settings)(input_of(name, **settings))
    assert scores.shape == (2, settings.get("num_classes", default))


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh"])
def test_the_identity_path_leaves_the_signal_as_it_is(norm, activation, build):
    """Negative values too, over several blocks, and whether or not something could change them."""
    stage = build("preresnet110", device="cpu", norm=norm, activation=activation, depth=20).layer1
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    x = torch.randn(2, 16, 8, 8)
    before = x.clone()
    assert torch.equal(stage(x), before)
    assert torch.equal(x, before)


def test_the_gradient_reaches_a_block_s_input_undiminished(build):
    block = build("preresnet110", device="cpu", depth=20).layer1[1]
    nn.init.zeros_(block.branch.conv2.weight)
    x = torch.randn(2, 16, 8, 8, requires_grad=True)
    upstream = torch.randn(2, 16, 8, 8)
    assert torch.equal(torch.autograd.grad(block(x), x, upstream)[0], upstream)


def test_a_projection_reads_the_activated_input(build):
    block = build("preresnet18", device="cpu").layer2[0]
    nn.init.zeros_(block.branch.conv2.weight)
    x = torch.randn(1, 64, 8, 8)
    with torch.no_grad():
        expected = block.downsample(torch.relu(block.bn1(x)))
        torch.testing.assert_close(block(x), expected)


def test_the_stride_moves_into_the_first_convolution(build):
    def strides(stride_in):
        branch = build("preresnet50", stride_in=stride_in).layer2[0].branch
        return [branch.conv1.stride, branch.conv2.stride, branch.conv3.stride]

    assert strides("3x3") == [(1, 1), (2, 2), (1, 1)]
    assert strides("1x1") == [(2, 2), (1, 1), (1, 1)]


def test_a_skipped_pre_activation_block_is_the_identity_in_training(build):
    model = build("preresnet110", device="cpu", depth=20, drop_path=1.0)
    block, x = model.layer3[2].train(), torch.randn(2, 64, 4, 4)  # its chance is 1
    assert torch.equal(block(x), x)
    first = model.layer1[0].eval()  # its chance is 1 in 9
    y = torch.randn(2, 16, 4, 4)
    with torch.no_grad():
        branch = first.branch(torch.relu(first.bn1(y)))
        torch.testing.assert_close(first(y), y + 8 / 9 * branch)


def test_the_chance_to_skip_a_pre_activation_block_grows_linearly(build):
    chances = [
        module.drop_path
        for module in build("preresnet18", drop_path=0.8).modules()
        if isinstance(module, Block)
    ]
    assert chances == pytest.approx([0.1 * i for i in range(1, 9)])
