import pytest
import torch
from torch import nn

from cnninspect.zoo import catalogue
from cnninspect.zoo.senet import Block, SqueezeExcitation

NAMES = [entry.name for entry in catalogue.entries() if entry.family == "senet"]


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_knows_the_exact_parameters_of_a_senet(name, parameters_of):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize(
    ("settings", "millions"),
    [
        ({"reduction": 2, "se_bias": False}, 45.7),  # table 10
        ({"reduction": 4, "se_bias": False}, 35.7),
        ({"reduction": 8, "se_bias": False}, 30.7),
        ({"reduction": 16, "se_bias": False}, 28.1),
        ({"reduction": 32, "se_bias": False}, 26.9),
        ({"se_stages": (2,)}, 25.6),  # table 13
        ({"se_stages": (3,)}, 25.7),
        ({"se_stages": (4,)}, 26.4),
        ({"se_stages": (2, 3, 4, 5)}, 28.1),
        ({"se_position": "3x3"}, 25.8),  # table 15
        ({"squeeze": False}, 28.1),  # table 16
    ],
)
def test_parameters_are_within_a_tenth_of_the_printed_millions(settings, millions, parameters_of):
    # The tables round either way: several fit exactly with the norms' running statistics counted.
    assert abs(parameters_of("se_resnet50", **settings) / 1e6 - millions) < 0.12


@pytest.mark.parametrize(
    ("settings", "printed"),
    [
        ({}, 3.87e9),  # table 2
        ({"se_stages": (2,)}, 3.86e9),  # table 13
        ({"se_stages": (3,)}, 3.86e9),
        ({"se_stages": (4,)}, 3.86e9),
        ({"se_position": "3x3"}, 3.86e9),  # table 15
        ({"squeeze": False}, 4.27e9),  # table 16
    ],
)
def test_macs_of_a_senet_are_those_printed(settings, printed, macs_of):
    assert abs(macs_of("se_resnet50", stride_in="1x1", **settings) - printed) < 1e7


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_squeeze_and_excitation_adds_little(name, parameters_of, macs_of):
    assert parameters_of(f"se_{name}") / parameters_of(name) == pytest.approx(1.06, abs=0.055)
    assert 1 < macs_of(f"se_{name}") / macs_of(name) < 1.01


