"""Tables in print with a row for each layer, recomputed: those of data/per_layer.json.

What a table has wrong is left out by name, and each of these tests says so.
"""

import ast
import json
from math import prod
from pathlib import Path

import pytest
from published_measures import measured, summarized, traced

from cnninspect.zoo.lenet import SEEN_BY_C3

TABLES = json.loads((Path(__file__).parent / "data" / "per_layer.json").read_text())["per_layer"]
UNITS = {"K": 10**3, "M": 10**6, "B": 10**9}


def rows(arch):
    """The rows of the table of that `arch`, or of the only one whose `arch` begins so."""
    names = [table["arch"] for table in TABLES]
    (index,) = [i for i, name in enumerate(names) if arch == name] or [
        i for i, name in enumerate(names) if name.startswith(arch)
    ]
    return TABLES[index]["rows"]


def layers(reference, *types, convention="macs"):
    """The layers of these types in the order of execution, or all of them, by path."""
    summary = summarized(reference, convention=convention)
    return {row.path: row for row in summary.layers if not types or row.type in types}


def agrees(count, printed):
    """Whether a count is less than a unit of the last digit away from what is printed."""
    digits = printed.rstrip("KMB")
    unit = UNITS.get(printed[-1], 1)
    precision = 10.0 ** -len(digits.partition(".")[2]) * unit
    return abs(count - float(digits) * unit) < precision


def size(layer):
    """The shape of its output for one image: `6x28x28`."""
    return "x".join(map(str, layer.output_shapes[0][1:]))


def height_width_channels(layer):
    """The same in the order of some papers; `1x1x4096` for a vector."""
    channels, *sides = layer.output_shapes[0][1:]
    return "x".join(map(str, (*(sides or (1, 1)), channels)))


@pytest.mark.parametrize("row", rows("LeNet-5 (1998)"), ids=lambda row: row[0])
def test_lenet5_has_the_parameters_and_connections_of_its_paper(row):
    name, _, out, parameters, connections = row
    layer = layers("lenet5", convention="connections")[name.lower()]
    assert size(layer) == out
    assert layer.total.parameters == parameters
    assert layer.total.convention == connections


def test_a_map_of_lenet5_sees_the_maps_that_table_1_says():
    assert [[i, list(seen)] for i, seen in enumerate(SEEN_BY_C3)] == rows("LeNet-5 (1998) Table I")


GOOGLENET = rows("GoogLeNet (Inception v1) Table 1")
GOOGLENET_LAYERS = (
    ("conv1",),
    ("conv2", "conv3"),
    *((f"inception{module}",) for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")),
    ("fc",),
)
GOOGLENET_WRONG = {"conv 7x7/2": "118M by its own sizes", "inception (5a)": "51M by its own sizes"}


@pytest.mark.parametrize(("row", "paths"), list(zip(GOOGLENET, GOOGLENET_LAYERS)))
def test_googlenet_has_the_operations_of_its_paper(row, paths):
    name, out, _, operations, _, weights, macs = row  # its parameters are not consistent
    found = layers("googlenet_paper")
    trace = traced("googlenet_paper")
    counted = sum(found[path].total.macs for path in paths)
    assert height_width_channels(found[paths[-1]]) == out
    assert sum(measured("weights", trace, path) for path in paths) == weights
    assert counted == macs
    assert agrees(counted, operations) is (name not in GOOGLENET_WRONG)


@pytest.mark.parametrize(
    ("reference", "arch"),
    [("alexnet_grouped", "AlexNet (Caffe, grouped"), ("vgg16", "VGG-16 (224x224)")],
)
def test_weights_and_operations_are_those_of_han_et_al(reference, arch):
    *each, (_, all_weights, all_operations) = rows(arch)
    weighted = layers(reference, "Conv2d", "Linear")
    trace = traced(reference)
    assert len(each) == len(weighted)
    for (name, weights, operations), (path, layer) in zip(each, weighted.items()):
        assert agrees(measured("weights", trace, path), weights), name
        assert agrees(2 * layer.own.macs, operations), name
    assert agrees(measured("weights", trace), all_weights)
    assert agrees(2 * measured("macs", trace), all_operations)


def test_vgg16_has_the_activations_and_weights_of_cs231n():
    (_, first, printed, _), *each = rows("VGG-16 memory")
    assert (first, printed) == ("224x224x3", "150K")  # the input
    found = layers("vgg16", "Conv2d", "MaxPool2d", "Linear")
    assert len(each) == len(found)
    for (name, out, activations, weights), (path, layer) in zip(each, found.items()):
        assert height_width_channels(layer) == out, name
        assert measured("weights", traced("vgg16"), path) == weights
        number, unit = activations.rstrip("KM"), UNITS.get(activations[-1], 1)
        if unit == 1:
            assert prod(layer.output_shapes[0]) == int(number)
        else:  # they take 224² for 50,000
            assert prod(layer.output_shapes[0]) * 50_000 == float(number) * unit * 224**2


def test_the_first_layer_of_alexnet_is_the_worked_example_of_cs231n():
    printed = dict(rows("CONV layer worked example"))
    layer = layers("alexnet_ungrouped")["features.0"]
    matrix = layer.matrix
    weights = measured("weights", traced("alexnet_ungrouped"), layer.path)
    neurons = prod(layer.output_shapes[0])
    assert height_width_channels(layer) == printed["output volume"]
    assert neurons == printed["neurons"]
    assert matrix.inner == printed["weights per filter"]
    assert weights == printed["unique weights"]
    assert layer.own.parameters == printed["parameters incl. bias"]
    assert neurons * (matrix.inner + 1) == printed["parameters without sharing"]


def test_vgg16_has_the_rows_of_torchsummary():
    printed = [(name.split("-")[0], out[1:], n) for name, out, n in rows("VGG-16 (torchvision)")]
    kinds = {kind for kind, _, _ in printed}  # without the pooling to 7×7, which came later
    assert printed == [
        (layer.type, list(layer.output_shapes[0][1:]), layer.own.parameters)
        for layer in layers("vgg16", *kinds).values()
    ]


def test_alexnet_has_the_neurons_of_its_paper():
    printed = dict(rows("AlexNet neurons"))
    del printed["input"]  # of 224 pixels, which do not fit
    assert printed.pop("conv1") == 253_440  # wrong: 55·55·96 = 290,400
    weighted = layers("alexnet_grouped", "Conv2d", "Linear").values()
    counted = [prod(layer.output_shapes[0]) for layer in weighted]
    assert counted[0] == 290_400
    assert counted[1:] == list(printed.values())


@pytest.mark.parametrize(
    ("reference", "arch"),
    [
        ("alexnet_grouped", "AlexNet per-layer params, grouped"),
        ("alexnet_ungrouped", "AlexNet per-layer params, ungrouped"),
    ],
)
def test_layers_of_alexnet_have_the_parameters_printed(reference, arch):
    weighted = layers(reference, "Conv2d", "Linear").values()
    assert [layer.own.parameters for layer in weighted] == [count for _, count in rows(arch)]


@pytest.mark.parametrize(
    "reference", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "plain34"]
)
def test_stages_of_a_resnet_have_the_sizes_of_its_paper(reference):
    found = layers(reference)
    paths = ("conv1", "layer1", "layer2", "layer3", "layer4", "avgpool")
    for path, (stage, out) in zip(paths, rows("ResNet stage output sizes")):
        assert "x".join(map(str, found[path].output_shapes[0][2:])) == out, stage


