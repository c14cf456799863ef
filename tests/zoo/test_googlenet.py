import pytest
import torch
from torch import nn

from cnninspect.errors import BadSetting
from cnninspect.zoo.googlenet import INCEPTIONS

NAMES = ("googlenet", "googlenet_paper")

# Table 1 of the paper: millions of multiply-adds.  Those of the first convolution (34) and of the
# module 5a (54) are misprints: 118 and 51 follow from the sizes in the same rows.
PRINTED = {
    "conv1": 118, "conv2+conv3": 360, "inception3a": 128, "inception3b": 304, "inception4a": 73,
    "inception4b": 88, "inception4c": 100, "inception4d": 119, "inception4e": 170,
    "inception5a": 51, "inception5b": 71, "fc": 1,
}  # fmt: skip
OUTPUTS = {"3a": 256, "3b": 480, "4a": 512, "4b": 512, "4c": 512, "4d": 528, "4e": 832, "5a": 832}


@pytest.mark.parametrize(
    ("name", "settings", "parameters"),
    [
        ("googlenet", {}, 6_624_904),
        ("googlenet", {"aux": True}, 13_004_888),
        ("googlenet_paper", {}, 6_990_272 + 8_280),  # weights of table 1, and biases
    ],
)
def test_parameters_are_those_published(parameters_of, name, settings, parameters):
    assert parameters_of(name, **settings) == parameters


def test_the_papers_network_costs_what_table_1_prints(macs_by_path):
    macs = macs_by_path("googlenet_paper")
    for layer, millions in PRINTED.items():
        counted = sum(macs[part] for part in layer.split("+")) / 1e6
        assert counted == pytest.approx(millions, abs=0.65), layer  # one row is cut, not rounded


def test_the_cost_is_that_published_by_torchvision(macs_of):
    assert round(macs_of("googlenet") / 1e9, 3) == 1.498


def test_modules_put_the_maps_of_four_branches_side_by_side(build, input_of):
    model = build("googlenet")
    for place, outputs in OUTPUTS.items():
        inputs, (one, _, three, _, five, projected) = INCEPTIONS[place]
        assert one + three + five + projected == outputs
        x = torch.empty(2, inputs, 14, 14, device="meta")
        assert model.get_submodule(f"inception{place}")(x).shape == (2, outputs, 14, 14)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_classes": 10, "in_channels": 1},
        {"head": "flatten"},
        {"head": "flatten", "resolution": 225},
        {"head": "flatten", "resolution": 240},
        {"norm": "none", "activation": "tanh"},
        {"aux": True, "transform_input": True},
    ],
    ids=str,
)
def test_it_maps_an_image_to_a_number_for_each_class(build, input_of, name, settings):
    out = build(name, **settings)(input_of(name, **settings))
    assert out.shape == (2, settings.get("num_classes", 1000))


def test_settings_change_the_parameters(build, parameters_of):
    fives = sum(widths[3] * widths[4] for _, widths in INCEPTIONS.values())
    assert parameters_of("googlenet", kernel_5x5="5") == 6_624_904 + (25 - 9) * fives
    assert parameters_of("googlenet", head="flatten") == 6_624_904 + 48 * 1024 * 1000
    assert parameters_of("googlenet", num_classes=10) == 6_624_904 - 990 * 1025
    # A bias for each map instead of a scale and a shift.
    maps = sum(m.num_features for m in build("googlenet").modules() if hasattr(m, "num_features"))
    assert parameters_of("googlenet", norm="none") == 6_624_904 - maps


def test_the_paper_normalises_contrast_twice_and_no_batches(build):
    kinds = [type(m) for m in build("googlenet_paper").modules()]
    assert kinds.count(nn.LocalResponseNorm) == 2
    assert nn.BatchNorm2d not in kinds


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_let_the_gradient_through(build, name):
    torch.manual_seed(0)
    model = build(name, device="cpu", num_classes=10).train()
    model(torch.randn(4, 3, 64, 64)).square().mean().backward()
    norms = [float(p.grad.norm()) for p in model.parameters() if p.ndim == 4]
    assert max(norms) < 1e4 * min(norms)


def test_auxiliary_classifiers_act_in_training_only(build, input_of):
    model, x = build("googlenet", aux=True), input_of("googlenet")
    assert isinstance(model(x), torch.Tensor)
    out = model.train()(x)
    assert [t.shape for t in (out.logits, out.aux_logits2, out.aux_logits1)] == [(2, 1000)] * 3
    assert isinstance(build("googlenet").train()(x), torch.Tensor)


def test_auxiliary_classifiers_cost_nothing_in_testing(macs_of):
    assert macs_of("googlenet", aux=True) == macs_of("googlenet")


def test_an_image_too_small_is_refused(build, input_of):
    for head in ("gap", "flatten"):
        fits = {"resolution": 15, "head": head}
        assert build("googlenet", **fits)(input_of("googlenet", **fits)).shape == (2, 1000)
        with pytest.raises(BadSetting, match="resolution=14"):
            build("googlenet", resolution=14, head=head)


def test_grey_images_cannot_be_renormalised(build):
    with pytest.raises(BadSetting, match="transform_input=true"):
        build("googlenet", in_channels=1, transform_input=True)


def torchvisions(torchvision_models, **settings):
    with torch.device("meta"):
        model = torchvision_models.googlenet(init_weights=False, num_classes=10, **settings)
    return model.eval()


@pytest.mark.parametrize("aux", [False, True])
def test_names_and_shapes_are_torchvisions(build, torchvision_models, aux):
    theirs = torchvisions(torchvision_models, aux_logits=aux)
    ours = build("googlenet", aux=aux, num_classes=10)
    assert {n: t.shape for n, t in ours.state_dict().items()} == {
        n: t.shape for n, t in theirs.state_dict().items()
    }


def test_outputs_are_torchvisions(build, torchvision_models, differences):
    theirs = torchvisions(torchvision_models, aux_logits=False)
    ours = build("googlenet", num_classes=10)
    assert differences(ours, theirs, torch.randn(2, 3, 80, 80)) == [pytest.approx(0, abs=1e-5)]


def test_all_three_outputs_of_training_are_torchvisions(build, torchvision_models, differences):
    theirs = torchvisions(torchvision_models, aux_logits=True).train()
    ours = build("googlenet", aux=True, num_classes=10).train()
    for module in (*ours.modules(), *theirs.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    found = differences(ours, theirs, torch.randn(4, 3, 96, 96))
    assert found == [pytest.approx(0, abs=1e-5)] * 3


def test_the_input_is_transformed_as_torchvision_does(build, torchvision_models):
    theirs = torchvisions(torchvision_models, aux_logits=False, transform_input=True)
    ours = build("googlenet", device="cpu", transform_input=True)
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(ours.transform_input(x), theirs._transform_input(x))
