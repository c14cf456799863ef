"""`cnninspect summary`, as it is typed."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

NETWORK = """
from torch import nn
def make(width: int = 4):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(10, 5))
def raising():
    raise KeyError("nothing here")
"""


@pytest.fixture
def network(tmp_path: Path) -> str:
    file = tmp_path / "net.py"
    file.write_text(NETWORK)
    return str(file)


def test_the_main_job(cnninspect_: Callable) -> None:
    code, out, err = cnninspect_("summary", "resnet34")
    assert (code, err) == (0, "")
    for expected in (
        "3,663,761,408",
        "21,797,672",
        "162 calls: 37 counted, 125 free, 0 unknown",
        "matches torchvision's published 3.664 GMACs",
    ):
        assert expected in out


def test_json_follows_the_contract(cnninspect_: Callable) -> None:
    code, out, _ = cnninspect_("summary", "resnet18", "--format", "json")
    report = json.loads(out)
    assert code == 0
    assert report["schema"] == "cnninspect.summary/1"
    assert report["model"] == {"reference": "resnet18", "source": "zoo", "name": "resnet18"}
    assert report["inputs"] == [{"name": "x", "shape": [1, 3, 224, 224], "dtype": "float32"}]
    assert report["engine"]["build"] == "meta"
    assert report["engine"]["run"] == "abstract"
    assert report["totals"]["macs"] == 1_814_073_344
    assert report["totals"]["parameters"] == 11_689_512
    assert report["convention"]["name"] == "macs"
    assert report["convention"]["total"] == 1_814_073_344
    assert report["uncounted"] == []
    first = next(layer for layer in report["layers"] if layer["path"] == "conv1")
    assert first["own"]["macs"] == first["total"]["macs"] == 118_013_952
    assert (first["type"], first["level"], first["calls"]) == ("Conv2d", 1, 1)
    assert first["input_shapes"] == [[1, 3, 224, 224]]
    assert first["output_shapes"] == [[1, 64, 112, 112]]


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (["resnet35"], 2, "no model called 'resnet35'", "did you mean"),
        (["resnet34@groups=2"], 2, "has no setting 'groups'", "num_classes (int, 1000)"),
        (["resnet34@num_classes=ten"], 2, "num_classes=ten", "a whole number"),
        (["resnet34@num_classes=0"], 2, "num_classes=0", "at least 1"),
        (["resnet34@num_classes"], 2, "resnet34@num_classes", ""),
        (["resnet34@"], 2, "nothing follows the @", ""),
        ([""], 2, "it is empty", ""),
        (["resnet34", "--input", "0x224x224"], 2, "a size of 0", ""),
        (["resnet34", "--input", "3x-2x224"], 2, "a size of -2", ""),
        (["resnet34", "--input", "large"], 2, "not a shape", ""),
        (["resnet34", "--batch", "0"], 2, "--batch", "--help"),
        (["resnet34", "--format", "xml"], 2, "xml", "--help"),
        (["resnet34", "--sort", "size"], 2, "--sort 'size'", "macs"),
        (["resnet34", "--columns", "size"], 2, "--columns 'size'", "macs"),
        (["no_such_model", "--columns", "size"], 2, "--columns 'size'", "macs"),
        (["resnet34", "--columns", "storage"], 2, "--columns 'storage'", "path"),
        (["resnet34", "--fold", "--top", "3"], 2, "--fold with --sort or --top", "without them"),
        (["resnet34", "--level", "deep"], 2, "--level deep", "a whole number"),
        (["resnet34", "--count-as", "flops"], 2, "--count-as 'flops'", "fvcore"),
        (["resnet34", "--nope"], 2, "--nope", "--help"),
        (["resnet34", "--input", "1x9x9"], 1, "it got 1×1×9×9 and wants N×3×H×W", "--input"),
    ],
)  # fmt: skip
def test_what_is_typed_wrongly_is_one_error_with_a_hint(
    cnninspect_: Callable, arguments: list[str], code: int, error: str, hint: str
) -> None:
    outcome = cnninspect_("summary", *arguments)
    assert outcome.code == code
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    lines = outcome.err.splitlines()
    assert [line for line in lines if line.startswith("error:")] == [lines[-2]]
    assert error in lines[-2]
    assert lines[-1].startswith("hint:")
    assert hint in lines[-1]


def test_a_shape_that_does_not_fit_shows_the_rows_up_to_there(
    cnninspect_: Callable, network: str
) -> None:
    code, out, err = cnninspect_("summary", f"{network}:make", "--input", "3x8x8")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "ran before it failed:",
        "  0  Conv2d   1×4×6×6",
        "  1  ReLU     1×4×6×6",
        "  2  Flatten  1×144",
        "error: running the model failed at 3 (Linear): it got 1×144 and wants …×10",
        "hint: --input sets the input's shape, as in --input 3x224x224",
    ]


def test_the_traceback_is_there_for_those_who_ask(cnninspect_: Callable, network: str) -> None:
    code, _, err = cnninspect_("summary", f"{network}:raising", "--debug")
    assert code == 1
    assert "Traceback" in err
    assert "KeyError" in err


def test_a_file_is_written_whole(cnninspect_: Callable, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    code, out, err = cnninspect_("summary", "resnet18", "--format", "json", "-o", str(file))
    assert (code, out) == (0, "")
    assert str(file) in err
    assert json.loads(file.read_text())["totals"]["parameters"] == 11_689_512
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_file_that_exists_is_kept_unless_forced(cnninspect_: Callable, tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    file.write_text("mine")
    refused = cnninspect_("summary", "mlp", "--format", "csv", "-o", str(file))
    assert refused.code == 2
    assert "exists already" in refused.err
    assert "--force" in refused.err
    assert file.read_text() == "mine"
    assert cnninspect_("summary", "mlp", "--format", "csv", "-o", str(file), "--force").code == 0
    assert file.read_text().startswith("path,")


@pytest.mark.parametrize("place", ["missing/report.csv", "."])
def test_a_place_that_cannot_be_written_is_an_error(
    cnninspect_: Callable, tmp_path: Path, place: str
) -> None:
    code, out, err = cnninspect_("summary", "mlp", "-o", str(tmp_path / place))
    assert (code, out) == (1, "")
    assert err.startswith("error: cannot write")


def test_a_failed_write_leaves_nothing(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    code, _, err = cnninspect_("summary", "mlp", "-o", str(tmp_path / "report.txt"))
    assert code == 1
    assert "No space left" in err
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
def test_a_written_file_has_the_usual_permissions(cnninspect_: Callable, tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    cnninspect_("summary", "mlp", "--format", "markdown", "-o", str(file))
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask


def test_strict_says_no_to_an_unknown_operation(cnninspect_: Callable, tmp_path: Path) -> None:
    file = tmp_path / "waves.py"
    file.write_text(
        "import torch\n"
        "class Waves(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.fft.fft(x)\n"
    )
    typed = ("summary", f"{file}:Waves", "--input", "1x8")
    tolerant, strict = cnninspect_(*typed), cnninspect_(*typed, "--strict")
    assert (tolerant.code, strict.code) == (0, 3)
    assert "fft" in tolerant.out
    assert "fft" in strict.err


def test_explain_puts_the_numbers_into_the_formula(cnninspect_: Callable) -> None:
    code, out, _ = cnninspect_("explain", "resnet34", "layer1.0.conv1")
    assert code == 0
    assert "115,605,504" in out
    assert "64 in channels per group" in " ".join(out.split())


def test_explain_names_the_nearest_layer(cnninspect_: Callable) -> None:
    code, _, err = cnninspect_("explain", "resnet34", "layer1.0.conv9")
    assert code == 2
    assert "layer1.0.conv1" in err


def test_list_narrows_by_pattern_and_family(cnninspect_: Callable) -> None:
    code, out, _ = cnninspect_("list", "resnet1*", "--family", "resnet", "--format", "json")
    names = [entry["name"] for entry in json.loads(out)["entries"]]
    assert code == 0
    assert names == ["resnet18", "resnet101", "resnet152"]


def test_list_knows_what_is_near(cnninspect_: Callable) -> None:
    code, _, err = cnninspect_("list", "resnett34")
    assert code == 2
    assert "resnet34" in err


def test_version(cnninspect_: Callable) -> None:
    code, out, _ = cnninspect_("--version")
    assert code == 0
    assert out.startswith("cnninspect ")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("--columns", "path,receptive_field"), "109×109"),
        (("--columns", "receptive_field", "--format", "csv"), "109x109"),
        (("--sort", "receptive_field"), "109×109"),
        (("--sort", "receptive_field", "--format", "markdown"), "109×109"),
        (("--format", "csv"), "109x109"),
        (("--format", "json"), '"receptive_field": [109, 109]'),
    ],
)
def test_receptive_fields_are_shown_where_they_are_asked_for(
    options: tuple[str, ...], shown: str, cnninspect_: Callable
) -> None:
    code, out, _ = cnninspect_("summary", "resnet20", *options)
    assert (code, shown in out) == (0, True)


@pytest.mark.parametrize(
    "options", [(), ("--format", "html"), ("--format", "csv", "--columns", "macs")]
)
def test_receptive_fields_are_not_worked_out_unasked(
    options: tuple[str, ...], cnninspect_: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnninspect.metrics import receptive_field

    monkeypatch.delattr(receptive_field, "receptive_fields")
    code, out, _ = cnninspect_("summary", "resnet20", *options)
    assert (code, bool(out)) == (0, True)


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "typed",
    [
        ("summary", "mlp", "--level", "²"),
        ("summary", "mlp", "--level", DIGITS),
        ("summary", "mlp", "--input", f"{DIGITS}x3"),
        ("summary", "mlp", "--top", DIGITS),
        ("summary", f"mlp@hidden={DIGITS}"),
        ("graph", "mlp", "--level", DIGITS),
        ("find", "--max-params", DIGITS),
        ("find", "--top", "³"),
        ("check", "mlp", "--max-latency", f"{DIGITS}ms"),
        ("check", "mlp", "--max-params", f"1.{DIGITS}M"),
        ("memory", "mlp", "--fit", f"{DIGITS}GB"),
        ("time", "mlp", "--batch", DIGITS),
        ("scale", "mlp", "--over", "batch", "--sizes", DIGITS),
        ("sweep", f"mlp@hidden=1..{DIGITS}"),
    ],
    ids=lambda typed: " ".join(word.replace(DIGITS, "9…") for word in typed),
)
def test_numbers_that_nobody_means_are_refused(
    typed: tuple[str, ...], cnninspect_: Callable
) -> None:
    code, out, err = cnninspect_(*typed)
    assert (code, out) == (2, "")
    assert "defect" not in err


def test_sizes_of_thousands_of_digits_are_text(network: str, cnninspect_: Callable) -> None:
    code, _, err = cnninspect_("summary", f"{network}:make@width={DIGITS}x2")
    assert code == 2
    assert "width" in err
    assert "defect" not in err