@pytest.mark.parametrize("row", rows("EfficientNet-B0 baseline"), ids=lambda row: str(row[0]))
def test_stages_of_efficientnet_b0_are_those_of_its_paper(row):
    stage, operator, resolution, channels, count = row
    found = layers("efficientnet_b0")
    layer = found[f"features.{stage - 1}"]
    inputs, outputs = layer.input_shapes[0], layer.output_shapes[0]
    assert "x".join(map(str, inputs[2:])) == resolution
    assert outputs[1] == channels
    blocks = [p for p, b in found.items() if p.startswith(layer.path) and b.type == "MBConv"]
    if not operator.startswith("MBConv"):
        assert (blocks, count) == ([], 1)
        return
    assert len(blocks) == count
    expansion, kernel = (int(part[-1]) for part in operator.split(","))
    for block in blocks:
        depthwise = [row for p, row in found.items() if p.startswith(f"{block}.") and _is_wide(row)]
        (convolution,) = depthwise
        assert convolution.kernel == (kernel, kernel)
        assert convolution.output_shapes[0][1] == expansion * found[block].input_shapes[0][1]


def _is_wide(layer):
    return layer.type == "Conv2d" and max(layer.kernel) > 1


@pytest.mark.parametrize(
    ("reference", "arch", "is_right"),
    [
        ("inception_naive", "Inception module cost, naive", True),
        # The 358M printed take the 3×3 convolution twice.
        ("inception_reduced", "Inception module cost, bottleneck", False),
    ],
)
def test_branches_of_an_inception_module_cost_what_cs231n_says(reference, arch, is_right):
    *each, (_, total) = rows(arch)
    printed = [prod(int(n) for n in expression.split("x")) for _, expression in each]
    counted = [layer.own.macs for layer in layers(reference, "Conv2d").values()]
    assert sorted(counted) == sorted(printed)
    assert agrees(sum(counted), total) is is_right


def test_layers_of_the_keras_lstm_have_the_parameters_printed():
    printed = [count for _, _, count in rows("BiLSTM IMDB")]
    embedding, first, second, dense = printed
    trace = traced("lstm_imdb")
    found = layers("lstm_imdb")
    assert found["embedding"].own.parameters == embedding
    assert measured("parameters with one bias", trace, "recurrent") == first + second
    assert found["fc"].own.parameters == dense


def test_layers_of_the_gru_have_the_parameters_printed():
    weighted = [row.own.parameters for row in layers("gru_text").values() if row.own.parameters]
    assert weighted == [count for _, count in rows("GRU text generator")]


def test_layers_of_the_language_model_are_those_of_torchinfo():
    found = layers("lstm_lm", "Embedding", "LSTM", "Linear", convention="connections")
    for layer, (name, shape, parameters, mult_adds) in zip(found.values(), rows("LSTM LM")):
        assert list(layer.output_shapes[0]) == shape, name
        assert layer.own.parameters == parameters
        if name != "embedding":  # nothing is multiplied there
            assert layer.own.convention == mult_adds


def test_every_table_is_asked_for():
    tree = ast.parse(Path(__file__).read_text())
    asked = [str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    for table in TABLES:
        assert any(table["arch"].startswith(name) for name in asked if len(name) > 5), table["arch"]
