"""What may be chosen, what is left open, and what an exporter cannot do."""

import pytest
import torch
from exportable import Branching, Counting, Decomposing, Plain
from torch import nn

from cnninspect.engine.onnx_write.exporting import readable
from cnninspect.errors import BadInput, BadOption, ExportFailed, NeedsModules, UnknownChoice


def axes_of(info):
    return [dim.dim_param or dim.dim_value for dim in info.type.tensor_type.shape.dim]


def test_sizes_are_fixed_unless_left_open(export_and_load):
    _, model = export_and_load("resnet20@depth=8")
    assert axes_of(model.graph.input[0]) == [1, 3, 32, 32]
    _, model = export_and_load("resnet20@depth=8", batch=4, force=True)
    assert axes_of(model.graph.input[0]) == [4, 3, 32, 32]


def test_several_sizes_may_be_open(export_and_load):
    report, model = export_and_load("resnet20@depth=8", dynamic=("batch", "height", "width"))
    assert axes_of(model.graph.input[0]) == ["batch", 3, "height", "width"]
    assert axes_of(model.graph.output[0]) == ["batch", 10]
    assert report.is_right
    assert len({tuple(run.sizes.values()) for run in report.verification}) == 4


def test_an_axis_by_number_and_with_a_name(export_and_load):
    report, model = export_and_load(Plain(), [(2, 5, 8)], dynamic=("features:1=rows",))
    assert axes_of(model.graph.input[0]) == [2, "rows", 8]
    assert [run.sizes["rows"] for run in report.verification] == [37, 5, 6, 12]


def test_sound_has_its_steps_last(export_and_load):
    network = nn.Sequential(nn.Conv1d(3, 4, 3), nn.ReLU())
    _, model = export_and_load(network, [(2, 3, 20)], dynamic=("sequence",))
    assert axes_of(model.graph.input[0]) == [2, 3, "sequence"]


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (nn.LSTM(3, 5), (6, 2, 3)),
        (nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True), (2, 6, 3)),
        (nn.GRU(3, 5, bias=False, num_layers=2), (6, 2, 3)),
        (nn.GRU(3, 5, bidirectional=True, batch_first=True), (2, 6, 3)),
        (nn.RNN(3, 5, nonlinearity="relu", bidirectional=True), (6, 2, 3)),
        (nn.RNN(3, 5, batch_first=True), (2, 6, 3)),
    ],
    ids=lambda item: str(item),
)
def test_recurrent_layers_are_one_node_each_and_take_any_length(export_and_load, network, shape):
    layers = network.num_layers
    steps = 1 if network.batch_first else 0
    axes = (f"input:{steps}=steps", f"input:{1 - steps}=batch")
    report, model = export_and_load(network, [shape], dynamic=axes)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count(type(network).__name__) == layers
    assert report.is_right
    assert report.macs.onnx == report.macs.torch > 0
    assert report.parameters.onnx == report.parameters.torch


def test_a_first_state_that_is_given_is_taken(export):
    class Continuing(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 5)

        def forward(self, x, h, c):
            return self.lstm(x, (h, c))

    shapes = [(4, 2, 3), (1, 2, 5), (1, 2, 5)]
    report, _ = export(Continuing(), [torch.randn(shape) for shape in shapes])
    assert report.is_right


@pytest.mark.parametrize("opset", [18, 21])
def test_the_opset_may_be_chosen(export, opset):
    report, _ = export("mlp@hidden=5", opset=opset)
    assert report.opset == opset


def test_the_older_exporter_is_used_when_asked(export):
    report, _ = export("lenet5_modern", exporter="torchscript", opset=13, dynamic=("batch",))
    assert (report.exporter, report.opset) == ("torchscript", 13)
    assert report.macs.onnx == report.macs.torch
    assert [run.batch for run in report.verification] == [1, 2, 3, 7]


def test_code_that_decides_by_values_is_told_in_a_sentence(export, capfd):
    with pytest.raises(ExportFailed, match="decides by the values of tensors") as problem:
        export(Branching(), [(1, 8)])
    assert 'exporter="torchscript"' in problem.value.hint
    assert "\n" not in str(problem.value)
    assert problem.value.__cause__ is not None
    assert capfd.readouterr() == ("", "")


def test_an_operator_that_onnx_does_not_have_is_named(export):
    with pytest.raises(ExportFailed, match=r"knows no ONNX for aten\._linalg_svd"):
        export(Decomposing(), [(4, 8)])


def test_a_size_that_the_code_fixes_cannot_be_left_open(export):
    with pytest.raises(ExportFailed, match=r"its code fixes .*batch"):
        export(Counting(), [(2, 8)], dynamic=("batch",))


def test_projections_are_refused(export):
    with pytest.raises(ExportFailed, match="no projections"):
        export("lstm@proj_size=8,hidden_size=16")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"dynamic": ("sequence",)}, BadOption, "dynamic= sequence"),
        ({"dynamic": ("depth",)}, BadOption, "dynamic= depth"),
        ({"dynamic": ("x:9",)}, BadOption, "dynamic= x:9"),
        ({"dynamic": ("x:1=a b",)}, BadOption, "dynamic= x:1=a b"),
        ({"dynamic": ("y:1",)}, BadOption, "dynamic= y:1"),
        ({"dtype": "int8"}, UnknownChoice, "dtype='int8'"),
        ({"exporter": "magic"}, UnknownChoice, "exporter='magic'"),
        ({"opset": 2}, BadOption, "opset=2"),
    ],
    ids=str,
)
def test_choices_that_cannot_be_are_refused(export, settings, error, message):
    with pytest.raises(error, match=message):
        export("mlp@hidden=5", verify=False, **settings)


def test_only_networks_of_modules_can_be_exported(export, tmp_path):
    _, path = export("mlp@hidden=5", verify=False)
    with pytest.raises(NeedsModules, match="the graph in a file"):
        export(str(path), name="again.onnx")
    import cnninspect

    with pytest.raises(NeedsModules, match="is a trace"):
        export(cnninspect.trace("mlp"), name="again.onnx")


def test_inputs_that_do_not_fit_are_refused(export):
    with pytest.raises(BadInput):
        export("mlp@hidden=5", [(1, 1, 16, 16), (1, 1)])


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("x", "x"),
        ("past.0.key", "past_0_key"),
        ("0", "output_0"),
        ("", "output_"),
        ("a/b c", "a_b_c"),
    ],
)
def test_names_are_plain(name, plain):
    assert readable(name) == plain
