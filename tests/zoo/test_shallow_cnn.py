import pytest
import torch

from cnninspect.errors import BadSetting


def test_the_default_has_these_parameters(parameters_of):
    assert parameters_of("shallow_cnn") == (16 * 3 * 5 * 5 + 16) + (16 * 16 * 16 * 10 + 10)


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        ({}, 32),  # (32 - 5 + 4) // 1 + 1
        ({"padding": 0}, 28),  # (32 - 5) // 1 + 1
        ({"stride": 2}, 16),  # (32 - 5 + 4) // 2 + 1
        ({"kernel": 3, "padding": 1, "stride": 3}, 11),  # (32 - 3 + 2) // 3 + 1
        ({"kernel": 11, "stride": 4, "resolution": 227, "padding": 0}, 55),
        ({"kernel": 11, "stride": 4, "resolution": 224, "padding": 2}, 55),
        ({"kernel": 11, "stride": 4, "resolution": 224, "padding": 0}, 54),
    ],
    ids=str,
)
def test_size_and_cost_of_the_convolution_follow_the_two_laws(
    build, input_of, macs_by_path, settings, side
):
    kernel = settings.get("kernel", 5)
    model, x = build("shallow_cnn", **settings), input_of("shallow_cnn", **settings)
    assert model.conv(x).shape == (2, 16, side, side)
    assert model(x).shape == (2, 10)
    assert macs_by_path("shallow_cnn", **settings)["conv"] == kernel * kernel * 3 * 16 * side * side


@pytest.mark.parametrize("settings", [{"channels": 7}, {"num_classes": 3}, {"in_channels": 1}])
def test_settings_change_the_shapes(parameters_of, settings):
    channels, classes, inputs = (
        settings.get("channels", 16),
        settings.get("num_classes", 10),
        settings.get("in_channels", 3),
    )
    expected = channels * (inputs * 25 + 1) + channels * 256 * classes + classes
    assert parameters_of("shallow_cnn", **settings) == expected


def test_average_pooling_gives_no_more_than_max_pooling(build, input_of):
    x = input_of("shallow_cnn", device="cpu")
    model = build("shallow_cnn", device="cpu")
    average = build("shallow_cnn", device="cpu", pool="average")
    hidden = torch.relu(model.conv(x))
    assert (average.pool(hidden) <= model.pool(hidden)).all()
    assert not torch.equal(average.pool(hidden), model.pool(hidden))


def test_norm_adds_a_scale_and_a_shift_a_map(parameters_of):
    assert parameters_of("shallow_cnn", norm="batch") == 42_186 + 2 * 16


@pytest.mark.parametrize(
    ("settings", "smallest"), [({}, 2), ({"kernel": 11, "stride": 4, "padding": 0}, 15)]
)
def test_an_image_that_leaves_nothing_to_pool_is_refused(build, input_of, settings, smallest):
    fits = {**settings, "resolution": smallest}
    assert build("shallow_cnn", **fits)(input_of("shallow_cnn", **fits)).shape == (2, 10)
    with pytest.raises(BadSetting, match=f"resolution={smallest - 1} ") as error:
        build("shallow_cnn", **settings, resolution=smallest - 1)
    assert f"at least {smallest}," in error.value.hint


def test_without_pooling_the_whole_map_is_read(build, parameters_of, input_of):
    assert parameters_of("shallow_cnn", pool="none") == 16 * 76 + (16 * 32 * 32 * 10 + 10)
    assert build("shallow_cnn", pool="none").pool is None
    one = {"pool": "none", "padding": 0, "resolution": 5}
    assert build("shallow_cnn", **one)(input_of("shallow_cnn", **one)).shape == (2, 10)
    with pytest.raises(BadSetting) as error:
        build("shallow_cnn", pool="none", padding=0, resolution=4)
    assert error.value.hint.endswith("after kernel 5")


@pytest.mark.parametrize(("kernel", "channels", "inputs"), [(3, 128, 64), (5, 16, 3), (1, 4, 2)])
def test_a_separable_convolution_takes_a_share_of_the_work(
    macs_by_path, parameters_of, kernel, channels, inputs
):
    settings = {"kernel": kernel, "channels": channels, "in_channels": inputs, "resolution": 8,
                "padding": kernel // 2}  # fmt: skip
    whole = macs_by_path("shallow_cnn", **settings)["conv"]
    parts = macs_by_path("shallow_cnn", **settings, conv="separable")
    assert whole == 8 * 8 * kernel**2 * inputs * channels
    assert parts["conv.depthwise"] == 8 * 8 * kernel**2 * inputs
    assert parts["conv.pointwise"] == 8 * 8 * inputs * channels
    done = parts["conv.depthwise"] + parts["conv.pointwise"]
    assert done / whole == pytest.approx(1 / kernel**2 + 1 / channels)
    saved = parameters_of("shallow_cnn", **settings) - parameters_of(
        "shallow_cnn", **settings, conv="separable"
    )
    assert saved == inputs * (kernel**2 * channels - kernel**2 - channels)


def test_a_separable_convolution_computes_a_convolution(build, input_of):
    x = input_of("shallow_cnn", device="cpu")
    parts = build("shallow_cnn", device="cpu", conv="separable").conv
    depthwise, pointwise = parts.depthwise, parts.pointwise
    weight = depthwise.weight[None, :, 0] * pointwise.weight  # (out, in, k, k)
    whole = torch.nn.functional.conv2d(x, weight, pointwise.bias, padding=2)
    assert torch.allclose(whole, parts(x), atol=1e-5)
