from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnninspect.errors import BadSetting
from cnninspect.zoo import catalogue
from cnninspect.zoo.cifar_resnet import Block, PaddedIdentity

RESIDUAL = [variant.name for variant in catalogue.CIFAR_RESNET.variants]
PLAIN = [variant.name for variant in catalogue.CIFAR_PLAIN.variants]


@pytest.mark.parametrize("name", [*RESIDUAL, *PLAIN])
def test_the_catalogue_knows_the_exact_parameters_of_a_cifar_resnet(name, parameters_of):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize(
    ("name", "settings", "millions", "precision"),
    [
        ("resnet20", {}, 0.27, 0.01),  # He et al. 2015, table 6; 56 layers are truncated
        ("resnet32", {}, 0.46, 0.01),
        ("resnet44", {}, 0.66, 0.01),
        ("resnet56", {}, 0.85, 0.01),
        ("resnet110", {}, 1.7, 0.1),
        ("resnet1202", {}, 19.4, 0.1),
        ("resnet164", {"num_classes": 100}, 1.7, 0.1),  # He et al. 2016, table 4
    ],
)
def test_parameters_of_a_cifar_resnet_are_those_printed(
    name, settings, millions, precision, parameters_of
):
    assert abs(parameters_of(name, **settings) / 1e6 - millions) < precision


def test_the_printed_millions_of_1001_layers_are_those_of_the_convolutions_alone(build):
    convolutions = [m for m in build("resnet1001").modules() if isinstance(m, nn.Conv2d)]
    assert round(sum(m.weight.numel() for m in convolutions) / 1e6, 1) == 10.2


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_a_residual_network_has_the_parameters_of_its_plain_twin(depth, parameters_of):
    assert parameters_of(f"resnet{depth}") == parameters_of(f"plain{depth}")


@pytest.mark.parametrize("depth", [20, 56])
def test_projections_add_parameters_for_the_two_changes_of_shape(depth, parameters_of):
    projected = parameters_of(f"resnet{depth}", shortcut="B")
    convolutions, norms = 16 * 32 + 32 * 64, 2 * 32 + 2 * 64
    assert projected - parameters_of(f"resnet{depth}") == convolutions + norms


def test_a_padded_identity_takes_every_second_pixel_and_adds_channels_of_zeros():
    x = torch.arange(2 * 3 * 5 * 4.0).reshape(2, 3, 5, 4)
    y = PaddedIdentity(stride=2, new_channels=2)(x)
    assert y.shape == (2, 5, 3, 2)
    assert torch.equal(y[:, :3], x[:, :, [0, 2, 4]][..., [0, 2]])
    assert not y[:, 3:].any()


@pytest.mark.parametrize("name", ["resnet20", "resnet110", "resnet164", "plain32"])
def test_depth_counts_convolutions_and_the_linear_layer(name, build):
    layers = [
        path
        for path, module in build(name).named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and "downsample" not in path
    ]
    assert len(layers) == int(name.removeprefix("resnet").removeprefix("plain"))


@pytest.mark.parametrize(("name", "depth"), [("resnet20", 21), ("resnet164", 26), ("plain20", 3)])
def test_a_depth_without_a_whole_number_of_blocks_is_refused(name, depth, build):
    with pytest.raises(BadSetting, match=f"depth={depth}"):
        build(name, depth=depth)


def test_depth_is_a_setting(build, parameters_of):
    assert parameters_of("resnet20", depth=32) == catalogue.find("resnet32")[1].parameters


class CountCalls(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls[str(func)] += 1
        return func(*args, **(kwargs or {}))


def test_building_and_running_take_the_same_work_for_each_further_block(build, input_of):
    def work(depth):
        with CountCalls() as building:
            model = build("resnet20", depth=depth)
        with CountCalls() as running:
            model(input_of("resnet20"))
        return building.calls.total(), running.calls.total()

    counts = [work(depth) for depth in (14, 20, 26, 32)]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(counts)]
    assert steps[0] == steps[1] == steps[2] != (0, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 100, "in_channels": 1, "resolution": 28},
        {"head": "flatten", "resolution": 30},
        {"activation": "sigmoid", "norm": "none", "dropout": 0.5},
    ],
)
@pytest.mark.parametrize("name", ["resnet20", "resnet164", "plain20"])
def test_a_cifar_resnet_answers_with_a_score_for_each_class(name, settings, build, input_of):
    scores = build(name, **settings)(input_of(name, **settings))
    assert scores.shape == (2, settings.get("num_classes", 10))


def test_a_block_whose_branch_is_silent_passes_its_input_on(build):
    block, x = build("resnet20", device="cpu").layer1[2], torch.rand(1, 16, 8, 8)
    nn.init.zeros_(block.bn2.weight)
    assert torch.equal(block(x), x)


def test_a_plain_block_whose_branch_is_silent_passes_nothing_on(build):
    block, x = build("plain20", device="cpu").layer1[2], torch.rand(1, 16, 8, 8)
    nn.init.zeros_(block.bn2.weight)
    assert not block(x).any()


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh"])
def test_a_cifar_resnet_learns_through_the_blocks_that_are_not_skipped(shortcut, activation, build):
    settings = {"drop_path": 1.0, "shortcut": shortcut, "activation": activation}
    model = build("resnet20", device="cpu", **settings).train()
    torch.manual_seed(0)
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    assert model.layer3[2].conv1.weight.grad is None  # its chance is 1
    assert model.conv1.weight.grad.any()


def test_the_last_of_54_blocks_has_the_whole_chance_to_be_skipped(build):
    model = build("resnet110", drop_path=0.5)
    chances = [module.drop_path for module in model.modules() if isinstance(module, Block)]
    assert chances == pytest.approx([0.5 * i / 54 for i in range(1, 55)])
