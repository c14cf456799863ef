"""Depth, stages, bytes by dtype: what is told of a network as a whole."""

import pytest

import cnninspect
from cnninspect.metrics.figures import _Positions, figures_of
from cnninspect.records.operations import Operation, TensorSpec

DEPTHS = {
    "resnet18": (18, "what its name says, projections left out"),
    "vgg16": (16, "what its name says"),
    "googlenet": (22, "Szegedy et al. 2014, Section 5: layers with parameters"),
    "densenet121": (121, "what its name says"),
    "resnet20": (20, "what its name says"),
    "rnn": (2, "a recurrent layer and a linear one"),
}


@pytest.fixture(scope="module")
def figures():
    known = {}

    def of(reference):
        if reference not in known:
            known[reference] = figures_of(cnninspect.trace(reference))
        return known[reference]

    return of


@pytest.mark.parametrize("reference", DEPTHS)
def test_depth_is_the_longest_way_in_weighted_layers(reference, figures):
    assert figures(reference).depth == DEPTHS[reference][0]


def test_depth_of_attention_counts_each_layer_once(figures):
    from torch import nn

    encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    found = figures_of(cnninspect.trace(encoder, inputs=[(1, 5, 16)]))
    assert found.depth == found.weighted_layers == 3  # attention, and two linear layers


@pytest.mark.parametrize("reference", ["resnet18", "googlenet", "mlp", "lenet5", "rnn"])
def test_stages_add_up_to_the_whole(reference, figures):
    found = figures(reference)
    for field in ("parameters", "macs", "activations"):
        assert sum(getattr(s.counts, field) for s in found.stages) == getattr(found.totals, field)


def test_stages_of_a_resnet_are_those_of_its_paper(figures):
    stages = {stage.name: stage for stage in figures("resnet18").stages}
    assert list(stages) == ["1/2", "1/4", "1/8", "1/16", "1/32", "head"]
    # Table 1 of the paper: conv1, then two blocks of two 3×3 convolutions; a projection each.
    assert [stages[name].layers for name in stages] == [1, 4, 5, 5, 5, 1]
    assert stages["head"].counts.parameters == 512 * 1000 + 1000


def test_squeeze_and_excitation_belongs_to_the_stage_around_it(figures):
    stages = {stage.name: stage for stage in figures("se_resnet18").stages}
    plain = {stage.name: stage for stage in figures("resnet18").stages}
    assert stages["head"].counts == plain["head"].counts
    assert stages["1/4"].layers > plain["1/4"].layers


def test_bytes_follow_the_dtype_and_shared_parameters_count_once(figures):
    from torch import nn

    sizes = {item.dtype: item.bytes for item in figures("lenet5_modern").bytes_as}
    assert sizes["float32"] == 4 * 61_706
    assert sizes["float16"] == sizes["bfloat16"] == 2 * 61_706
    assert sizes["int8"] == 61_706
    layer = nn.Linear(3, 3, bias=False)
    tied = figures_of(cnninspect.trace(nn.Sequential(layer, layer), inputs=[(1, 3)]))
    assert tied.bytes_as[0].bytes == 9 * 4


def test_layers_that_never_ran_are_told_apart():
    from torch import nn

    class WithSpare(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.spare = nn.Conv2d(3, 4, 3), nn.Linear(5, 5)

        def forward(self, x):
            return self.used(x)

    found = figures_of(cnninspect.trace(WithSpare(), inputs=[(1, 3, 8, 8)]))
    assert {s.name: s.counts.parameters for s in found.stages}["not run"] == 30


@pytest.mark.parametrize(
    ("name", "shape", "positions"),
    [
        ("aten.convolution", (2, 8, 5, 7), 35), ("aten.convolution", (2, 8, 5), 0),
        ("aten.bmm", (4, 5, 7), 0), ("aten.scaled_dot_product_attention", (2, 4, 5, 7), 0),
        ("aten.linear", (2, 9, 7), 9), ("aten.linear", (7,), 0), ("aten.relu", (2, 8, 5, 7), 0),
    ],
)  # fmt: skip
def test_positions_are_those_of_one_image_or_none(name, shape, positions):
    arguments = {
        "aten.convolution": {"input": (2, 3, 6, 8), "weight": (8, 3, 2, 2)},
        "aten.bmm": {"self": (4, 5, 3), "mat2": (4, 3, 7)},
        "aten.linear": {"input": (*shape[:-1], 3), "weight": (7, 3)},
    }.get(name, dict.fromkeys(("query", "key", "value"), shape))
    specs = tuple((key, TensorSpec(value)) for key, value in arguments.items())
    trace = cnninspect.trace("shallow_cnn", batch=2)
    assert _Positions(trace)._count(Operation(name, specs, (TensorSpec(shape),))) == positions
