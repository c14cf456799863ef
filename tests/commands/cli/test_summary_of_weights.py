"""`cnninspect summary weights.pth`, as it is typed: the tensors, without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import BadReference
from cnninspect.records.checkpoint import Checkpoint
from cnninspect.records.reports import schema_of


class Plants:
    """A pickle of it would make a file, wherever it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def weights(tmp_path: Path) -> str:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    torch.save(net.state_dict(), tmp_path / "net.pth")
    return str(tmp_path / "net.pth")


@pytest.fixture
def planted(tmp_path: Path) -> str:
    torch.save({"w": torch.zeros(3, 4), "x": Plants(tmp_path / "planted")}, tmp_path / "evil.bin")
    return str(tmp_path / "evil.bin")


def test_a_file_of_weights_is_shown_by_module(weights: str, cnninspect_: Callable) -> None:
    code, out, err = cnninspect_("summary", weights)
    assert (code, err) == (0, "")
    for expected in ("weight", "8×3×3×3", "running_mean", "7 tensors · 257 elements", "nothing in"):
        assert expected in out


def test_json_follows_its_schema_and_csv_has_a_row_for_each_tensor(
    weights: str, cnninspect_: Callable
) -> None:
    _, out, _ = cnninspect_("summary", weights, "-f", "json")
    report = json.loads(out)
    jsonschema.validate(report, schema_of(Checkpoint))
    assert report["totals"] == {"tensors": 7, "elements": 257, "tensor_bytes": 1032}
    _, out, _ = cnninspect_("summary", weights, "-f", "csv", "--top", "2")
    assert out.splitlines()[1].startswith("0.weight,8x3x3x3,float32,216,864,")
    assert len(out.splitlines()) == 3


def test_torch_is_not_imported_for_it(weights: str) -> None:
    code = (
        "import sys; from cnninspect.commands.application import run\n"
        "try: run(['summary', sys.argv[1]])\n"
        "finally: print(sorted({'torch', 'numpy', 'onnx'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code, weights], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "8×3×3×3" in done.stdout


def test_what_a_pickle_would_run_is_shown_and_not_run(
    planted: str, tmp_path: Path, cnninspect_: Callable
) -> None:
    code, out, _ = cnninspect_("summary", planted)
    assert code == 0
    assert "loading this file may run any code: it asks for 1 name" in out
    assert ".mkdir" in out
    assert "3×4" in out
    code, _, err = cnninspect_("summary", planted, "--strict", "--quiet")
    assert code == 3
    assert "refuses" in err
    assert not (tmp_path / "planted").exists()


def test_strict_is_content_with_what_safe_loading_takes(
    weights: str, cnninspect_: Callable
) -> None:
    assert cnninspect_("summary", weights, "--strict", "-q") == (0, "", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "{}", "0"),
        ("memory", "{}"),
        ("gradients", "{}"),
        ("audit", "{}"),
        ("check", "{}", "--max-params", "1M"),
        ("export", "{}", "-o", "net.onnx"),
        ("summary", "{}", "--input", "3x8x8"),
        ("summary", "{}", "--batch", "2"),
        ("summary", "{}", "--count-as", "thop"),
        ("summary", "{}", "--mode", "train"),
    ],
    ids=lambda arguments: " ".join(arguments).replace("{} ", ""),
)
def test_what_needs_a_network_says_that_there_is_none(
    weights: str, arguments: tuple, cnninspect_: Callable
) -> None:
    code, out, err = cnninspect_(*(part.format(weights) for part in arguments))
    assert (code, out) == (2, "")
    assert "it is a checkpoint, which holds weights and no network" in err
    assert f"cnninspect summary {weights} shows its tensors" in err


@pytest.mark.parametrize(
    ("content", "code", "expected"),
    [
        (b"", 1, "it is empty"),
        (b"<html>not found</html>", 1, "a web page"),
        (None, 2, "there is no file"),
    ],
)
def test_a_file_that_is_none_is_one_clear_error(
    tmp_path: Path, content: bytes | None, code: int, expected: str, cnninspect_: Callable
) -> None:
    path = tmp_path / "odd.ckpt"
    if content is not None:
        path.write_bytes(content)
    left, out, err = cnninspect_("summary", str(path))
    assert (left, out) == (code, "")
    assert expected in err


def test_from_python_the_table_comes_back(weights: str) -> None:
    report = cnninspect.summarize(weights)
    assert isinstance(report, Checkpoint)
    assert [tensor.name for tensor in report.tensors][:2] == ["0.weight", "0.bias"]
    assert "8×3×3×3" in report._repr_html_()
    with pytest.raises(BadReference):
        cnninspect.summarize(weights, (1, 3, 8, 8))


def test_a_program_in_a_file_with_such_a_suffix_is_still_run(
    tmp_path: Path, cnninspect_: Callable
) -> None:
    with pytest.warns((DeprecationWarning, FutureWarning), match="torch.jit.script"):
        torch.jit.script(nn.Linear(6, 5)).save(str(tmp_path / "program.pt"))
    code, out, _ = cnninspect_("summary", str(tmp_path / "program.pt"), "--input", "6")
    assert code == 0
    assert "30" in out
