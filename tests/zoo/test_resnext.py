import pytest
import torch
from torch import nn

from cnninspect.zoo import catalogue
from cnninspect.zoo.resnext import Block, Path

NAMES = [variant.name for variant in catalogue.RESNEXT.variants]
IN_TORCHVISION = [name for name in NAMES if name != "resnext101_32x4d"]
TEMPLATES = [(1, 64), (2, 40), (4, 24), (8, 14), (32, 4)]  # table 2: cardinality and width
FORMS = ["split", "concatenated", "grouped"]


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_knows_the_exact_parameters_of_a_resnext(name, parameters_of):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize(
    ("name", "stride_in", "printed", "precision"),
    [
        ("resnext50_32x4d", "3x3", 4.23e9, 1e6),  # torchvision's weights
        ("resnext101_32x8d", "3x3", 16.414e9, 1e6),
        ("resnext101_64x4d", "3x3", 15.46e9, 1e6),
        ("resnext50_32x4d", "3x3", 4.2e9, 1e8),  # Xie et al. 2016, table 1
        ("resnext50_32x4d", "3x3", 4.24e9, 1e7),  # Hu et al. 2017, table 2
    ],
)
def test_macs_of_a_resnext_are_those_printed(name, stride_in, printed, precision, macs_of):
    assert abs(macs_of(name, stride_in=stride_in) - printed) < precision


@pytest.mark.parametrize(("cardinality", "base_width"), TEMPLATES)
def test_templates_of_table_2_all_have_about_70_thousand_weights(cardinality, base_width, build):
    model = build("resnext50_32x4d", cardinality=cardinality, base_width=base_width)
    block = model.layer1[1]
    weights = sum(m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d))
    d = base_width
    assert weights == cardinality * (256 * d + 3 * 3 * d * d + d * 256)
    assert abs(weights - 70_000) < 1_500


@pytest.mark.parametrize(("cardinality", "base_width"), TEMPLATES)
def test_every_template_costs_about_the_same(cardinality, base_width, macs_of, parameters_of):
    settings = {"cardinality": cardinality, "base_width": base_width}
    assert macs_of("resnext50_32x4d", **settings) == pytest.approx(4.18e9, rel=0.025)
    assert parameters_of("resnext50_32x4d", **settings) == pytest.approx(25.3e6, rel=0.02)


def test_one_path_of_64_channels_is_a_resnet(build):
    ours = build("resnext50_32x4d", cardinality=1, base_width=64).state_dict()
    theirs = build("resnet50").state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_tensors_of_a_resnext_are_those_of_torchvision(name, build, torchvision_models):
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)()
    for kind in ("named_parameters", "named_buffers"):
        ours_of_kind = [(k, v.shape) for k, v in getattr(build(name), kind)()]
        theirs_of_kind = [(k, v.shape) for k, v in getattr(theirs, kind)()]
        assert ours_of_kind == theirs_of_kind


def test_torchvision_weights_give_torchvision_outputs_in_a_resnext(build, torchvision_models):
    theirs = torchvision_models.resnext50_32x4d(num_classes=7).eval()
    randomise(theirs)
    ours = build("resnext50_32x4d", device="cpu", num_classes=7)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def randomise(model):
    torch.manual_seed(0)
    for module in model.modules():  # statistics that are not 0 and 1
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def carry_over(grouped, block):
    """Gives a block of paths the weights of a grouped one."""
    paths = len(block.paths)
    state = {k: v for k, v in grouped.state_dict().items() if not k.startswith(("conv3", "conv1"))}
    state = {k: v for k, v in state.items() if not k.startswith(("conv2", "bn1", "bn2"))}
    is_split = isinstance(block.paths[0], nn.Sequential)
    for layer in ("conv1", "bn1", "conv2", "bn2"):
        for key, value in getattr(grouped, layer).state_dict().items():
            for i in range(paths):
                prefix = f"paths.{i}.0" if is_split else f"paths.{i}"
                part = value.chunk(paths)[i] if value.dim() else value
                state[f"{prefix}.{layer}.{key}"] = part
    for key, value in grouped.conv3.state_dict().items():
        if not is_split:
            state[f"conv3.{key}"] = value
        elif key == "bias":
            state["paths.0.1.bias"] = value
        else:
            parts = value.chunk(paths, dim=1)
            state |= {f"paths.{i}.1.weight": part for i, part in enumerate(parts)}
    block.load_state_dict(state)


