"""What a command meets: closed and full outputs, odd settings of the environment, foreign text."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cnninspect.commands.application import run
from cnninspect.errors import CnnInspectError

COMMAND = [sys.executable, "-m", "cnninspect"]


def in_shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of a shell in which `$CNNINSPECT` is the command."""
    return subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, "CNNINSPECT": " ".join(COMMAND), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("$CNNINSPECT list lenet5 >&-", 1),
        ("$CNNINSPECT list lenet5 > /dev/full", 1),
        ("$CNNINSPECT --help > /dev/full", 1),
        ("$CNNINSPECT list lenet5 -o names.txt >&-", 0),
    ],
)
def test_an_output_that_is_closed_or_full_is_one_clear_error(
    tmp_path: Path, line: str, code: int
) -> None:
    done = in_shell(line, tmp_path)
    assert done.returncode == code
    lines = done.stderr.splitlines()
    assert [text.split()[0] for text in lines] == (["error:", "hint:"] if code else ["wrote"])
    assert not code or "cannot write to standard output" in lines[0]


def test_remarks_are_lost_rather_than_printed_among_data_where_stderr_is_closed(
    tmp_path: Path,
) -> None:
    done = in_shell("$CNNINSPECT list lenet5 -o names.txt 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "lenet5" in (tmp_path / "names.txt").read_text()


@pytest.mark.parametrize("columns", ["9" * 5000, "²", "-1", "x"])
def test_a_width_that_is_none_is_as_if_it_were_not_set(tmp_path: Path, columns: str) -> None:
    usual = in_shell("$CNNINSPECT list lenet5; $CNNINSPECT list --help", tmp_path)
    odd = in_shell(
        "$CNNINSPECT list lenet5; $CNNINSPECT list --help",
        tmp_path,
        COLUMNS=columns,
        LINES=columns,
        TERMINAL_WIDTH=columns,
    )
    assert (odd.returncode, odd.stdout, odd.stderr) == (0, usual.stdout, "")


FORGED = "a\n::error file=x.py::forged\nhint: run this\x1b[31m\u202e"


def lines_of_ours(text: str) -> list[str]:
    """What each line of stderr begins with."""
    return [line.split(" ")[0] for line in text.splitlines()]


def test_a_name_in_a_file_forges_no_line_of_an_error(cnninspect_: Callable, tmp_path: Path) -> None:
    header = json.dumps({FORGED: {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    done = cnninspect_("summary", str(path))
    assert done.code == 1
    assert r"a\x0a::error file=x.py::forged\x0ahint: run this\x1b[31m\u202e" in done.err
    assert lines_of_ours(done.err) == ["error:", "hint:"]


def test_a_typed_name_forges_no_line_of_an_error(cnninspect_: Callable) -> None:
    assert lines_of_ours(cnninspect_("summary", FORGED).err) == ["error:", "hint:"]


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_layers_that_ran_and_tracebacks_forge_no_line(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debug: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.add_module('::error::forged', nn.Linear(3, 3))\n"
        "        self.add_module('b', nn.Linear(4, 4))\n"
        "    def forward(self, x):\n"
        "        for layer in self.children():\n"
        "            x = layer(x)\n"
        "        raise ValueError('a\\n::error::forged\\nhint: x')\n"
    )
    done = cnninspect_("summary", "net.py:Net", "--input", "1x3", *debug)
    assert done.code == 1
    assert "forged" in done.err
    assert not re.search(r"(?m)^\s*::|^hint: x", done.err)


def test_what_an_error_says_is_cut_where_it_is_endless(
    cnninspect_: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise CnnInspectError("x" * 1_000_000)

    monkeypatch.setattr("cnninspect.commands.application.application", lambda *_: fail)
    assert 1000 < len(cnninspect_("list").err) < 10_000


def test_somebody_who_stops_the_work_gets_the_code_of_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cnninspect.commands.application.application", lambda *_: interrupt)
    with pytest.raises(SystemExit) as left:
        run(["list"])
    assert left.value.code == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("bad", ["deep", "digits", "pipe", "device"])
def test_budgets_and_locks_are_checked_like_other_files(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, deep, digits in (
        ("budget.toml", "a=" + "[" * 100_000, "[models.lenet5]\nmax_params = " + "9" * 5000),
        ("a.lock", '{"models":' * 100_000, '{"schema":' + "9" * 5000 + "}"),
    ):
        if bad == "pipe":
            os.mkfifo(name)
        elif bad == "device":
            Path(name).symlink_to("/dev/zero")
        else:
            Path(name).write_text(deep if bad == "deep" else digits)
    for command in (
        ("check", "lenet5", "--budget", "budget.toml"),
        ("check", "lenet5", "--locked", "--lock", "a.lock"),
        ("check", "lenet5", "--write-lock", "--lock", "a.lock"),
    ):
        done = cnninspect_(*command)
        assert done.code in (1, 2), command
        assert "unexpected" not in done.err
        assert lines_of_ours(done.err)[:1] == ["error:"]


@pytest.mark.parametrize("shape", ['"x"', "[1, [32]]", "[null]", "{}"])
def test_a_lock_whose_shapes_are_none_is_damaged(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cnninspect_("check", "lenet5", "--write-lock", "--lock", "a.lock").code == 0
    content = json.loads(Path("a.lock").read_text())
    content["models"]["lenet5"]["inputs"][0]["shape"] = json.loads(shape)
    Path("a.lock").write_text(json.dumps(content))
    done = cnninspect_("check", "lenet5", "--locked", "--lock", "a.lock")
    assert done.code == 1
    assert "is damaged" in done.err


@pytest.mark.parametrize("bad", ["pipe", "device", "folder", "missing"])
def test_weights_are_checked_like_other_files(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if bad == "pipe":
        os.mkfifo("w.pth")
    elif bad == "device":
        Path("w.pth").symlink_to("/dev/zero")
    elif bad == "folder":
        Path("w.pth").mkdir()
    done = cnninspect_("summary", "lenet5", "--weights", "w.pth")
    assert done.code == (2 if bad == "missing" else 1)
    assert lines_of_ours(done.err) == ["error:", "hint:"]


READING = {
    "f.pth": (
        "summary lenet5 --weights f.pth", "weights f.pth", "evaluate lenet5 --weights f.pth",
        "train lenet5 --resume --checkpoint f.pth --epochs 1", "summary f.pth", "diff lenet5 f.pth",
    ),
    "f.npz": ("evaluate lenet5 --data f.npz", "summary lenet5 --input @f.npz"),
    "f.csv": ("evaluate --predictions f.csv",),
    "f.py": ("summary f.py:net",),
    "config.json": ("summary hf:config.json",),
    "f.onnx": ("summary f.onnx", "evaluate f.onnx"),
    "f.pt2": ("summary f.pt2",),
    "f.pt": ("summary f.pt",),
    "f.yaml": ("summary lenet5 --input f.yaml", "check --budget f.yaml"),
}  # fmt: skip
"""Commands by the file that they read."""


@pytest.mark.parametrize("bad", ["pipe", "device", "folder", "missing", "text"])
@pytest.mark.parametrize("line", [line for lines in READING.values() for line in lines])
def test_no_reader_waits_for_what_is_no_file(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, bad: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = next(name for name, lines in READING.items() if line in lines)
    if bad == "pipe":
        os.mkfifo(name)
    elif bad == "device":
        Path(name).symlink_to("/dev/zero")
    elif bad == "folder":
        Path(name).mkdir()
    elif bad == "text":
        Path(name).write_bytes(b"\0{,\x80\xff[")
    done = cnninspect_(*line.split())
    assert done.code in (1, 2)
    assert "unexpected" not in done.err
    assert lines_of_ours(done.err)[:1] == ["error:"]


LONG = "a" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ("summary", f"{LONG}.onnx"),
        ("summary", f"{LONG}.pt2"),
        ("summary", f"{LONG}.pth"),
        ("summary", f"hf:{LONG}"),
        ("summary", "hf:~nosuchuser_zz/x"),
        ("summary", "~nosuchuser_zz/x.onnx"),
        ("check", "--budget", LONG),
        ("check", "lenet5", "--locked", "--lock", LONG),
        ("summary", "lenet5", "-o", LONG),
        ("export", "lenet5", "-o", f"{LONG}.onnx"),
        ("gradients", "lenet5", "--data", LONG),
    ],
    ids=range(11),
)
def test_names_that_no_file_can_have(cnninspect_: Callable, arguments: tuple[str, ...]) -> None:
    done = cnninspect_(*arguments)
    assert done.code in (1, 2)
    assert "unexpected" not in done.err
    assert lines_of_ours(done.err) == ["error:", "hint:"]
