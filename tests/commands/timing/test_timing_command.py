"""What one types after `cnninspect time`, how the answer looks, and this machine as a device."""

from __future__ import annotations

import csv
import io
import json

import jsonschema
import pytest
import torch

import cnninspect
from cnninspect.commands.application import run
from cnninspect.commands.timing.rendering import TimeView
from cnninspect.commands.timing.report import TimeReport
from cnninspect.engine.real_passes import machine_rates
from cnninspect.errors import BadOption, NotCalibrated, UnknownChoice
from cnninspect.metrics.roofline import parse_device, sheet_of
from cnninspect.metrics.summary import Device
from cnninspect.records.machine import Bandwidth, Calibration, Rate
from cnninspect.records.reports import schema_of
from cnninspect.store import this_machine

QUICK = ("--seconds", "0.0001", "--runs", "2")
TYPED = (*QUICK, "--device-spec", "cpu:100:10")


@pytest.fixture
def typed(capsys):
    def type_command(*arguments):
        with pytest.raises(SystemExit) as left:
            run(["time", *arguments])
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return type_command


def test_one_network_is_shown_by_layer_and_several_side_by_side(typed):
    code, one, _ = typed("lenet5_modern", *TYPED)
    assert code == 0
    assert "features" in one
    assert "would gain most" in one
    assert "compute-bound" in one
    code, two, _ = typed("lenet5_modern", "mlp", "--batch", "1,2", *TYPED)
    assert code == 0
    assert two.startswith("4 measurements")
    assert "features" not in two
    _, both, _ = typed("lenet5_modern", "mlp", "--by-layer", *TYPED)
    assert "features" in both


def test_json_keeps_the_contract(typed):
    code, out, _ = typed("lenet5", "-f", "json", "--by-operation", *TYPED)
    assert code == 0
    data = json.loads(out)
    jsonschema.validate(data, schema_of(TimeReport))
    assert data["schema"] == "cnninspect.time/1"
    assert {"processor", "threads", "gflops", "gb_per_s"} <= set(data["machine"])
    (model,) = data["models"]
    wanted = {"model", "backend", "batch", "mode", "median_s", "iqr_s", "samples_per_s", "bound_s"}
    assert wanted <= set(model)
    layer = {"path", "type", "own_s", "total_s", "bound_s", "efficiency"}
    assert all(layer <= set(each) for each in model["layers"])
    assert model["operations"]


def test_csv_has_a_row_for_each_layer_of_each_network(typed):
    _, out, _ = typed("mlp", "lenet5", "-f", "csv", *TYPED)
    rows = list(csv.DictReader(io.StringIO(out)))
    counts = {name: len(cnninspect.trace(name).layers) for name in ("mlp", "lenet5")}
    assert {name: sum(row["model"] == name for row in rows) for name in counts} == counts
    assert all(float(row["median_s"]) > 0 for row in rows)


def test_levels_and_sorted_lists(typed):
    _, shallow, _ = typed("lenet5_modern", "--level", "1", *TYPED)
    assert "features" in shallow
    assert "Conv2d" not in shallow
    _, deep, _ = typed("lenet5_modern", "--level", "all", *TYPED)
    assert "Conv2d" in deep
    _, top, _ = typed("lenet5_modern", "--sort", "own", "--top", "2", *TYPED)
    assert "each layer by itself" in top


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_are_written(typed, tmp_path, suffix):
    path = tmp_path / f"times.{suffix}"
    code, _, err = typed("lenet5", "--plot", str(path), "-q", *TYPED)
    assert (code, err) == (0, "")
    assert path.stat().st_size > 1000


def test_a_picture_of_several_names_them(typed, tmp_path):
    path = tmp_path / "times.svg"
    code, _, _ = typed("lenet5", "mlp", "--batch", "1,2", "--plot", str(path), "-q", *TYPED)
    assert code == 0
    assert "<svg" in path.read_text()