@pytest.mark.parametrize("reduction", [1, 2, 16, 64])
def test_weights_of_se_are_two_over_r_times_the_squared_channels(reduction, parameters_of):
    with_se = parameters_of("se_resnet50", reduction=reduction, se_bias=False)
    blocks, channels = (3, 4, 6, 3), (256, 512, 1024, 2048)
    expected = sum(2 * n * c * (c // reduction) for n, c in zip(blocks, channels))
    assert with_se - parameters_of("resnet50") == expected


@pytest.mark.parametrize(
    ("name", "plain", "settings"),
    [
        ("se_resnet50", "resnet50", {}),
        ("se_resnet34", "resnet34", {}),
        ("se_resnext50_32x4d", "resnext50_32x4d", {}),
    ],
)
def test_without_its_gates_a_senet_is_the_network_it_is_made_of(name, plain, settings, build):
    ours = build(name, **settings).state_dict()
    theirs = build(plain).state_dict()
    ours = {k: v.shape for k, v in ours.items() if ".se." not in k}
    assert ours == {k: v.shape for k, v in theirs.items()}


def test_an_excitation_weighs_each_channel_by_the_means_of_all():
    torch.manual_seed(0)
    module = SqueezeExcitation(6, reduction=3, bias=True, squeeze=True)
    x = torch.randn(2, 6, 4, 5)
    w1, w2 = module.fc1.weight[:, :, 0, 0], module.fc2.weight[:, :, 0, 0]
    hidden = torch.relu(x.mean((2, 3)) @ w1.T + module.fc1.bias)
    scale = torch.sigmoid(hidden @ w2.T + module.fc2.bias)
    torch.testing.assert_close(module(x), x * scale[:, :, None, None])


def test_without_the_squeeze_each_position_is_weighed_by_itself():
    torch.manual_seed(0)
    module = SqueezeExcitation(6, reduction=2, bias=True, squeeze=False)
    x = torch.randn(1, 6, 2, 2)
    y = x.clone()
    y[..., 0, 0] += 1
    same = module(x) == module(y)
    assert same[..., 0, 1].all()
    assert same[..., 1, :].all()
    assert not same[..., 0, 0].any()


def se_of(model):
    for module in model.modules():
        if isinstance(module, SqueezeExcitation):
            nn.init.zeros_(module.fc2.weight)
            nn.init.zeros_(module.fc2.bias)  # sigmoid(0): everything is halved
    return model


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("standard", lambda block, x: torch.relu(x + 0.5 * block.branch(x))),
        ("pre", lambda block, x: torch.relu(x + block.branch(0.5 * x))),
        ("post", lambda block, x: 0.5 * torch.relu(x + block.branch(x))),
        ("identity", lambda block, x: torch.relu(0.5 * x + block.branch(x))),
        ("3x3", lambda block, x: torch.relu(x + halved_after_3x3(block, x))),
    ],
)
def test_se_stands_where_it_is_put(position, expected, build):
    torch.manual_seed(0)
    model = se_of(build("se_resnet50", device="cpu", se_position=position, num_classes=2))
    block, x = model.layer1[1], torch.rand(2, 256, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(block(x), expected(block, x))


def halved_after_3x3(block, x):
    x = torch.relu(block.bn1(block.conv1(x)))
    return block.bn3(block.conv3(0.5 * torch.relu(block.bn2(block.conv2(x)))))


@pytest.mark.parametrize("stages", [(2,), (3, 5), (2, 3, 4, 5)])
def test_only_the_stages_asked_for_have_se(stages, build):
    model = build("se_resnet18", se_stages=stages)
    assert {
        int(path[len("layer")]) + 1
        for path, module in model.named_modules()
        if isinstance(module, SqueezeExcitation)
    } == set(stages)


@pytest.mark.parametrize(
    ("name", "position"),
    [
        *(("se_resnet18", position) for position in ("standard", "pre", "post", "identity", "3x3")),
        ("se_resnext50_32x4d", "standard"),
    ],
)
def test_a_senet_learns_through_the_blocks_that_are_not_skipped(name, position, build):
    model = build(name, device="cpu", drop_path=1.0, se_position=position, num_classes=3).train()
    torch.manual_seed(0)
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is None for p in model.layer4[-1].parameters())  # its chance is 1
    assert model.conv1.weight.grad.any()


def test_the_chance_to_skip_an_se_block_grows_linearly(build):
    model = build("se_resnet18", drop_path=0.8)
    chances = [module.drop_path for module in model.modules() if isinstance(module, Block)]
    assert chances == pytest.approx([0.1 * i for i in range(1, 9)])


def test_in_evaluation_an_se_branch_weighs_as_much_as_its_chance_to_survive(build):
    model = se_of(build("se_resnet18", device="cpu", drop_path=0.8, num_classes=2))
    block, x = model.layer1[1], torch.rand(1, 64, 4, 4)  # its chance is 0.2
    with torch.no_grad():
        torch.testing.assert_close(block(x), torch.relu(x + 0.8 * 0.5 * block.branch(x)))


@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 12, "in_channels": 1, "resolution": 64},
        {"head": "flatten", "resolution": 70, "reduction": 100},
        {"activation": "tanh", "norm": "none", "dropout": 0.5, "drop_path": 0.5},
        {"squeeze": False, "se_stages": (4,), "se_bias": False},
    ],
)
@pytest.mark.parametrize("name", ["se_resnet18", "se_resnet50", "se_resnext50_32x4d"])
def test_a_senet_answers_with_a_score_for_each_class(name, settings, build, input_of):
    scores = build(name, **settings)(input_of(name, **settings))
    assert scores.shape == (2, settings.get("num_classes", 1000))
