import pytest
import torch
from torch import nn

from cnninspect.zoo import catalogue
from cnninspect.zoo.resnet import Block

IN_TORCHVISION = [entry.name for entry in catalogue.entries() if entry.family == "resnet"]
PLAIN = [variant.name for variant in catalogue.PLAIN.variants]


@pytest.mark.parametrize("name", [*IN_TORCHVISION, *PLAIN])
def test_the_catalogue_knows_the_exact_parameters_of_a_resnet(name, parameters_of):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize(
    ("name", "width", "millions"),
    [  # Zagoruyko, Komodakis 2016, tables 7 and 8
        ("resnet18", 1.0, 11.7),
        ("resnet18", 1.5, 25.9),
        ("resnet18", 2.0, 45.6),
        ("resnet18", 3.0, 101.8),
        ("resnet34", 1.0, 21.8),
        ("resnet34", 1.5, 48.6),
        ("resnet34", 2.0, 86.0),
        ("resnet50", 1.0, 25.6),
        ("resnet50", 2.0, 68.9),
        ("resnet101", 1.0, 44.5),
        ("resnet152", 1.0, 60.2),
    ],
)
def test_parameters_are_those_printed_for_the_width(name, width, millions, parameters_of):
    assert round(parameters_of(name, width=width) / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("stride_in", "printed", "precision"),
    [
        ("1x1", 3.86e9, 1e7),  # Hu et al. 2017, table 2
        ("3x3", 4.089e9, 1e6),  # torchvision's weights
    ],
)
def test_macs_are_those_printed_for_the_place_of_the_stride(stride_in, printed, precision, macs_of):
    assert abs(macs_of("resnet50", stride_in=stride_in) - printed) < precision


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_tensors_of_a_resnet_are_those_of_torchvision(name, build, torchvision_models):
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)()
    for kind in ("named_parameters", "named_buffers"):
        ours_of_kind = [(k, v.shape) for k, v in getattr(build(name), kind)()]
        theirs_of_kind = [(k, v.shape) for k, v in getattr(theirs, kind)()]
        assert ours_of_kind == theirs_of_kind


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvision_weights_give_torchvision_outputs_in_a_resnet(name, build, torchvision_models):
    torch.manual_seed(0)
    theirs = getattr(torchvision_models, name)(num_classes=7).eval()
    for module in theirs.modules():  # statistics that are not 0 and 1
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = build(name, device="cpu", num_classes=7)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 10, "in_channels": 1, "resolution": 64},
        {"head": "flatten", "resolution": 100},
        {"activation": "tanh", "norm": "none", "dropout": 0.5},
        {"width": 0.5},
    ],
)
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "plain18"])
def test_a_resnet_answers_with_a_score_for_each_class(name, settings, build, input_of):
    scores = build(name, **settings)(input_of(name, **settings))
    assert scores.shape == (2, settings.get("num_classes", 1000))


def test_a_bottleneck_may_stride_in_its_first_convolution(build):
    def strides(stride_in):
        block = build("resnet50", stride_in=stride_in).layer2[0]
        return block.conv1.stride[0], block.conv2.stride[0]

    assert (strides("1x1"), strides("3x3")) == ((2, 1), (1, 2))


def test_a_flat_head_has_weights_for_each_of_the_49_positions(parameters_of):
    more = parameters_of("resnet18", head="flatten") - parameters_of("resnet18")
    assert more == 512 * 48 * 1000


def test_without_norm_each_convolution_has_a_bias(build):
    model = build("resnet18", norm="none")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert all(m.bias is not None for m in model.modules() if isinstance(m, nn.Conv2d))


def test_a_plain_network_has_no_shortcuts(build):
    names = [name for name, _ in build("plain34").named_modules()]
    assert not any("downsample" in name for name in names)


def test_the_chance_to_skip_a_block_grows_linearly(build):
    model = build("resnet18", drop_path=0.8)
    chances = [module.drop_path for module in model.modules() if isinstance(module, Block)]
    assert chances == pytest.approx([0.1 * i for i in range(1, 9)])


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh"])
def test_skipped_blocks_receive_no_gradient_and_the_others_do(activation, build):
    model = build("resnet18", device="cpu", num_classes=4, drop_path=1.0, activation=activation)
    torch.manual_seed(0)
    model.train()(torch.randn(2, 3, 64, 64)).sum().backward()
    assert model.layer4[1].conv1.weight.grad is None  # its chance is 1
    assert model.conv1.weight.grad is not None


def test_in_evaluation_a_branch_weighs_as_much_as_its_chance_to_survive(build):
    model = build("resnet18", device="cpu", num_classes=4, drop_path=1.0)
    block, x = model.layer1[1], torch.rand(1, 64, 8, 8)  # its chance is 2 in 8
    with torch.no_grad():
        torch.testing.assert_close(block(x), torch.relu(x + 0.75 * block.branch(x)))
