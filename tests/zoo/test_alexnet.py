import pytest
import torch
from torch import nn

from cnninspect.errors import BadSetting

NAMES = ("alexnet", "alexnet_grouped", "alexnet_ungrouped")

# Parameters of the eight layers, biases included.
LAYERS = {
    "alexnet": [23_296, 307_392, 663_936, 884_992, 590_080, 37_752_832, 16_781_312, 4_097_000],
    "alexnet_grouped": [
        34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000,
    ],
    "alexnet_ungrouped": [
        34_944, 614_656, 885_120, 1_327_488, 884_992, 37_752_832, 16_781_312, 4_097_000,
    ],
}  # fmt: skip


def learned(model):
    return [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("alexnet", 61_100_840),
        ("alexnet_grouped", 60_965_224),
        ("alexnet_ungrouped", 62_378_344),
    ],
)
def test_parameters_of_each_layer_are_those_published(build, parameters_of, name, total):
    layers = [sum(p.numel() for p in m.parameters()) for m in learned(build(name))]
    assert layers == LAYERS[name]
    assert parameters_of(name) == sum(layers) == total


def test_the_grouped_network_costs_what_han_et_al_print(build, macs_by_path):
    # arXiv:1506.02626, table 4: operations of the layers in millions, two for each MAC.
    macs = macs_by_path("alexnet_grouped")
    model = build("alexnet_grouped")
    paths = {id(m): path for path, m in model.named_modules()}
    printed = [211, 448, 299, 224, 150, 75, 34, 8]
    assert [round(2 * macs[paths[id(m)]] / 1e6) for m in learned(model)] == printed


def test_the_cost_is_that_published_by_torchvision(macs_of):
    assert round(macs_of("alexnet") / 1e9, 3) == 0.714


@pytest.mark.parametrize(
    ("resolution", "padding", "side"), [(224, 2, 55), (227, 0, 55), (224, 0, 54)]
)
def test_the_printed_55_needs_padding_or_227_pixels(build, input_of, resolution, padding, side):
    settings = {"resolution": resolution, "padding": padding}
    model = build("alexnet_grouped", **settings)
    x = input_of("alexnet_grouped", **settings)
    assert model.features[0](x).shape == (2, 96, side, side)
    assert model(x).shape == (2, 1000)


def test_both_ways_to_55_cost_the_same(macs_of, parameters_of):
    way = {"resolution": 224, "padding": 2}
    assert macs_of("alexnet_grouped", **way) == macs_of("alexnet_grouped")
    assert parameters_of("alexnet_grouped", **way) == 60_965_224


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("settings", "gone"),
    [
        ({"num_classes": 10}, 990 * 4097),
        ({"in_channels": 1}, None),
        ({"activation": "tanh", "dropout": 0.0}, 0),
        ({"head": "gap"}, 37_752_832 + 16_781_312 + 4_097_000 - 257_000),
    ],
    ids=str,
)
def test_settings_change_the_parameters(build, input_of, parameters_of, name, settings, gone):
    if gone is None:
        gone = 2 * 121 * build(name).features[0].out_channels
    assert parameters_of(name, **settings) == parameters_of(name) - gone
    out = build(name, **settings)(input_of(name, **settings))
    assert out.shape == (2, settings.get("num_classes", 1000))


def test_norm_is_after_the_layers_that_the_paper_names(build):
    kinds = {"local": nn.LocalResponseNorm, "batch": nn.BatchNorm2d}
    for norm, places in (("none", 0), ("local", 2), ("batch", 5)):
        model = build("alexnet_grouped", norm=norm)
        norms = [m for m in model.modules() if isinstance(m, tuple(kinds.values()))]
        assert [type(m) for m in norms] == [kinds.get(norm)] * places


def test_local_normalisation_is_the_papers_formula(build):
    norm = next(
        m for m in build("alexnet_grouped").modules() if isinstance(m, nn.LocalResponseNorm)
    )
    a = torch.randn(1, 9, 2, 2).abs() * 20
    padded = nn.functional.pad(a.square(), (0, 0, 0, 0, 2, 2))
    sums = sum(padded[:, i : i + 9] for i in range(5))  # over five neighbouring maps
    torch.testing.assert_close(norm(a), a / (2 + 1e-4 * sums) ** 0.75)


@pytest.mark.parametrize(("head", "fits"), [("adaptive", True), ("gap", True), ("flatten", False)])
def test_only_the_flat_head_fixes_the_size_of_the_input(build, input_of, head, fits):
    model, other = build("alexnet", head=head), input_of("alexnet", resolution=300)
    if fits:
        assert model(other).shape == (2, 1000)
    else:
        with pytest.raises(RuntimeError):
            model(other)


def test_first_weights_are_the_papers(build):
    model = build("alexnet_grouped", device="cpu", num_classes=10, head="gap", resolution=67)
    layers = learned(model)
    assert [float(m.bias.detach()[0]) for m in layers] == [0, 1, 0, 1, 1, 0]
    for module in layers[:5]:
        assert float(module.weight.detach().std()) == pytest.approx(0.01, rel=0.05)


def test_hidden_linear_layers_start_with_a_bias_of_one(build):
    model = build("alexnet_grouped", device="cpu", num_classes=2, resolution=67)
    assert [float(m.bias.detach()[0]) for m in learned(model)] == [0, 1, 0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(("padding", "smallest"), [(2, 63), (0, 67)])
def test_an_image_too_small_to_pool_three_times_is_refused(build, input_of, padding, smallest):
    fits = {"resolution": smallest, "padding": padding}
    assert build("alexnet", **fits)(input_of("alexnet", **fits)).shape == (2, 1000)
    with pytest.raises(BadSetting) as error:
        build("alexnet", resolution=smallest - 1, padding=padding)
    assert error.value.hint == f"resolution must be at least {smallest}"


def test_it_is_torchvisions_network(build, torchvision_models, differences):
    with torch.device("meta"):
        theirs = torchvision_models.alexnet(num_classes=10).eval()
    ours = build("alexnet", num_classes=10)
    assert {n: p.shape for n, p in ours.named_parameters()} == {
        n: p.shape for n, p in theirs.named_parameters()
    }
    assert differences(ours, theirs, torch.randn(2, 3, 100, 100)) == [pytest.approx(0, abs=1e-5)]
