"""How wide output is, and in which characters, by the place that it goes to."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cnninspect.commands.application import run
from cnninspect.commands.output import has_color

MANY = "path,type,input,output,kernel,parameters,macs,receptive_field,matrix"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, str]]:
    """Types a command where stdout and stderr have that encoding; gives what they got."""

    def type_command(encoding: str, *arguments: str, read_as: str = "") -> tuple[str, str]:
        files = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", files[0])
        monkeypatch.setattr(sys, "stderr", files[1])
        with pytest.raises(SystemExit):
            run(list(arguments))
        for file in files:
            file.flush()
        out, err = (file.buffer.getvalue() for file in files)  # type: ignore[attr-defined]
        return out.decode(read_as or encoding), err.decode(encoding)

    return type_command


def test_a_table_in_ascii(typed: Callable[..., tuple[str, str]]) -> None:
    out, err = typed("ascii", "summary", "lenet5_modern", "--level", "1")
    assert err == ""
    assert "1x1x32x32" in out
    assert "|- features" in out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_an_error_and_help_in_other_encodings(
    typed: Callable[..., tuple[str, str]], encoding: str
) -> None:
    _, err = typed(encoding, "summary", "lenet5_modern", "--input", "3x32x32")
    assert "wants N" in err
    assert "unexpected" not in err
    out, err = typed(encoding, "summary", "--help")
    assert "net.py:make, ..." in out
    assert err == ""


def test_data_are_utf_8_whatever_the_terminal(typed: Callable[..., tuple[str, str]]) -> None:
    budget = ("check", "lenet5_modern", "--max-macs", "1k")
    out, _ = typed("ascii", *budget, "--format", "junit", read_as="utf-8")
    assert "≤ 1,000" in out
    out, _ = typed("latin-1", *budget, "--format", "json", read_as="utf-8")
    assert json.loads(out)["ok"] is False


def test_columns_that_were_asked_for_are_there_in_a_pipe(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    out = cnninspect_("summary", "resnet18", "--level", "1", "--columns", MANY).out
    assert "64×147 · 147×12544" in out
    assert "no room" not in out
    file = tmp_path / "table.txt"
    cnninspect_("summary", "resnet18", "--level", "1", "--columns", MANY, "-o", str(file))
    assert file.read_text(encoding="utf-8") == out


def test_a_width_that_was_asked_for_is_kept(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = ("summary", "resnet18", "--level", "1", "--columns", MANY)
    out = cnninspect_(*command).out
    assert max(map(len, out.splitlines())) <= 80
    told = " ".join(out.split())
    assert "no room at 80 columns for macs, receptive_field, matrix; a larger COLUMNS" in told
    file = tmp_path / "table.txt"
    cnninspect_(*command, "-o", str(file))
    assert file.read_text(encoding="utf-8") == out


class Terminal(io.StringIO):
    """A place that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert not has_color()
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert has_color()
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.delenv("FORCE_COLOR")
    assert has_color()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_color()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not has_color()
