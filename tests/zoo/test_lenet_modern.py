import pytest
from torch import nn

from cnninspect.errors import BadSetting


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lenet5_modern", 156 + 2416 + 48_120 + 10_164 + 850),  # 61,706
        (
            "lenet5_caffe",
            (20 * 25 + 20) + (50 * 20 * 25 + 50) + (800 * 500 + 500) + (500 * 10 + 10),
        ),
    ],
)
def test_parameters_are_those_published(parameters_of, name, parameters):
    assert parameters_of(name) == parameters


def test_caffes_variant_costs_what_han_et_al_print(macs_by_path):
    # Table 3 prints 576K, 3200K, 800K and 10K operations, two for each multiply-accumulate.
    macs = macs_by_path("lenet5_caffe")
    layers = [macs[f"features.{i}.conv"] for i in (0, 1)]
    layers += [macs[f"classifier.{i}"] for i in (0, 2)]
    assert [2 * m for m in layers] == [576_000, 3_200_000, 800_000, 10_000]
    assert macs[""] == 2_293_000


def test_caffes_variant_activates_after_the_hidden_layer_only(build):
    model = build("lenet5_caffe")
    assert [type(m) for m in model.modules() if isinstance(m, nn.ReLU)] == [nn.ReLU]
    assert isinstance(model.classifier[1], nn.ReLU)


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({"head": "gap"}, 156 + 2416 + 16 * 10 + 10),
        ({"resolution": 28}, 61_706 - 120 * (25 - 16) * 16),
        ({"num_classes": 26, "in_channels": 3}, 61_706 + 6 * 50 + 16 * 85),
        ({"norm": "batch"}, 61_706 + 2 * (6 + 16)),
        ({"pool": "average", "activation": "tanh", "dropout": 0.5}, 61_706),
    ],
    ids=str,
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_settings_change_the_layers(build, input_of, parameters_of, settings, parameters, device):
    assert parameters_of("lenet5_modern", **settings) == parameters
    x = input_of("lenet5_modern", device=device, **settings)
    out = build("lenet5_modern", device=device, **settings)(x)
    assert out.shape == (2, settings.get("num_classes", 10))


def test_average_pooling_does_not_fix_the_size_of_the_input(build, input_of):
    model = build("lenet5_modern", head="gap")
    assert model(input_of("lenet5_modern", resolution=64)).shape == (2, 10)
    with pytest.raises(RuntimeError):
        build("lenet5_modern")(input_of("lenet5_modern", resolution=64))


@pytest.mark.parametrize("kind", ["max", "average"])
def test_the_pooling_is_what_was_asked_for(build, kind):
    expected = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[kind]
    assert type(build("lenet5_modern", pool=kind).features[0].pool) is expected


def test_the_smallest_image_is_16_pixels_wide(build, input_of):
    assert build("lenet5_modern", resolution=16)(
        input_of("lenet5_modern", resolution=16)
    ).shape == (2, 10)
    with pytest.raises(BadSetting, match="resolution=15"):
        build("lenet5_modern", resolution=15)
