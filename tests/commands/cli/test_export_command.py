"""`cnninspect export`, as it is typed."""

import csv
import io
import json
import warnings

import jsonschema
import pytest
import torch

from cnninspect.commands.export.report import ExportReport
from cnninspect.engine.onnx_write import making
from cnninspect.records.reports import schema_of

NETWORK = "mlp@hidden=5"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def test_a_file_is_written_and_told_of(cnninspect_, path):
    code, out, err = cnninspect_("export", NETWORK, "-o", str(path), "--dynamic", "batch")
    assert (code, err) == (0, "")
    assert path.exists()
    assert "onnxruntime against torch, on random inputs" in out
    assert "batch×1×16×16 float32" in out
    assert out.count(" same") == 4


def test_json_follows_its_schema(cnninspect_, path):
    code, out, _ = cnninspect_("export", NETWORK, "-o", str(path), "-f", "json", "--no-verify")
    report = json.loads(out)
    assert code == 0
    jsonschema.validate(report, schema_of(ExportReport))
    assert report["verification"] == []
    assert report["inputs"] == [{"name": "x", "shape": [1, 1, 16, 16], "dtype": "float32"}]


def test_csv_has_the_runs(cnninspect_, path):
    _, out, _ = cnninspect_("export", NETWORK, "-o", str(path), "-f", "csv", "--dynamic", "batch")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["batch"], row["sizes"], row["ok"]) for row in rows] == [
        ("1", "batch=1", "true"), ("2", "batch=2", "true"), ("3", "batch=3", "true"),
        ("7", "batch=7", "true"),
    ]  # fmt: skip


def test_quiet_says_nothing(cnninspect_, path):
    assert cnninspect_("export", NETWORK, "-o", str(path), "-q", "--no-verify") == (0, "", "")


def test_axes_may_be_joined_by_commas_or_repeated(cnninspect_, path):
    code, out, _ = cnninspect_(
        "export", "resnet20@depth=8", "-o", str(path), "--dynamic", "batch,height",
        "--dynamic", "width", "--no-verify",
    )  # fmt: skip
    assert code == 0
    assert "x batch×3×height×width float32" in out


def test_a_file_that_is_wrong_exits_with_3_and_tells_what_was_seen(cnninspect_, path, monkeypatch):
    def strip(model):
        model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))

    monkeypatch.setattr(making, "strip", strip)
    code, out, err = cnninspect_("export", NETWORK, "-o", str(path))
    assert code == 3
    assert "different" in out
    assert "not kept, since it is wrong" in out
    assert err.startswith(f"error: the file does not do what {NETWORK} does: it differs first in")
    assert not path.exists()


def test_a_file_that_is_there_exits_with_2(cnninspect_, path):
    path.write_text("somebody's own")
    code, out, err = cnninspect_("export", NETWORK, "-o", str(path))
    assert (code, out) == (2, "")
    assert "add --force" in err
    assert path.read_text() == "somebody's own"


def test_what_the_exporter_said_is_shown_for_debugging(cnninspect_, path, tmp_path):
    code_file = tmp_path / "net.py"
    code_file.write_text(
        "from torch import nn\n"
        "class Net(nn.Linear):\n"
        "    def __init__(self): super().__init__(4, 4)\n"
        "    def forward(self, x): return x if super().forward(x).sum() > 0 else -x\n"
    )
    arguments = ("export", f"{code_file}:Net", "-o", str(path))
    code, _, err = cnninspect_(*arguments)
    assert code == 1
    assert len(err.splitlines()) == 2
    assert "Traceback" not in err
    code, _, err = cnninspect_(*arguments, "--debug")
    assert "Traceback" in err
    assert "torch.export" in err


def test_a_torchscript_program_is_refused_in_one_sentence(cnninspect_, path):
    program = path.with_name("scripted.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3)).save(program)
    code, out, err = cnninspect_("export", str(program), "-o", str(path), "--input", "3")
    assert (code, out) == (1, "")
    assert "it is a TorchScript program" in err
    assert not path.exists()


def test_integers_for_weights_are_asked_for_and_follow_the_schema(cnninspect_, path):
    code, out, _ = cnninspect_(
        "export", NETWORK, "-o", str(path), "-f", "json", "--quantize", "int8", "--data", "digits",
        "--no-verify",
    )  # fmt: skip
    report = json.loads(out)
    assert code == 0
    jsonschema.validate(report, schema_of(ExportReport))
    assert report["weights"] == "random, seed 0"
    assert report["quantization"]["method"] == "dynamic"
    assert report["quantization"]["accuracy"]["images"] == 1000
    assert report["bytes"] == path.stat().st_size == report["quantization"]["bytes_after"]


def test_calibrating_without_integers_is_typed_wrongly(cnninspect_, path):
    code, out, err = cnninspect_("export", NETWORK, "-o", str(path), "--calibrate", "digits")
    assert (code, out) == (2, "")
    assert "--quantize int8" in err
    assert not path.exists()


def test_strict_exits_with_3_where_counts_are_not_explained(cnninspect_, path, monkeypatch):
    monkeypatch.setattr(making, "kinships", lambda *_: ())
    monkeypatch.setattr(
        "cnninspect.commands.export.analysis._unpaired", lambda *_: {"hidden.0.linear.bias": -5}
    )
    arguments = ("export", NETWORK, "-o", str(path), "--no-verify")
    code, out, err = cnninspect_(*arguments, "--strict")
    assert code == 3
    assert "5 less, not explained" in out
    assert "which is not explained" in err
    assert not path.exists()
    assert cnninspect_(*arguments)[0] == 0
    assert path.exists()
