"""How a command ends: each way has its exit code, and what stands on stderr."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from cnninspect.commands import application
from cnninspect.errors import CnnInspectError, OverBudget, UnknownModel


@pytest.fixture
def ending(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Any], tuple[object, str]]:
    """Exit code and stderr of a command that returns something, or raises it."""

    def end(with_: Any) -> tuple[object, str]:
        def command(*_: object, **__: object) -> Any:
            if isinstance(with_, BaseException):
                raise with_
            return with_

        monkeypatch.setattr(application, "application", lambda *_: command)
        monkeypatch.setattr(application, "drop_output", lambda: None)
        with pytest.raises(SystemExit) as left:
            application.run(["list"])
        return left.value.code, capsys.readouterr().err

    return end


@pytest.mark.parametrize(
    ("with_", "code", "said"),
    [
        (None, 0, ""), (0, 0, ""), (3, 3, ""), ("text", 0, ""),
        (BrokenPipeError(), 0, ""), (KeyboardInterrupt(), 130, "stopped\n"),
        (typer.Abort(), 130, "stopped\n"),
        (CnnInspectError("it went wrong"), 1, "error: it went wrong\n"),
        (UnknownModel("resnt", ("resnet18",)), 2, "error: "), (OverBudget(1, 2), 3, "error: "),
        (RuntimeError("odd"), 1, "hint: this is a defect of cnninspect"),
        (OSError(errno.ENOSPC, "No space left"), 1, "cannot write to standard output"),
        (OSError(errno.ENOENT, "No such file", "x"), 1, "hint: this is a defect of cnninspect"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)  # fmt: skip
def test_every_end_has_its_code(
    ending: Callable[..., Any], with_: Any, code: int, said: str
) -> None:
    found, err = ending(with_)
    assert found == code
    assert said in err
    assert bool(err) is bool(said)


@pytest.mark.parametrize(
    ("set_to", "is_terminal", "colored"),
    [(None, True, True), ("1", True, False), ("", True, True), (None, False, False)],
)
def test_errors_are_coloured_on_terminals_unless_nobody_wants_that(
    ending: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, set_to: str | None,
    is_terminal: bool, colored: bool,
) -> None:  # fmt: skip
    monkeypatch.delenv("NO_COLOR", raising=False)
    if set_to is not None:
        monkeypatch.setenv("NO_COLOR", set_to)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    _, err = ending(CnnInspectError("it went wrong"))
    assert err == ("\x1b[31merror:\x1b[0m it went wrong\n" if colored else "error: it went wrong\n")


# --- the answers of checks and comparisons ---

UNKNOWN = """
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return torch.fft.fft(self.linear(x)).real
"""


@pytest.mark.parametrize(
    ("models", "code"),
    [
        ('[models.mlp]\nmax_params = "1M"', 0),
        ('[models.mlp]\nmax_params = "1k"', 3),
        ('[models.mlp]\nmax_params = "1M"\n[models.nosuch]\nmax_params = "1M"', 1),
        ('[models.mlp]\nmax_params = "1k"\n[models.nosuch]\nmax_params = "1M"', 3),
    ],
    ids=["kept", "broken", "one failed", "both"],
)
@pytest.mark.parametrize("written_as", ["table", "json", "github"])
def test_a_check_passes_only_if_all_is_measured_and_kept(
    cnninspect_: Callable[..., Any], tmp_path: Path, models: str, code: int, written_as: str
) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(models)
    assert cnninspect_("check", "--budget", str(file), "--format", written_as).code == code


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 3)])
@pytest.mark.parametrize("command", [("summary",), ("compare",)], ids=lambda c: c[0])
def test_operations_that_nobody_can_count_are_an_answer_only_if_it_is_strict(
    cnninspect_: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...], strict: tuple[str, ...], code: int,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("odd.py").write_text(UNKNOWN)
    done = cnninspect_(*command, "odd.py:Odd", "--input", "2x3", *strict)
    assert done.code == code, done.err
    assert ("aten._fft_r2c" in done.err or "fft" in done.err) is bool(strict)


def test_strict_is_kept_where_everything_is_counted(cnninspect_: Callable[..., Any]) -> None:
    assert cnninspect_("compare", "mlp", "lenet5", "--strict").code == 0


def test_a_comparison_with_a_model_that_failed_fails(cnninspect_: Callable[..., Any]) -> None:
    assert cnninspect_("compare", "mlp", "nosuch").code == 1
    assert cnninspect_("compare", "nosuch", "nosuch2").code == 1
