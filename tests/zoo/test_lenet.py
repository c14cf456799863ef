import pytest
import torch
from torch import nn

from cnninspect.errors import BadSetting
from cnninspect.zoo.lenet import SEEN_BY_C3, PartialConvolution, Subsampling, code_of

# Section II-B and Figure 2: layer, trainable parameters, connections, values it gives.
PRINTED = [
    ("c1", 156, 122_304, 6 * 28 * 28),
    ("s2", 12, 5_880, 6 * 14 * 14),
    ("c3", 1_516, 151_600, 16 * 10 * 10),
    ("s4", 32, 2_000, 16 * 5 * 5),
    ("c5", 48_120, 48_120, 120),
    ("f6", 10_164, 10_164, 84),
    ("output", 0, 840, None),  # no bias
]


@pytest.mark.parametrize(("layer", "parameters", "connections", "biased"), PRINTED)
def test_layers_have_the_printed_numbers(
    build, macs_by_path, layer, parameters, connections, biased
):
    module = build("lenet5").get_submodule(layer)
    assert sum(p.numel() for p in module.parameters()) == parameters
    assert macs_by_path("lenet5")[layer] + (biased or 0) == connections


def test_the_network_has_60000_parameters_and_340908_connections(parameters_of, macs_of):
    assert parameters_of("lenet5") == 60_000
    biases = sum(biased for *_, biased in PRINTED if biased)
    assert macs_of("lenet5") + biases == 340_908


def test_each_map_of_s2_feeds_ten_maps_of_c3():
    seen = [map_ for maps in SEEN_BY_C3 for map_ in maps]
    assert len(SEEN_BY_C3) == 16
    assert [seen.count(map_) for map_ in range(6)] == [10] * 6


@pytest.mark.parametrize("output", range(16))
def test_c3_looks_at_the_maps_of_table_1_only(output):
    torch.manual_seed(0)
    c3, x = PartialConvolution(), torch.randn(1, 6, 14, 14, requires_grad=True)
    (gradient,) = torch.autograd.grad(c3(x)[0, output].sum(), x)
    assert (
        tuple(torch.nonzero(gradient[0].abs().sum((1, 2))).flatten().tolist())
        == (SEEN_BY_C3[output])
    )


def test_subsampling_weighs_the_sum_of_each_square():
    s2, x = Subsampling(3), torch.randn(2, 3, 6, 6)
    nn.init.normal_(s2.weight)
    nn.init.normal_(s2.bias)
    sums = nn.functional.avg_pool2d(x, 2) * 4
    expected = s2.weight.view(3, 1, 1) * sums + s2.bias.view(3, 1, 1)
    torch.testing.assert_close(s2(x), expected)


def test_the_output_is_minus_the_squared_distance_to_each_code(build):
    output, x = build("lenet5", device="cpu").output, torch.randn(5, 84)
    expected = -((x[:, None] - output.codes) ** 2).sum(2)
    torch.testing.assert_close(output(x), expected)


def test_a_picture_of_a_digit_is_nearest_to_that_digit(build):
    output = build("lenet5", device="cpu").output
    assert output(output.codes).argmax(1).tolist() == list(range(10))


def test_codes_are_ink_or_paper_and_all_differ():
    codes = [tuple(code_of(label)) for label in range(26)]
    assert all(len(code) == 84 and set(code) == {-1.0, 1.0} for code in codes)
    assert len(set(codes)) == 26


def test_codes_are_no_parameters_and_are_saved(build):
    model = build("lenet5")
    assert "output.codes" in model.state_dict()
    assert "output.codes" not in dict(model.named_parameters())


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"num_classes": 26, "in_channels": 3, "resolution": 40}, {"activation": "relu"}],
    ids=str,
)
def test_it_maps_an_image_to_a_number_for_each_class(build, input_of, settings, device):
    x = input_of("lenet5", device=device, **settings)
    out = build("lenet5", device=device, **settings)(x)
    assert out.shape == (2, settings.get("num_classes", 10))


def test_the_squashing_function_keeps_one_and_minus_one(build):
    squash = build("lenet5", device="cpu").squash
    torch.testing.assert_close(
        squash(torch.tensor([-1.0, 1.0])), torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0
    )


def test_first_weights_are_within_the_bound_of_their_fan_in(build):
    model = build("lenet5", device="cpu")
    for layer, inputs in ((model.c1, 25), (model.c3.four.conv, 100), (model.f6, 120)):
        assert 0.8 * 2.4 / inputs < layer.weight.abs().max() <= 2.4 / inputs


def test_an_image_too_small_for_c5_is_refused(build):
    with pytest.raises(BadSetting, match="resolution=31"):
        build("lenet5", resolution=31)
