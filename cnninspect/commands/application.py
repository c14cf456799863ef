"""The application: all commands, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from cnninspect.commands import COMMANDS
from cnninspect.commands.output import drop_output, prepare_streams
from cnninspect.errors import LONGEST, CnnInspectError, RunFailed
from cnninspect.page.escaping import visible
from cnninspect.page.quantities import sizes
from cnninspect.version import __version__

if TYPE_CHECKING:
    from cnninspect.records.traces import Trace


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cnninspect {__version__}")
        raise typer.Exit


def cnninspect(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Inspect and analyse neural networks: shapes, parameters, MACs, gradients, budgets, ONNX."""


def application(typed: Sequence[str] = ()) -> typer.Typer:
    """What typer runs: every command of the table, or only the one that was typed.

    The others take longer to be imported than a command whose answer is remembered takes to give
    it.  Help, completion and names that are wrong need them all.
    """
    made = typer.Typer(
        name="cnninspect",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(cnninspect)
    for name, place in _asked_for(typed).items():
        module, _, function = place.partition(":")
        made.command(name)(getattr(import_module(module), function))
    return made


def _asked_for(typed: Sequence[str]) -> dict[str, str]:
    if typed and typed[0] in COMMANDS:
        return {typed[0]: COMMANDS[typed[0]]}
    return COMMANDS


def run(arguments: list[str] | None = None) -> None:
    """Run what was typed and exit: 0 done, 1 failed, 2 typed wrongly, 3 the answer is no."""
    prepare_streams()
    typed = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in typed
    try:
        code = application(typed)(arguments, prog_name="cnninspect", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()  # whoever read it has seen enough
        code = 0
    except (KeyboardInterrupt, typer.Abort):
        report_stop()
        code = 130
    except Exception as problem:
        code = report_problem(problem, debug=debug)
        try:
            sys.stdout.flush()
        except OSError:
            drop_output()  # it has been told
    sys.exit(code if isinstance(code, int) else 0)


MOST_ROWS = 10
"""Layers shown of those that ran before one failed."""
UNWRITTEN = (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, errno.EDQUOT)
"""What the system says of an output that is closed or full."""


def report_problem(problem: Exception, *, debug: bool) -> int:
    """Say on stderr what went wrong and what to type next; returns the exit code."""
    if debug:
        say_quoted("".join(traceback.format_exception(problem)))
    if isinstance(problem, CnnInspectError):
        message, hint, code = str(problem), problem.hint, problem.exit_code
        if isinstance(problem, RunFailed) and problem.trace is not None:
            _print(_rows_so_far(problem.trace))
    elif hasattr(problem, "format_message") and hasattr(problem, "exit_code"):
        # A usage error of the command-line library, whose class moved between its versions.
        context = getattr(problem, "ctx", None)
        message, code = problem.format_message(), problem.exit_code
        hint = f"{context.command_path} --help" if context else "cnninspect --help"
    elif isinstance(problem, OSError) and problem.filename is None and problem.errno in UNWRITTEN:
        message, code = f"cannot write to standard output: {problem.strerror}", 1
        hint = "-o writes to a file"
    else:
        message = f"unexpected {type(problem).__name__}: {problem}"
        hint, code = "this is a defect of cnninspect; --debug shows where", 1
    _say("error", message, "31")
    if hint:
        _say("hint", hint, "36")
    return code


def report_stop() -> None:
    """Say on stderr that somebody stopped the work."""
    _print("stopped")


def say_quoted(text: str) -> None:
    """Print somebody else's lines on stderr, each marked as such: none looks like one of ours."""
    _print("\n".join(f"| {visible(line)}" for line in text.splitlines()))


def _say(label: str, text: str, color: str) -> None:
    colored = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    label = f"\x1b[{color}m{label}:\x1b[0m" if colored else f"{label}:"
    shown = visible(text)
    _print(f"{label} {shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + '…'}")


def _rows_so_far(trace: Trace) -> str:
    """The layers that had returned, the last ones, with what they returned; empty if none had."""
    parents = {layer.path.rpartition(".")[0] for layer in trace.layers if layer.path}
    ran = [layer for layer in trace.layers if layer.outputs and layer.path not in parents]
    if not ran:
        return ""
    rows = [
        (visible(layer.path), visible(layer.type), sizes(layer.outputs[0].shape))
        for layer in ran[-MOST_ROWS:]
    ]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths)).rstrip() for row in rows]
    left_out = len(ran) - len(rows)
    head = f"ran before it failed{f' ({left_out} earlier layers left out)' if left_out else ''}:"
    return "\n  ".join([head, *lines])


def _print(text: str) -> None:
    if text:
        with suppress(OSError):  # nobody can be told that nobody can be told
            print(text, file=sys.stderr)  # noqa: T201
