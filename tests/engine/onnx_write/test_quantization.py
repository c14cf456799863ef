"""Integers for weights: what stays as it was and why, and how much the answers change."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exportable import Plain
from torch import nn

import cnninspect
from cnninspect.errors import BadOption, UnknownChoice


class Reader(nn.Module):
    """Takes pictures of 8×8; `up` has no rule in the dynamic quantiser, `both` has no weight."""

    def __init__(self):
        super().__init__()
        self.conv, self.up = nn.Conv2d(1, 8, 3, padding=1), nn.ConvTranspose2d(8, 8, 2, 2)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        h = self.up(self.conv(x).relu())  # (N, 8, 16, 16)
        h = h @ h.transpose(2, 3)
        return self.head(h.mean((2, 3)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Weights of a small network that reads most digits."""
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    bunch = load_digits()
    pixels = torch.as_tensor(bunch.images, dtype=torch.float32)
    pixels = ((pixels - pixels.mean()) / pixels.std()).flatten(1)
    labels = torch.as_tensor(bunch.target)
    network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(pixels), labels).backward()
        optimizer.step()
    return network


def stayed(report):
    return {
        layer.path: (layer.operator, layer.reason)
        for layer in report.quantization.layers
        if not layer.is_int8
    }


def test_dynamic_integers_for_every_layer(export_and_load):
    report, model = export_and_load("lenet5_modern", dynamic=("batch",), quantize="int8")
    found = report.quantization
    assert (found.method, found.calibration) == ("dynamic", "")
    assert found.bytes_after == report.bytes < 0.35 * found.bytes_before
    assert len(found.layers) == 5
    assert stayed(report) == {}
    assert found.int8_macs == report.macs.torch
    assert 0 < found.max_rel_error < 0.2
    assert found.accuracy is None
    kinds = [node.op_type for node in model.graph.node]
    assert (kinds.count("ConvInteger"), kinds.count("MatMulInteger")) == (2, 3)
    assert report.is_right
    assert len(report.verification) == 4  # of the file before


def test_layers_that_stay_say_why_by_the_quantisers_own_rules(export):
    report, _ = export(Reader(), [(2, 1, 8, 8)], quantize="int8")
    operators = stayed(report)
    assert operators["up"] == (
        "ConvTranspose", "onnxruntime's dynamic quantiser has no rule for ConvTranspose"
    )  # fmt: skip
    assert operators[""][0] == "MatMul"
    assert operators[""][1].startswith("both of its factors are activations")
    assert {"conv", "head"}.isdisjoint(operators)


def test_weights_of_recurrent_layers_are_put_in_order_first(export_and_load):
    report, model = export_and_load(
        "lstm@length=6,hidden_size=16", dynamic=("batch",), quantize="int8"
    )
    assert "DynamicQuantizeLSTM" in [node.op_type for node in model.graph.node]
    assert stayed(report) == {}
    assert sum(layer.parameters for layer in report.quantization.layers) == report.parameters.torch


def test_static_integers_have_their_ranges_from_images_and_accuracy_from_others(export, trained):
    report, path = export(trained, [(1, 64)], dynamic=("batch",), quantize="int8",
                          calibrate="digits")  # fmt: skip
    found = report.quantization
    assert (found.method, found.calibration, found.calibration_images) == ("static", "digits", 128)
    assert found.compared_on == "1,000 images of digits"
    assert found.accuracy.images == 1000
    assert found.accuracy.before > 0.9
    assert found.accuracy.after > 0.9
    assert found.accuracy.agreement > 0.9
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    session = onnxruntime.InferenceSession(path)
    assert session.run(None, {"input": np.zeros((5, 64), np.float32)})[0].shape == (5, 10)


def test_accuracy_on_labelled_data_for_dynamic_integers_too(export, trained):
    report, _ = export(trained, [(4, 64)], quantize="int8", data="digits")
    assert report.quantization.method == "dynamic"
    assert report.quantization.accuracy.before > 0.9
    assert report.quantization.accuracy.data == "digits"


def test_a_folder_of_images_may_be_taken(export, tmp_path, trained):
    images = pytest.importorskip("PIL.Image")
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(6):
            image = images.fromarray(np.full((8, 8), 20 * i, np.uint8))
            image.save(tmp_path / "data" / name / f"{i}.png")
    report, _ = export(trained, [(1, 64)], quantize="int8", calibrate=str(tmp_path / "data"))
    assert report.quantization.calibration == "data"
    assert report.quantization.calibration_images == 6
    assert report.quantization.accuracy.images == 6


def test_nodes_of_the_new_file_belong_to_the_layers_of_the_old(export):
    _, path = export("lenet5_modern", quantize="int8")
    layers = {layer.path for layer in cnninspect.trace(str(path)).layers}
    assert {"features.0.conv", "features.1.conv", "classifier.4"} <= layers
    notes = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert notes["cnninspect.quantized"] == "int8, dynamic"
    assert notes["cnninspect.weights"] == "random, seed 0"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"quantize": "int3"}, UnknownChoice, "quantize='int3'"),
        ({"calibrate": "digits"}, BadOption, "calibrate= digits"),
        ({"data": "digits"}, BadOption, "data= digits"),
        ({"quantize": "int8", "dtype": "float16"}, BadOption, "quantize= int8"),
    ],
    ids=str,
)
def test_choices_that_do_not_go_together_are_refused(export, settings, error, message):
    with pytest.raises(error, match=message):
        export("mlp@hidden=5", **settings)


def test_images_for_a_network_that_takes_none_are_refused(export, tmp_path):
    with pytest.raises(BadOption) as problem:
        export(nn.Embedding(10, 4), torch.zeros(1, 3, dtype=torch.long), quantize="int8",
               calibrate="digits")  # fmt: skip
    assert "is no batch of images" in problem.value.hint
    assert list(tmp_path.iterdir()) == []


def test_it_is_written_out(export):
    report, _ = export(Plain(), [(2, 8)], quantize="int8")
    text = cnninspect.render(report)
    assert "dynamic: ranges of activations are found while it runs" in text
    assert "2 of 2 layers, 100.0% of the MACs" in text
