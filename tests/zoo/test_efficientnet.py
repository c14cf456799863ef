import pytest
import torch

from cnninspect.engine.weights import load_weights
from cnninspect.zoo import catalogue
from cnninspect.zoo.efficientnet import (
    EfficientNet,
    MBConv,
    StochasticDepth,
    compound,
    scaled_blocks,
    scaled_channels,
)

NAMES = [f"efficientnet_b{i}" for i in range(8)]


def build(name, **given):
    family, variant = catalogue.find(name)
    return EfficientNet(**family.arguments_of(variant, given))


def build_meta(name, **given):
    with torch.device("meta"):
        return build(name, **given)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("name", [*NAMES, "efficientnet"])
def test_the_catalogue_knows_the_exact_parameters(name):
    assert parameters(build_meta(name)) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize("name", NAMES)
def test_tensors_are_those_of_torchvision(name, torchvision_models):
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)().state_dict()
    ours = build_meta(name).state_dict()
    assert [(k, v.shape) for k, v in ours.items()] == [(k, v.shape) for k, v in theirs.items()]


@pytest.mark.parametrize("name", NAMES)
def test_normalisation_and_dropout_are_those_of_torchvision(name, torchvision_models):
    def constants(model):
        norm = model.features[0][1]
        return norm.eps, norm.momentum, model.classifier[0].p

    def drops(model):
        return {n: m.p for n, m in model.named_modules() if n.endswith("stochastic_depth")}

    ours = build_meta(name)
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)()
    assert constants(ours) == constants(theirs)
    # Theirs has one in every block, also where nothing is skipped.
    assert drops(ours)
    assert drops(ours) == {n: p for n, p in drops(theirs).items() if n in drops(ours)}


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_b5"])
def test_torchvision_weights_give_torchvision_outputs(name, torchvision_models):
    torch.manual_seed(0)
    theirs = getattr(torchvision_models, name)(num_classes=7).eval()
    ours = build(name, num_classes=7).eval()
    for module in theirs.modules():  # statistics that are not 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(x)
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)


def test_a_file_of_torchvisions_weights_loads(tmp_path, torchvision_models):
    theirs = torchvision_models.efficientnet_b0()
    torch.save(theirs.state_dict(), tmp_path / "b0.pth")
    ours = build("efficientnet_b0")
    assert load_weights(ours, tmp_path / "b0.pth").fits
    for (name, mine), other in zip(ours.state_dict().items(), theirs.state_dict().values()):
        assert torch.equal(mine, other), name


def test_every_stage_of_b0_has_the_resolution_and_channels_of_table_1():
    x = torch.empty(1, 3, 224, 224, device="meta")
    shapes = []
    for stage in build_meta("efficientnet_b0").features:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (32, 112, 112),
        (16, 112, 112),
        (24, 56, 56),
        (40, 28, 28),
        (80, 14, 14),
        (112, 14, 14),
        (192, 7, 7),
        (320, 7, 7),
        (1280, 7, 7),
    ]


def test_mbconv6_counts_by_derivation():
    block = MBConv(
        16, 24, expansion=6, kernel=3, stride=2, norm=torch.nn.BatchNorm2d, drop_path=0.0
    )
    widen, depthwise, narrow = 16 * 96, 96 * 3 * 3, 96 * 24
    excite = (96 * 4 + 4) + (4 * 96 + 96)
    norms = 2 * (96 + 96 + 24)
    assert parameters(block) == widen + depthwise + narrow + excite + norms


def test_mbconv1_has_no_widening_layer():
    block = MBConv(
        16, 16, expansion=1, kernel=3, stride=1, norm=torch.nn.BatchNorm2d, drop_path=0.0
    )
    convolutions = [m for m in block.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(c.kernel_size, c.groups) for c in convolutions] == [
        ((3, 3), 16),  # depthwise
        ((1, 1), 1),  # squeeze
        ((1, 1), 1),  # excite
        ((1, 1), 1),  # pointwise
    ]


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [
        pytest.param(32, 1.0, 32, id="unchanged"),
        pytest.param(32, 1.1, 32, id="35.2 down to 32, within a tenth"),
        pytest.param(16, 1.2, 24, id="19.2: 16 is more than a tenth below, so 24"),
        pytest.param(40, 1.1, 48, id="44 lies halfway: up"),
        pytest.param(24, 1.4, 32, id="33.6 down to 32"),
        pytest.param(16, 0.1, 8, id="never under 8"),
        pytest.param(320, 2.0, 640, id="doubled"),
    ],
)
def test_channels_are_rounded_to_multiples_of_eight(channels, width, expected):
    assert scaled_channels(channels, width) == expected


