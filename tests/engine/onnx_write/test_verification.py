"""A file that does something else is noticed, traced to a layer, and not kept."""

import numpy as np
import onnx
import pytest
import torch
from exportable import Branching, Forgetful, Plain
from onnx import numpy_helper
from torch import nn

from cnninspect.engine.onnx_write import making, verification
from cnninspect.engine.onnx_write.axes import Feed
from cnninspect.engine.onnx_write.verification import errors_between, tolerance_of
from cnninspect.errors import ExportMismatch, MissingLibrary


@pytest.fixture
def spoil(monkeypatch):
    """Lets the exporter write another value into the weight of that name."""

    def run(name):
        def strip(model):
            for tensor in model.graph.initializer:
                if tensor.name == name:
                    values = numpy_helper.to_array(tensor).copy()
                    values.flat[0] += 1
                    tensor.CopyFrom(numpy_helper.from_array(values, name))
                    return
            raise AssertionError(f"there is no {name}")

        monkeypatch.setattr(making, "strip", strip)

    return run


@pytest.mark.parametrize("layer", ["features.0.conv", "features.1.conv", "classifier.2"])
def test_the_first_layer_that_differs_is_named_and_the_file_is_not_there(
    export, spoil, layer, tmp_path
):
    names = [f"{name}.weight" for name in dict(torch_modules("lenet5_modern")) if name == layer]
    if not names:
        pytest.skip("the network has no such layer")
    spoil(names[0])
    with pytest.raises(ExportMismatch) as problem:
        export("lenet5_modern", dynamic=("batch",))
    assert problem.value.exit_code == 3
    assert problem.value.report.mismatch.path == layer
    assert f"first in {layer}" in str(problem.value)
    assert not problem.value.report.is_right
    assert list(tmp_path.iterdir()) == []


def torch_modules(reference):
    from cnninspect.sources.open import load

    return load(reference).build().named_modules()


def test_a_file_that_was_there_stays_when_the_new_one_is_wrong(export, spoil, tmp_path):
    (tmp_path / "model.onnx").write_text("somebody's own")
    spoil("first.weight")
    with pytest.raises(ExportMismatch):
        export(Plain(), [(2, 8)], force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_text() == "somebody's own"


def test_without_verification_it_is_written_as_it_is(export, spoil):
    spoil("first.weight")
    report, path = export(Plain(), [(2, 8)], verify=False)
    assert path.exists()
    assert (report.verification, report.not_verified) == ((), "--no-verify was given")


def test_a_branch_that_torchscript_fixes_is_noticed(export):
    torch.manual_seed(0)
    with pytest.raises(ExportMismatch) as problem:
        export(Branching(), [(1, 8)], exporter="torchscript")
    assert "fixes whatever depends on data" in problem.value.hint


def test_where_the_outputs_say_little_layers_are_compared_too(export, spoil):
    report, _ = export(Forgetful(), [(2, 4)])
    assert report.is_right
    assert any(
        "hardly depend on the inputs: inside, 2 of its layers" in note for note in report.notes
    )
    spoil("first.weight")
    with pytest.raises(ExportMismatch) as problem:
        export(Forgetful(), [(2, 4)], force=True)
    assert problem.value.report.mismatch.path == "first"


def test_sizes_that_the_network_itself_refuses_are_left_out(export):
    class Picky(Plain):
        def forward(self, features):
            torch._check(features.shape[0] != 3)
            return super().forward(features)

    report, _ = export(Picky(), [(2, 8)], dynamic=("batch",))
    assert [run.batch for run in report.verification] == [1, 2, 7]
    assert "the network does not run with batch=3: not compared" in report.notes


def test_what_onnxruntime_has_no_kernel_for_is_said(export):
    report, path = export("mlp@hidden=4", dtype="bfloat16")
    assert report.not_verified.startswith("onnxruntime cannot run it on the CPU: ")
    assert (report.verification, report.opset) == ((), 22)
    assert path.exists()


def test_half_precision_is_compared_with_a_tolerance_of_its_own(export):
    report, path = export("lenet5_modern", dtype="float16")
    assert {run.tolerance for run in report.verification} == {2e-2}
    assert report.is_right
    assert {t.data_type for t in onnx.load(path).graph.initializer} <= {10, 7}


def test_onnxruntime_is_asked_for_before_any_work(export, monkeypatch):
    def missing():
        raise MissingLibrary("onnxruntime", "verify", "comparing the file with the network")

    monkeypatch.setattr(making, "check_available", missing)
    monkeypatch.setattr(making, "trace_network", None)
    with pytest.raises(MissingLibrary, match="onnxruntime"):
        export("mlp")


@pytest.mark.parametrize(
    ("expected", "found", "errors"),
    [
        ([1.0, 4.0], [1.0, 4.0], (0, 0)),
        ([1.0, 4.0], [1.0, 3.0], (1, 0.25)),
        ([0.0, 0.0], [0.0, 0.0], (0, 0)),
        ([0.0, 0.0], [0.0, 1.0], (1, np.inf)),
        ([1.0, np.inf], [1.0, np.inf], (0, 0)),
        ([1.0, np.nan], [1.0, np.nan], (0, 0)),
        ([1.0, np.nan], [1.0, 2.0], (np.inf, np.inf)),
        ([1.0, np.inf], [1.0, -np.inf], (np.inf, np.inf)),
        ([1.0], [1.0, 1.0], (np.inf, np.inf)),
        ([], [], (0, 0)),
    ],
)
def test_errors_are_the_largest_difference_and_its_part_of_the_largest_element(
    expected, found, errors
):
    assert errors_between(torch.tensor(expected), torch.tensor(found)) == errors


def test_the_tolerance_is_that_of_the_coarsest_weights():
    mixed = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).half())
    assert tolerance_of(mixed) == verification.TOLERANCES[torch.float16]
    assert tolerance_of(nn.Identity()) == verification.TOLERANCES[torch.float32]


def test_open_sizes_are_tried_at_sizes_of_their_own():
    from cnninspect.engine.bind_inputs import Given
    from cnninspect.engine.onnx_write.axes import OpenAxis

    axes = tuple(OpenAxis(0, i, name) for i, name in ((0, "batch"), (2, "height"), (3, "width")))
    feed = Feed(Given((torch.zeros(2, 3, 40, 48),), {}), ("x",), (0,), axes)
    plans = list(verification._plans(feed))
    assert [plan["batch"] for plan in plans] == [1, 2, 3, 7]
    assert len({(plan["height"], plan["width"]) for plan in plans}) == 4
    assert all(plan["height"] >= 40 and plan["width"] >= 48 for plan in plans)