@pytest.mark.parametrize("is_training", [False, True])
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("form", ["split", "concatenated"])
def test_the_three_forms_of_a_block_compute_the_same(form, norm, is_training, build):
    settings = {"norm": norm, "cardinality": 4, "base_width": 6, "num_classes": 5}
    grouped = build("resnext50_32x4d", device="cpu", **settings)
    other = build("resnext50_32x4d", device="cpu", form=form, **settings)
    randomise(grouped)
    for stage in ("layer1", "layer2"):
        for ours, theirs in zip(getattr(other, stage), getattr(grouped, stage)):
            carry_over(theirs, ours)
    x = torch.rand(2, 64, 8, 8)
    with torch.no_grad():
        for model in (grouped, other):
            model.train(is_training)
        expected = grouped.layer2(grouped.layer1(x))
        torch.testing.assert_close(other.layer2(other.layer1(x)), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_three_forms_have_the_same_parameters(norm, parameters_of):
    settings = {"norm": norm, "cardinality": 3}
    assert len({parameters_of("resnext50_32x4d", form=form, **settings) for form in FORMS}) == 1


def test_the_three_forms_have_the_same_macs(macs_of):
    settings = {"resolution": 64, "cardinality": 3}
    assert len({macs_of("resnext50_32x4d", form=form, **settings) for form in FORMS}) == 1


def test_fresh_paths_are_as_large_as_their_part_of_a_grouped_convolution(build):
    torch.manual_seed(0)
    split = build("resnext50_32x4d", device="cpu", form="split", cardinality=8, num_classes=2)
    grouped = build("resnext50_32x4d", device="cpu", cardinality=8, num_classes=2)
    paths = [module for module in split.layer4[2].modules() if isinstance(module, Path)]
    assert len(paths) == 8
    for layer in ("conv1", "conv2"):
        ours = torch.cat([getattr(path, layer).weight for path in paths]).std()
        theirs = getattr(grouped.layer4[2], layer).weight.std()
        torch.testing.assert_close(ours, theirs, rtol=0.03, atol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 12, "in_channels": 1, "resolution": 64, "stride_in": "1x1"},
        {"head": "flatten", "resolution": 70, "form": "split", "cardinality": 2},
        {"activation": "tanh", "norm": "none", "dropout": 0.5, "drop_path": 0.5},
        {"form": "concatenated", "cardinality": 3, "base_width": 5, "stride_in": "1x1"},
    ],
)
def test_a_resnext_answers_with_a_score_for_each_class(settings, build, input_of):
    scores = build("resnext50_32x4d", **settings)(input_of("resnext50_32x4d", **settings))
    assert scores.shape == (2, settings.get("num_classes", 1000))


@pytest.mark.parametrize("form", FORMS)
def test_a_resnext_learns_through_the_blocks_that_are_not_skipped(form, build):
    settings = {"drop_path": 1.0, "form": form, "cardinality": 2, "num_classes": 3}
    model = build("resnext50_32x4d", device="cpu", **settings).train()
    torch.manual_seed(0)
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is None for p in model.layer4[2].parameters())  # its chance is 1
    assert model.conv1.weight.grad.any()


def test_the_chance_to_skip_a_resnext_block_grows_linearly(build):
    model = build("resnext50_32x4d", drop_path=0.8)
    chances = [module.drop_path for module in model.modules() if isinstance(module, Block)]
    assert chances == pytest.approx([0.05 * i for i in range(1, 17)])