@pytest.mark.parametrize(
    ("blocks", "depth", "expected"), [(1, 1.0, 1), (1, 1.1, 2), (3, 1.4, 5), (4, 3.1, 13)]
)
def test_blocks_are_rounded_up(blocks, depth, expected):
    assert scaled_blocks(blocks, depth) == expected


def test_the_coefficient_scales_depth_width_and_resolution():
    assert compound(phi=0.0) == {"depth": 1.0, "width": 1.0, "resolution": 224}
    assert compound(phi=2.0, num_classes=7) == {
        "depth": pytest.approx(1.44),
        "width": pytest.approx(1.21),
        "resolution": 296,  # 224 × 1.3225 = 296.24
        "num_classes": 7,
    }
    assert compound(phi=2.0, resolution=100)["resolution"] == 100


def test_compound_settings_reach_the_network_through_the_catalogue():
    family, variant = catalogue.find("efficientnet")
    arguments = family.arguments_of(variant, {"phi": 1.0, "in_channels": 1})
    assert [arguments[key] for key in family.input_shape] == [1, 258, 258]
    with torch.device("meta"):
        model = EfficientNet(**arguments)
    # B2 is the published member nearest to φ = 1: its factors are 1.1 and 1.2 as well
    b2 = build_meta("efficientnet_b2", in_channels=1)
    assert [p.shape for p in model.parameters()] == [p.shape for p in b2.parameters()]


def convolution_work(model, resolution):
    """Multiply-accumulates of the convolutions at that resolution."""
    work = 0

    def add(conv, _, output):
        nonlocal work
        work += output.numel() * conv.weight[0].numel()

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(add)
    model.eval()(torch.empty(1, 3, resolution, resolution, device="meta"))
    return work


def test_each_step_of_the_coefficient_about_doubles_the_work():
    family, variant = catalogue.find("efficientnet")
    work = []
    for phi in range(6):
        arguments = family.arguments_of(variant, {"phi": float(phi)})
        with torch.device("meta"):
            model = EfficientNet(**arguments)
        work.append(convolution_work(model, arguments["resolution"]))
    steps = (work[-1] / work[0]) ** (1 / 5)  # rounding evens out over several steps
    assert 1.8 < steps < 2.3


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    x = torch.ones(4000, 1, 2, 2)
    y = StochasticDepth(0.25).train()(x)
    per_image = y.flatten(1)
    assert (per_image == per_image[:, :1]).all()
    assert sorted(set(per_image[:, 0].tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert abs(y.mean() - 1) < 0.05


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_stochastic_depth_does_nothing_in_testing(p):
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(StochasticDepth(p).eval()(x), x)


def test_a_chance_of_one_always_drops():
    assert not StochasticDepth(1.0).train()(torch.ones(3, 1, 1, 1)).any()


def test_drop_path_grows_from_zero_with_depth():
    blocks = [m for m in build_meta("efficientnet_b0").modules() if isinstance(m, MBConv)]
    drops = {i: b.stochastic_depth.p for i, b in enumerate(blocks) if b.stochastic_depth}
    assert list(drops) == [2, 4, 6, 7, 9, 10, 12, 13, 14]  # those that keep the shape
    assert drops == pytest.approx({i: 0.2 * i / 16 for i in drops})


def test_settings_change_the_ends_of_the_network():
    model = build_meta("efficientnet_b0", in_channels=1, num_classes=10, dropout=0.6)
    assert model.features[0][0].in_channels == 1
    assert model.classifier[0].p == 0.6
    assert model(torch.empty(2, 1, 48, 48, device="meta")).shape == (2, 10)
