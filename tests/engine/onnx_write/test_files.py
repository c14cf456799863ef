"""What is in a file: names, annotations, nothing of the author's machine; and how it gets there."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from exportable import Nested, Normalised, Plain, Tied, Unused
from onnx import TensorProto

import cnninspect
from cnninspect.commands.export.analysis import BIAS, CONSTANT, FOLDED, REPEATED, UNUSED
from cnninspect.engine.onnx_write import exporting
from cnninspect.errors import BadOption, FileExists, FileUnwritable

MACHINE = (
    b".py",
    b"site-packages",
    b"stack_trace",
    os.getcwd().encode(),
    str(Path.home()).encode(),
)


def notes_of(node):
    return {entry.key: entry.value for entry in node.metadata_props}


def test_nodes_say_which_layer_they_are_and_what_they_cost(export_and_load):
    report, model = export_and_load("lenet5_modern")
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    notes = notes_of(conv)
    assert notes["cnninspect.layer"] == "features.0.conv"
    assert notes["cnninspect.type"] == "Conv2d"
    assert notes["cnninspect.macs"] == str(28 * 28 * 6 * 25)
    assert notes["cnninspect.parameters"] == str(6 * 25 + 6)
    assert sum(int(notes_of(n)["cnninspect.macs"]) for n in model.graph.node) == report.macs.onnx
    assert (
        sum(int(notes_of(n)["cnninspect.parameters"]) for n in model.graph.node)
        == report.parameters.onnx
    )


def test_the_file_says_what_it_is_and_how_it_was_made(export_and_load):
    _, model = export_and_load("mlp@hidden=5", dynamic=("batch",), seed=3)
    notes = notes_of(model)
    assert notes["cnninspect.reference"] == "mlp@hidden=5"
    assert notes["cnninspect.inputs"] == "x:float32:2x1x16x16"
    assert notes["cnninspect.weights"] == "random, seed 3"
    assert notes["cnninspect.dynamic"] == "batch"
    assert notes["cnninspect.parameters"] == str(256 * 5 + 5 + 5 * 26 + 26)
    assert notes["cnninspect.torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert model.producer_name == "pytorch"


def test_nothing_tells_of_the_machine_unless_asked(export):
    _, path = export("mlp@hidden=5")
    content = path.read_bytes()
    assert not [word for word in MACHINE if word in content]
    _, path = export("mlp@hidden=5", keep_traces=True, force=True)
    assert b"stack_trace" in path.read_bytes()


def test_nothing_of_torchscripts_traces_is_left_either(export):
    _, path = export("mlp@hidden=5", exporter="torchscript")
    assert not [word for word in MACHINE if word in path.read_bytes()]


def test_names_are_those_of_forward_and_of_the_result(export_and_load):
    model = Nested()
    report, file = export_and_load(
        model, [(2, 4)], kwargs={"right": torch.zeros(2, 4)}, dynamic=("batch",)
    )
    assert [info.name for info in file.graph.input] == ["left", "right"]
    assert [info.name for info in file.graph.output] == ["sum", "parts_0", "parts_1"]
    assert [(size.name, size.tensor, size.axis) for size in report.open_sizes][:2] == [
        ("batch", "left", 0), ("batch", "right", 0),
    ]  # fmt: skip
    _, file = export_and_load(Plain(), [(2, 8)], name="plain.onnx")
    assert [file.graph.input[0].name, file.graph.output[0].name] == ["features", "output"]


def test_the_report_is_about_the_file(export):
    report, path = export("mlp@hidden=5")
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report.bytes == path.stat().st_size
    assert report.opset == next(o.version for o in onnx.load(path).opset_import)
    data = json.loads(cnninspect.render(report, format="json"))
    assert data["schema"] == "cnninspect.export/1"
    assert data["file"] == str(path)
    assert data["macs"] == {"torch": 256 * 5 + 5 * 26, "onnx": 256 * 5 + 5 * 26}
    assert [run["ok"] for run in data["verification"]] == [True] * 3


def test_the_same_network_gives_the_same_bytes_in_every_process(tmp_path):
    code = (
        "import sys, cnninspect\n"
        "print(cnninspect.export_onnx('resnet20@depth=8', sys.argv[1], dynamic=('batch',),"
        " verify=False).sha256)"
    )
    sums = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"{seed}.onnx")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(sums) == 1


def test_another_seed_gives_other_weights_and_given_weights_are_taken(export, tmp_path):
    sums = [export("mlp@hidden=5", seed=s, verify=False, force=True)[0].sha256 for s in (1, 2, 1)]
    assert sums[0] == sums[2] != sums[1]
    network = cnninspect.sources.open.load("mlp@hidden=5").build()
    weights = tmp_path / "weights.pt"
    torch.save(network.state_dict(), weights)
    _, path = export("mlp@hidden=5", weights=weights, force=True)
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    for name, tensor in network.state_dict().items():
        assert (stored[name] == tensor.numpy()).all()


def test_a_live_module_stays_as_it_was_and_its_weights_are_in_the_file(export):
    module = Plain().train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    _, path = export(module, [(2, 8)], dtype="float16")
    assert module.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in module.parameters())
    assert all((before[name] == tensor).all() for name, tensor in module.state_dict().items())
    stored = {t.name: t for t in onnx.load(path).graph.initializer}
    assert stored["first.weight"].data_type == TensorProto.FLOAT16


def test_the_random_state_stays_as_it_was(export):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    export("mlp@hidden=5")
    assert torch.rand(1) == expected


# --- reconciliation -------------------------------------------------------------------------


def reasons(report):
    return {(d.quantity, d.reason): (d.change, d.layers) for d in report.differences}


def test_folded_batch_norm_is_explained(export):
    report, _ = export(Normalised(), [(2, 3, 8, 8)])
    assert reasons(report) == {
        ("parameters", FOLDED): (-8, ("norm",)),
        ("parameters", BIAS): (4, ("conv",)),
    }
    assert report.macs.onnx == report.macs.torch


def test_shared_weights_that_are_stored_twice_are_explained(export):
    report, _ = export(Tied(), torch.tensor([[1, 2, 3]]))
    assert (report.parameters.torch, report.parameters.onnx) == (66, 132)
    assert reasons(report) == {("parameters", REPEATED): (66, ("head",))}


def test_what_never_runs_is_explained_and_buffers_are_no_parameters(export):
    report, _ = export(Unused(), [(2, 8)])
    assert reasons(report) == {("parameters", UNUSED): (-45, ("spare",))}
    assert CONSTANT not in str(report.differences)


# --- writing --------------------------------------------------------------------------------


def test_weights_too_large_for_one_file_lie_beside_it(export, monkeypatch, tmp_path):
    monkeypatch.setattr(exporting, "MOST_BYTES", 1000)
    report, path = export("lenet5_modern", dynamic=("batch",))
    data = tmp_path / "model.onnx.data"
    assert {p.name for p in tmp_path.iterdir()} == {path.name, data.name}
    assert (report.data_file, report.data_bytes) == (data.name, data.stat().st_size)
    assert report.is_right
    assert report.macs.onnx == report.macs.torch
    assert cnninspect.summarize(str(path)).totals.parameters == 61_706
    assert path.stat().st_size < data.stat().st_size
    path.unlink()
    with pytest.raises(FileExists, match=r"model\.onnx\.data"):
        export("lenet5_modern")


def test_weights_that_fit_are_in_the_file(export, tmp_path):
    export("lenet5_modern")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_that_is_there_is_overwritten_only_by_force(export):
    export("mlp@hidden=5", verify=False)
    with pytest.raises(FileExists):
        export("mlp@hidden=5", verify=False)
    export("mlp@hidden=6", verify=False, force=True)


def test_what_cannot_be_written_is_refused_before_any_work(export, monkeypatch, tmp_path):
    monkeypatch.setattr("cnninspect.engine.onnx_write.making.trace_network", None)
    with pytest.raises(FileUnwritable, match="folder does not exist"):
        export("mlp", name="none/model.onnx")
    with pytest.raises(BadOption) as problem:
        export("mlp", name="model.bin")
    assert "ends in .onnx" in problem.value.hint
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(FileUnwritable, match="it is a folder"):
        export("mlp", name="folder.onnx")
