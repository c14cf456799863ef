import pytest
import torch

PIXELS = 28 * 28


def test_the_naive_module_costs_854_million(macs_of, parameters_of):
    weights = 256 * 128 + 9 * 256 * 192 + 25 * 256 * 96
    assert macs_of("inception_naive") == PIXELS * weights == 854_196_224
    assert parameters_of("inception_naive") == weights + 128 + 192 + 96


def test_bottlenecks_cut_the_cost_to_a_third(macs_of, parameters_of):
    # The lecture prints the same terms and 358M for their sum, with the 3×3 convolution in twice.
    three = 9 * 64 * 192
    weights = 3 * 256 * 64 + 256 * 128 + three + 25 * 64 * 96
    assert macs_of("inception_reduced") == PIXELS * weights == 271_351_808
    assert round((271_351_808 + PIXELS * three) / 1e6) == 358
    assert parameters_of("inception_reduced") == weights + 3 * 64 + 128 + 192 + 96


@pytest.mark.parametrize(
    ("name", "channels"), [("inception_naive", 128 + 192 + 96 + 256), ("inception_reduced", 480)]
)
@pytest.mark.parametrize("resolution", [28, 14])
def test_maps_keep_their_size_and_add_up(build, input_of, name, channels, resolution):
    x = input_of(name, device="cpu", resolution=resolution)
    out = build(name, device="cpu", resolution=resolution, activation="tanh")(x)
    assert out.shape == (2, channels, resolution, resolution)


@pytest.mark.parametrize("name", ["inception_naive", "inception_reduced"])
def test_bottlenecks_keep_the_receptive_field(build, name):
    x = torch.randn(1, 256, 28, 28, requires_grad=True)
    out = build(name, device="cpu", activation="tanh")(x)
    (gradient,) = torch.autograd.grad(out[..., 14, 14].sum(), x)
    rows, columns = torch.nonzero(gradient.abs().sum((0, 1)), as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 16, 12, 16)


def test_the_bottleneck_is_a_setting(parameters_of):
    widest = parameters_of("inception_reduced", bottleneck=256, in_channels=128)
    assert widest == (
        3 * (128 * 256 + 256) + (128 * 128 + 128) + (9 * 256 * 192 + 192) + (25 * 256 * 96 + 96)
    )
