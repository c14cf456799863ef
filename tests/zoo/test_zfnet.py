import pytest

from cnninspect.errors import BadSetting

FULL = 256 * 36 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000


def test_parameters_are_those_of_the_figure(parameters_of):
    convolutions = (
        (3 * 49 * 96 + 96)
        + (96 * 25 * 256 + 256)
        + (256 * 9 * 384 + 384)
        + (384 * 9 * 384 + 384)
        + (384 * 9 * 256 + 256)
    )
    assert parameters_of("zfnet") == convolutions + FULL == 62_357_608


def test_maps_have_the_sizes_that_the_figure_prints(build, input_of):
    x, sides = input_of("zfnet"), []
    for layer in build("zfnet").features:
        x = layer(x)
        sides.append((x.shape[1], x.shape[2]))
    assert sides == [
        (96, 110), (96, 55), (256, 26), (256, 13), (384, 13), (384, 13), (256, 13), (256, 6),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({}, 0),
        ({"num_classes": 10}, -990 * 4097),
        ({"in_channels": 1}, -2 * 49 * 96),
        ({"head": "gap"}, 257_000 - FULL),
        ({"norm": "batch"}, 2 * (96 + 256 + 384 + 384 + 256)),
        ({"norm": "none", "activation": "tanh", "dropout": 0.0}, 0),
        ({"resolution": 256}, (49 - 36) * 256 * 4096),
    ],
    ids=str,
)
def test_settings_change_the_network(build, input_of, parameters_of, settings, more):
    assert parameters_of("zfnet", **settings) == 62_357_608 + more
    out = build("zfnet", **settings)(input_of("zfnet", **settings))
    assert out.shape == (2, settings.get("num_classes", 1000))


def test_contrast_is_normalised_after_the_first_two_convolutions(build):
    features = build("zfnet").features
    normed = [i for i, layer in enumerate(features) if getattr(layer, "lrn", None) is not None]
    assert normed == [0, 2]


def test_an_image_too_small_is_refused(build, input_of):
    assert build("zfnet", resolution=47)(input_of("zfnet", resolution=47)).shape == (2, 1000)
    with pytest.raises(BadSetting) as error:
        build("zfnet", resolution=46)
    assert error.value.hint == "resolution must be at least 47"
