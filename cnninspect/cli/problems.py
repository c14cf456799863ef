"""What becomes of an error: a sentence and a hint on stderr, and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

from cnninspect.errors import CnnInspectError, RunFailed

if TYPE_CHECKING:
    from cnninspect.records.traces import Trace

MOST_ROWS = 10
"""Layers shown of those that ran before one failed."""


def report_problem(problem: Exception, *, debug: bool) -> int:
    """Say on stderr what went wrong and what to type next; returns the exit code."""
    if debug:
        traceback.print_exception(problem)
    if isinstance(problem, CnnInspectError):
        message, hint, code = str(problem), problem.hint, problem.exit_code
        if isinstance(problem, RunFailed) and problem.trace is not None:
            _print(_rows_so_far(problem.trace))
    elif hasattr(problem, "format_message") and hasattr(problem, "exit_code"):
        # A usage error of the command-line library, whose class moved between its versions.
        context = getattr(problem, "ctx", None)
        message, code = problem.format_message(), problem.exit_code
        hint = f"{context.command_path} --help" if context else "cnninspect --help"
    else:
        message = f"unexpected {type(problem).__name__}: {problem}"
        hint, code = "this is a defect of cnninspect; --debug shows where", 1
    _say("error", message, "31")
    if hint:
        _say("hint", hint, "36")
    return code


def _say(label: str, text: str, color: str) -> None:
    colored = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    label = f"\x1b[{color}m{label}:\x1b[0m" if colored else f"{label}:"
    _print(f"{label} {_printable(text)}")


def _rows_so_far(trace: Trace) -> str:
    """The layers that had returned, the last ones, with what they returned; empty if none had."""
    parents = {layer.path.rpartition(".")[0] for layer in trace.layers if layer.path}
    ran = [layer for layer in trace.layers if layer.outputs and layer.path not in parents]
    if not ran:
        return ""
    rows = [
        (_printable(layer.path), _printable(layer.type), "×".join(map(str, layer.outputs[0].shape)))
        for layer in ran[-MOST_ROWS:]
    ]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths)).rstrip() for row in rows]
    left_out = len(ran) - len(rows)
    head = f"ran before it failed{f' ({left_out} earlier layers left out)' if left_out else ''}:"
    return "\n  ".join([head, *lines])


def _print(text: str) -> None:
    if text:
        print(text, file=sys.stderr)  # noqa: T201


def _printable(text: str) -> str:
    """The text without control characters, which could come from a model's names."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text
    )
