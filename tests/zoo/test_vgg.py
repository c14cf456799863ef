from itertools import pairwise

import pytest
import torch
from torch import nn

from cnninspect.errors import BadSetting

EXACT = {
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg16_c": 133_638_952,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
}
LINEAR = (512 * 49 * 4096 + 4096) + (4096 * 4096 + 4096) + (4096 * 1000 + 1000)
SHARED = ("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")


def learned(model):
    return [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


@pytest.mark.parametrize("name", EXACT)
def test_parameters_are_those_published(parameters_of, name):
    assert parameters_of(name) == EXACT[name]


def test_the_parameters_of_vgg11_add_up(parameters_of):
    widths = (3, 64, 128, 256, 256, 512, 512, 512, 512)
    convolutions = sum(9 * a * b + b for a, b in pairwise(widths))
    assert parameters_of("vgg11") == convolutions + LINEAR
    assert parameters_of("vgg11_bn") == parameters_of("vgg11") + 2 * sum(widths[1:])


@pytest.mark.parametrize("name", EXACT)
def test_the_number_in_the_name_counts_layers(build, name):
    number = int(name.removeprefix("vgg").partition("_")[0])
    assert len(learned(build(name))) == number


@pytest.mark.parametrize("name", EXACT)
def test_it_maps_an_image_to_a_number_for_each_class(build, input_of, name):
    assert build(name)(input_of(name)).shape == (2, 1000)


@pytest.mark.parametrize(
    ("name", "convolutions", "all_"),
    [("vgg16", 15.347, 15.470), ("vgg19", 19.508, 19.632), ("vgg16_bn", 15.347, 15.470)],
)
def test_costs_are_those_published(macs_by_path, name, convolutions, all_):
    macs = macs_by_path(name)
    assert round(macs["features"] / 1e9, 3) == convolutions
    assert round(macs[""] / 1e9, 3) == all_


def test_filters_are_small(build):
    for name, kernels in (("vgg16", {3}), ("vgg16_c", {1, 3})):
        convolutions = [m for m in build(name).modules() if isinstance(m, nn.Conv2d)]
        assert {m.kernel_size[0] for m in convolutions} == kernels


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"num_classes": 10}, -990 * 4097),
        ({"in_channels": 1}, -2 * 9 * 64),
        ({"head": "gap"}, 513_000 - LINEAR),
        ({"head": "flatten"}, 0),
        ({"head": "flatten", "resolution": 256}, (64 - 49) * 512 * 4096),
        ({"resolution": 256}, 0),
        ({"norm": "batch"}, 2 * (64 + 128 + 2 * 256 + 4 * 512)),
        ({"activation": "leaky_relu", "dropout": 0.0}, 0),
    ],
    ids=str,
)
def test_settings_change_the_network(build, input_of, parameters_of, settings, more):
    assert parameters_of("vgg11", **settings) == EXACT["vgg11"] + more
    out = build("vgg11", **settings)(input_of("vgg11", **settings))
    assert out.shape == (2, settings.get("num_classes", 1000))


@pytest.mark.parametrize(("head", "fits"), [("adaptive", True), ("gap", True), ("flatten", False)])
def test_only_the_flat_head_fixes_the_size_of_the_input(build, input_of, head, fits):
    model, other = build("vgg11", head=head), input_of("vgg11", resolution=160)
    if fits:
        assert model(other).shape == (2, 1000)
    else:
        with pytest.raises(RuntimeError):
            model(other)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh"])
def test_the_activation_is_what_was_asked_for(build, activation):
    kind = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
    model = build("vgg13", activation=activation)
    assert sum(type(m) is kind[activation] for m in model.modules()) == 12


def test_first_weights_keep_the_size_of_what_flows_back(build):
    model = build("vgg11", device="cpu", head="gap")
    convolution, linear = learned(model)[2], learned(model)[-1]  # from 128 to 256 maps
    deviation = (2 / (256 * 9)) ** 0.5
    assert float(convolution.weight.detach().std()) == pytest.approx(deviation, rel=0.01)
    assert float(linear.weight.detach().std()) == pytest.approx(0.01, rel=0.01)


def test_an_image_too_small_to_pool_five_times_is_refused(build, input_of):
    assert build("vgg11", resolution=32)(input_of("vgg11", resolution=32)).shape == (2, 1000)
    with pytest.raises(BadSetting, match="resolution=31"):
        build("vgg11", resolution=31)


@pytest.mark.parametrize("name", SHARED)
def test_names_and_shapes_are_torchvisions(build, torchvision_models, name):
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)()
    assert {n: t.shape for n, t in build(name).state_dict().items()} == {
        n: t.shape for n, t in theirs.state_dict().items()
    }


@pytest.mark.parametrize("name", ["vgg11", "vgg13_bn"])
def test_outputs_are_torchvisions(build, torchvision_models, differences, name):
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)(num_classes=10).eval()
    ours = build(name, num_classes=10)
    assert differences(ours, theirs, torch.randn(2, 3, 40, 40)) == [pytest.approx(0, abs=1e-5)]
