import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnninspect.errors import BadSetting
from cnninspect.zoo import catalogue
from cnninspect.zoo.densenet import DenseBlock, Style

IMAGENET = [variant.name for variant in catalogue.DENSENET.variants]
CIFAR = [variant.name for variant in catalogue.CIFAR_DENSENET.variants]
IN_TORCHVISION = [name for name in IMAGENET if name != "densenet264"]


@pytest.mark.parametrize("name", [*IMAGENET, *CIFAR])
def test_the_catalogue_knows_the_exact_parameters_of_a_densenet(name, parameters_of):
    assert parameters_of(name) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize(
    ("name", "millions"),
    [  # table 2, and the authors' README for the wide ones
        ("densenet40_k12", 1.0),
        ("densenet100_k12", 7.0),
        ("densenet100_k24", 27.2),
        ("densenet_bc100_k12", 0.8),
        ("densenet_bc250_k24", 15.3),
        ("densenet_bc190_k40", 25.6),
        ("densenet_bc40_k36", 1.5),
        ("densenet_bc40_k48", 2.7),
        ("densenet_bc40_k60", 4.3),
    ],
)
def test_parameters_of_a_densenet_are_those_printed(name, millions, parameters_of):
    assert round(parameters_of(name) / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("name", "gmacs"),
    [("densenet121", 2.834), ("densenet161", 7.728)],
)
def test_macs_of_a_densenet_are_those_of_torchvision_s_weights(name, gmacs, macs_of):
    assert round(macs_of(name) / 1e9, 3) == gmacs


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_tensors_of_a_densenet_are_those_of_torchvision(name, build, torchvision_models):
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)()
    ours = build(name).state_dict()
    assert [(k, v.shape) for k, v in ours.items()] == [
        (k, v.shape) for k, v in theirs.state_dict().items()
    ]
    assert [k for k, _ in build(name).named_parameters()] == [
        k for k, _ in theirs.named_parameters()
    ]


@pytest.mark.parametrize("name", ["densenet121"])
def test_torchvision_weights_give_torchvision_outputs_in_a_densenet(
    name, build, torchvision_models
):
    torch.manual_seed(0)
    theirs = getattr(torchvision_models, name)(num_classes=7).eval()
    for module in theirs.modules():  # statistics that are not 0 and 1
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = build(name, device="cpu", num_classes=7)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(x)
        assert expected.std() > 1e-2
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)


class CountConcatenated(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.inputs = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.cat.default:
            self.inputs.append(len(args[0]))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("layers", [1, 4, 12])
def test_a_block_of_l_layers_has_l_times_l_plus_1_halves_connections(layers):
    style = Style(growth_rate=3, bottleneck=True, activation="relu", norm="batch", dropout=0.0)
    block = DenseBlock(5, layers, style=style)
    with CountConcatenated() as concatenated:
        y = block(torch.randn(2, 5, 4, 4))
    assert sum(concatenated.inputs[:-1]) == layers * (layers + 1) // 2
    assert y.shape == (2, 5 + 3 * layers, 4, 4)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_block_hands_on_its_input_as_it_is(norm):
    style = Style(growth_rate=3, bottleneck=False, activation="relu", norm=norm, dropout=0.0)
    x = torch.randn(2, 5, 4, 4)
    before = x.clone()
    assert torch.equal(DenseBlock(5, 4, style=style)(x)[:, :5], before)


def test_every_layer_hears_from_every_layer_behind_it(build):
    block = build("densenet40_k12", device="cpu").features.denseblock1
    first = block.denselayer1.conv1.weight
    x = torch.randn(1, 16, 8, 8)
    with torch.enable_grad():
        y = block(x)
    for layer in range(12):
        part = y[:, 16 + 12 * layer : 16 + 12 * (layer + 1)].square().sum()
        assert torch.autograd.grad(part, first, retain_graph=True)[0].any()


def test_bottleneck_and_compression_each_save_parameters(parameters_of):
    plain = parameters_of("densenet100_k12")
    compressed = parameters_of("densenet100_k12", compression=0.5)
    narrowed = parameters_of("densenet100_k12", bottleneck=True)
    both = parameters_of("densenet100_k12", bottleneck=True, compression=0.5)
    assert both < narrowed < plain
    assert both < compressed < plain
    assert both == catalogue.find("densenet_bc100_k12")[1].parameters


def test_transitions_keep_the_share_of_channels_rounded_down(build):
    features = build("densenet40_k12", compression=0.3).features
    assert features.transition1.conv.out_channels == 48  # 0.3 × (16 + 12·12)
    assert features.transition2.conv.out_channels == 57  # 0.3 × (48 + 12·12) = 57.6


def test_depth_of_a_densenet_counts_convolutions_and_the_linear_layer(build):
    for name, depth in (("densenet121", 121), ("densenet40_k12", 40), ("densenet_bc100_k12", 100)):
        layers = [m for m in build(name).modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        assert len(layers) == depth


@pytest.mark.parametrize("name", ["densenet121", "densenet40_k12", "densenet_bc100_k12"])
def test_dropout_follows_every_convolution_but_the_first(name, build):
    modules = list(build(name, dropout=0.2).modules())
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    assert sum(isinstance(m, nn.Dropout) for m in modules) == len(convolutions) - 1


@pytest.mark.parametrize(("bottleneck", "depth"), [(False, 41), (True, 43)])
def test_a_densenet_refuses_a_depth_without_a_whole_number_of_layers(bottleneck, depth, build):
    with pytest.raises(BadSetting, match=f"depth={depth}"):
        build("densenet40_k12", bottleneck=bottleneck, depth=depth)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_classes": 12, "in_channels": 1, "resolution": 64, "growth_rate": 8},
        {"head": "flatten", "resolution": 47},
        {"activation": "tanh", "norm": "none", "dropout": 0.5, "compression": 1.0},
    ],
)
@pytest.mark.parametrize("name", ["densenet121", "densenet40_k12"])
def test_a_densenet_answers_with_a_score_for_each_class(name, settings, build, input_of):
    default = 10 if name in CIFAR else 1000
    scores = build(name, **settings)(input_of(name, **settings))
    assert scores.shape == (2, settings.get("num_classes", default))


@pytest.mark.parametrize(("name", "smallest"), [("densenet121", 29), ("densenet40_k12", 4)])
def test_the_smallest_resolution_that_the_catalogue_allows_is_the_smallest_that_runs(
    name, smallest, build, input_of
):
    settings = {s.name: s for s in catalogue.find(name)[0].settings}
    assert settings["resolution"].minimum == smallest
    model = build(name)
    assert model(input_of(name, resolution=smallest)).shape[0] == 2
    with pytest.raises(RuntimeError, match="too small"):
        model(input_of(name, resolution=smallest - 1))
