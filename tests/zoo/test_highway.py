import pytest
import torch
from torch import nn

from cnninspect.errors import BadSetting
from cnninspect.zoo.highway import HighwayLayer, Style

NAMES = ("highway_mnist", "highway19", "highway32")


def highway(width, kernel):
    """Parameters of a highway layer: a convolution and its gate."""
    return 2 * (width * width * kernel**2 + width)


@pytest.mark.parametrize(
    ("width", "parameters", "printed"), [(16, 38_986, "39K"), (32, 151_690, "151K")]
)
def test_the_network_for_mnist_has_the_printed_parameters(
    parameters_of, width, parameters, printed
):
    counted = parameters_of("highway_mnist", width=width)
    assert counted == (25 * width + width) + 8 * highway(width, 3) + (9 * width * 10 + 10)
    assert counted == parameters
    # 39K is rounded, 151K cut.
    assert printed in (f"{counted / 1e3:.0f}K", f"{counted // 1000}K")


def test_highway19_has_the_printed_parameters(parameters_of):
    plain = (27 * 32 + 32) + (9 * 32 * 80 + 80) + (9 * 80 * 128 + 128)
    gated = 4 * highway(32, 3) + 5 * highway(80, 3) + 5 * highway(128, 3)
    end = (128 * 100 + 100) + (100 * 10 + 10)
    assert parameters_of("highway19") == plain + gated + end
    assert f"{plain + gated + end:.1e}" == "2.3e+06"


def test_highway32_has_the_printed_parameters(parameters_of):
    plain = (27 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 96 + 96)
    gated = sum(4 * highway(w, 3) + 5 * highway(w, 1) for w in (32, 64, 96))
    end = (96 * 10 + 10) + (10 * 10 + 10)
    assert parameters_of("highway32") == plain + gated + end
    assert f"{plain + gated + end:.2e}" == "1.25e+06"


@pytest.mark.parametrize(
    ("name", "layers"), [("highway_mnist", 10), ("highway19", 19), ("highway32", 32)]
)
def test_the_depth_is_that_printed(build, name, layers):
    model = build(name)
    gates = sum(isinstance(m, HighwayLayer) for m in model.modules())
    learned = sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in model.modules())
    assert learned - gates == layers


def test_highway32_has_3x3_and_1x1_kernels_in_turn(build):
    model = build("highway32", gates=False)
    kernels = [m.kernel_size[0] for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [3, 1] * 15 + [1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_classes": 7, "in_channels": 2, "resolution": 20},
        {"gates": False, "norm": "batch", "activation": "tanh", "dropout": 0.0},
    ],
    ids=str,
)
def test_it_maps_an_image_to_a_number_for_each_class(build, input_of, name, device, settings):
    x = input_of(name, device=device, **settings)
    out = build(name, device=device, **settings)(x)
    assert out.shape == (2, settings.get("num_classes", 10))


def test_maps_have_the_sizes_of_the_authors_network(build, input_of):
    model, x = build("highway_mnist"), input_of("highway_mnist")
    sides = []
    for stage in (model.stage1, model.stage2, model.stage3):
        x = stage(x)
        sides.append(x.shape[2])
    assert sides == [12, 6, 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_plain_twin_has_no_gates(build, parameters_of, name):
    model = build(name)
    gates = sum(
        p.numel()
        for m in model.modules()
        if isinstance(m, HighwayLayer)
        for p in m.gate.parameters()
    )
    assert parameters_of(name, gates=False) == parameters_of(name) - gates
    assert not any(isinstance(m, HighwayLayer) for m in build(name, gates=False).modules())


@pytest.mark.parametrize(("bias", "carried"), [(-40.0, "input"), (40.0, "transform")])
def test_the_gate_decides_between_input_and_output(bias, carried):
    layer = HighwayLayer(
        4, 3, style=Style(activation="relu", norm="none", gates=True, gate_bias=bias)
    )
    nn.init.constant_(layer.gate.bias, bias)
    x = torch.randn(2, 4, 5, 5)
    expected = x if carried == "input" else layer.transform(x)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(
    ("name", "settings", "bias"),
    [
        ("highway_mnist", {}, -1.0),
        ("highway19", {}, -2.0),
        ("highway32", {"gate_bias": -3.0}, -3.0),
    ],
)
def test_gates_start_nearly_closed(build, name, settings, bias):
    model = build(name, device="cpu", **settings)
    gates = [m.gate for m in model.modules() if isinstance(m, HighwayLayer)]
    assert {float(b) for gate in gates for b in gate.bias.detach()} == {bias}
    assert all(float(gate.weight.detach().std()) > 0 for gate in gates)


def test_first_weights_have_the_deviation_of_their_fan_in(build):
    model = build("highway19", device="cpu")
    weight = model.stage3[-1].transform.conv.weight.detach()
    assert float(weight.std()) == pytest.approx((1 / (128 * 9)) ** 0.5, rel=0.01)


@pytest.mark.parametrize(("name", "smallest"), [("highway_mnist", 12), ("highway19", 4)])
def test_an_image_too_small_is_refused(build, input_of, name, smallest):
    fits = {"resolution": smallest}
    assert build(name, **fits)(input_of(name, **fits)).shape == (2, 10)
    with pytest.raises(BadSetting) as error:
        build(name, resolution=smallest - 1)
    assert error.value.hint == f"resolution must be at least {smallest}"
