import pytest
import torch

from cnninspect.errors import BadSetting
from cnninspect.zoo.fitnet import MaxoutConvolution, MaxoutLinear

NAMES = ("fitnet1", "fitnet2", "fitnet4")


# Table 5 of the paper: weights without biases, and multiplications.
@pytest.mark.parametrize(
    ("name", "weights", "printed", "multiplications"),
    [
        ("fitnet1", 249_576, "250K", "30M"),
        ("fitnet2", 861_928, "862K", "108M"),
        ("fitnet4", 2_544_712, "2.5M", "382M"),
    ],
)
def test_weights_and_multiplications_are_those_printed(
    build, macs_of, name, weights, printed, multiplications
):
    counted = sum(p.numel() for p in build(name).parameters() if p.ndim > 1)
    assert counted == weights
    assert printed in (f"{counted / 1e3:.0f}K", f"{counted / 1e6:.1f}M")
    assert f"{macs_of(name) / 1e6:.0f}M" == multiplications


@pytest.mark.parametrize(("name", "layers"), [("fitnet1", 11), ("fitnet2", 11), ("fitnet4", 19)])
def test_the_depth_is_that_printed(build, name, layers):
    assert sum(p.ndim > 1 for p in build(name).parameters()) == layers


def test_biases_come_on_top(parameters_of):
    biases = 2 * (3 * 16 + 3 * 32 + 48 + 48 + 64) + 2 * 500 + 10
    assert parameters_of("fitnet1") == 249_576 + biases


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("settings", [{}, {"num_classes": 100, "hidden": 50, "dropout": 0.5}])
def test_it_maps_an_image_to_a_number_for_each_class(build, input_of, name, settings):
    out = build(name, **settings)(input_of(name))
    assert out.shape == (2, settings.get("num_classes", 10))


def test_a_maxout_convolution_is_the_larger_of_two_convolutions():
    layer, x = MaxoutConvolution(3, 4), torch.randn(2, 3, 5, 5)
    weight, bias = layer.conv.weight, layer.conv.bias
    first, second = (
        torch.nn.functional.conv2d(x, weight[i::2], bias[i::2], padding=1) for i in (0, 1)
    )
    torch.testing.assert_close(layer(x), torch.maximum(first, second))


def test_a_maxout_layer_is_the_larger_of_two_linear_layers():
    layer, x = MaxoutLinear(6, 4), torch.randn(2, 6)
    both = layer.linear(x)
    torch.testing.assert_close(layer(x), torch.maximum(both[:, ::2], both[:, 1::2]))


def test_an_image_too_small_to_pool_twice_is_refused(build):
    with pytest.raises(BadSetting, match="resolution=3"):
        build("fitnet1", resolution=3)