def test_compile_stands_beside_the_backends_that_were_asked_for(typed, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda module: module)
    _, out, _ = typed("mlp", "--compile", "-f", "json", *TYPED)
    assert [m["backend"] for m in json.loads(out)["models"]] == ["torch", "torch.compile"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "time of nothing is not possible"),
        (("mlp", "--batch", "1,x"), "--batch 1,x is not possible"),
        (("mlp", "--batch", "0"), "--batch 0 is not possible"),
        (("mlp", "--backend", "tensorrt"), "--backend 'tensorrt' is not known"),
        (("mlp", "--device", "cuda"), "--device cuda is not possible"),
        (("mlp", "--backend", "onnxruntime", "--mode", "train"), "--mode train with --backend"),
        (("mlp", "--sort", "size"), "--sort 'size' is not known"),
        (("mlp", "--level", "x"), "--level x is not possible"),
        (("mlp", "--plot", "a.jpeg"), "--plot a.jpeg is not possible"),
        (("mlp", "--device-spec", "b200"), "--device-spec 'b200' is not known"),
        (("mlp", "--calibrate", "--device-spec", "a100"), "--device-spec with --calibrate"),
        (("resnt18",), "there is no model called 'resnt18'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_typed_wrongly_is_said_in_a_sentence(typed, arguments, said):
    code, out, err = typed(*arguments, *QUICK)
    assert (code, out) == (2, "")
    assert said in err
    assert "hint:" in err


def test_one_that_fails_among_several_exits_with_1(typed, tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\nclass Bad(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.linear = nn.Linear(3, 3)\n\n"
        "    def forward(self, x):\n        if x.sum() != 1e9:\n"
        "            raise ValueError('no such value')\n        return self.linear(x)\n"
    )
    code, out, err = typed("mlp", f"{tmp_path / 'net.py'}:Bad", *TYPED)
    assert code == 1
    assert "1 run failed" in out
    assert "1 of 2 models could not be measured" in err


@pytest.mark.parametrize("view", [{"sort": "size"}, {"top": 0}, {"level": -1}], ids=str)
def test_what_cannot_be_shown_is_refused(view):
    with pytest.raises((UnknownChoice, BadOption)):
        TimeView(**view)


# --- this machine ---


@pytest.fixture
def uncalibrated(monkeypatch, tmp_path):
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(machine_rates, "SIDES", (16, 32))
    monkeypatch.setattr(machine_rates, "WORKED_ON", (2**12, 2**14))
    monkeypatch.setattr(machine_rates, "MEMORY", (2**16,))
    monkeypatch.setattr(machine_rates, "ROUNDS", 1)
    monkeypatch.setattr(machine_rates, "SHORTEST", 1e-6)


def test_a_machine_is_calibrated_once_and_then_is_a_device(uncalibrated, typed):
    with pytest.raises(NotCalibrated) as caught:
        cnninspect.summarize("mlp", device_spec="this")
    assert "cnninspect.calibrate()" in caught.value.hint
    code, _, err = typed("mlp", "--device-spec", "this", *QUICK)
    assert code == 2
    assert "cnninspect time --calibrate measures it" in err
    code, out, _ = typed("--calibrate", "--seconds", "0.001", "-f", "json")
    assert code == 0
    machine = json.loads(out)["machine"]
    assert set(machine["gflops"]) >= {"float32", "float64"}
    assert machine["gb_per_s"] > 0
    device = cnninspect.summarize("mlp", device_spec="this").device
    assert device.flops_per_second == pytest.approx(machine["gflops"]["float32"] * 1e9)
    assert device.bytes_per_second == pytest.approx(machine["gb_per_s"] * 1e9)
    assert len(device.caches) == 2
    other = cnninspect.summarize("mlp", device_spec="this:float64").device
    assert other.flops_per_second == pytest.approx(machine["gflops"]["float64"] * 1e9)


def test_time_calibrates_by_itself_where_nothing_is_remembered(uncalibrated, monkeypatch):
    asked = []

    def calibrated(**options):
        asked.append((options["device"], options["threads"]))
        return Calibration(
            device="cpu",
            processor=options["processor"],
            threads=options["threads"],
            rates=(Rate("float32", 50.0),),
            gb_per_s=5.0,
        )

    monkeypatch.setattr("cnninspect.commands.timing.measuring.measure_rates", calibrated)
    for _ in range(2):
        report = cnninspect.time("mlp", seconds=1e-4, runs=2)
        assert report.models[0].spec.name == "this"
        assert report.machine.gflops == {"float32": 50.0}
    cnninspect.time("mlp", seconds=1e-4, runs=2, threads=2)
    here = torch.get_num_threads()
    assert asked == [("cpu", here), ("cpu", 2)]
    unknown = cnninspect.time("mlp", seconds=1e-4, runs=2, dtype="bfloat16")
    assert unknown.models[0].bound_s is None
    assert any("how fast this machine computes in bfloat16" in note for note in unknown.notes)


def calibration(**changes):
    return Calibration(
        **{
            "device": "cpu",
            "processor": this_machine.processor_name(),
            "threads": 1,
            "rates": (Rate("float32", 100.0), Rate("bfloat16", 400.0)),
            "gb_per_s": 10.0,
            "caches": (Bandwidth(1000, 80e9), Bandwidth(10**6, 40e9)),
            **changes,
        }
    )


def test_what_is_remembered_is_that_of_the_device_the_processor_and_the_threads(uncalibrated):
    assert this_machine.recalled() is None
    one, two = calibration(), calibration(threads=2)
    other = calibration(processor="another one, in a folder that is shared", gb_per_s=1.0)
    gpu = calibration(device="cuda", processor="a GPU")
    for each in (one, two, other, gpu):
        assert this_machine.remember(each) == ""
    assert this_machine.recalled("cpu", 1) == one
    assert this_machine.recalled("cpu", 2) == two
    assert this_machine.recalled("cpu", 4) is None
    assert this_machine.recalled("cpu") == two
    assert this_machine.recalled("cuda") == gpu
    again = calibration(gb_per_s=12.0)
    this_machine.remember(again)
    assert this_machine.recalled("cpu", 1) == again
    assert this_machine.datasheet("a100") is None
    assert this_machine.datasheet("this-cuda:bfloat16") == sheet_of(gpu)
    assert this_machine.datasheet("this-mps") is None


def test_a_damaged_file_counts_as_nothing_remembered(uncalibrated):
    this_machine.remember(calibration())
    path = this_machine.cache_folder() / this_machine.FILE
    for content in ("", "{", "[1]", '[{"device": 3}]', "null"):
        path.write_text(content)
        assert this_machine.recalled() is None
    assert this_machine.remember(calibration()) == ""
    assert this_machine.recalled() == calibration()


def test_where_nothing_can_be_kept_it_is_said(uncalibrated, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path / "file" / "folder"))
    assert "is not remembered" in this_machine.remember(calibration())


def test_what_is_worked_on_in_a_cache_moves_faster_and_never_slower_than_the_memory():
    device = parse_device("this", "float32", sheet_of(calibration()))
    assert isinstance(device, Device)
    assert device.bandwidth_for(10) == 80e9
    assert device.bandwidth_for(1000) == 80e9
    assert device.bandwidth_for(10**6 - 1) == 80e9
    assert device.bandwidth_for(10**6) == 40e9
    slow = parse_device("this", "float32", sheet_of(calibration(caches=(Bandwidth(8, 1.0),))))
    assert slow.bandwidth_for(10**9) == 10e9


def test_a_dtype_that_was_not_measured_is_refused():
    with pytest.raises(UnknownChoice):
        parse_device("this:int8", "float32", sheet_of(calibration()))


def test_the_hint_for_an_accelerator_names_it():
    with pytest.raises(NotCalibrated) as caught:
        parse_device("this-cuda", "float32")
    assert caught.value.hint.startswith("cnninspect time --calibrate --device cuda measures it")


def test_rates_that_do_not_agree_are_measured_further(uncalibrated, monkeypatch):
    asked = []
    rates = iter([100e9, 70e9, 99e9, 60e9, 98e9, 100e9])
    monkeypatch.setattr(
        machine_rates, "_rate", lambda dtype, *_: asked.append(dtype) or next(rates)
    )
    monkeypatch.setattr(machine_rates, "_bandwidth", lambda *_: 1e9)
    found = machine_rates.measure_rates(seconds=100, dtypes=("float32",))
    assert len(asked) == 5  # until three lie close together
    assert found.gflops == {"float32": 100.0}


def test_dtypes_without_kernels_are_left_out(uncalibrated, monkeypatch):
    real = torch.mm

    def only_float32(a, b, **rest):
        if a.dtype != torch.float32:
            raise RuntimeError("\"addmm\" not implemented for 'Half'")
        return real(a, b, **rest)

    monkeypatch.setattr(torch, "mm", only_float32)
    monkeypatch.setattr(machine_rates, "MEMORY", (2**26,))
    found = machine_rates.measure_rates(seconds=1e-3, dtypes=("float32", "float16"))
    assert set(found.gflops) == {"float32"}
    assert found.skipped == ("float16",)


@pytest.mark.parametrize(
    "options", [{"seconds": 0}, {"threads": 0}, {"device": "cuda"}, {"device": "tpu"}], ids=str
)
def test_what_cannot_be_calibrated_is_refused(options):
    with pytest.raises((BadOption, UnknownChoice)):
        cnninspect.calibrate(**options)
