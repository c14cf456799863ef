"""The application: all commands, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cnninspect.commands import COMMANDS, completion
from cnninspect.commands.defaults import defaults_of, read_defaults
from cnninspect.commands.help.topics import TOPICS
from cnninspect.commands.manual import Entry, Manual, Panel, examples_of, help_text, manual_of
from cnninspect.commands.output import drop_output, has_color, prepare_streams, printable, width
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


EXAMPLES = (
    ("cnninspect summary resnet34", "A network layer by layer"),
    ("cnninspect compare resnet34 torchvision:resnet50 net.py:Net", "Models side by side"),
    ("cnninspect help references", "What can be named: libraries, your own code, files"),
)


def cnninspect(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Inspect and analyse neural networks: shapes, parameters, MACs, gradients, budgets, ONNX."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


class Command(TyperCommand):
    """A command whose help opens with a sentence and examples, and whose defaults files may set."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take arguments apart; what is not typed is as files of defaults say.  See `defaults`."""
        asks_for_help = ctx.info_name == "help" or {"-h", "--help"} & set(args)
        if not ctx.resilient_parsing and not asks_for_help:
            ctx.default_map = defaults_of(ctx.info_name, self.params, read_defaults())
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; see `manual`."""
        manual = manual_of_command(self, ctx.info_name)
        formatter.write(printable(help_text(manual, width=width(), color=has_color())))


class Group(TyperGroup):
    """All commands, under one name."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the help of the whole; see `manual`."""
        text = help_text(manual_of_all(self), width=width(), color=has_color())
        formatter.write(printable(text))


def manual_of_command(command: Any, name: str) -> Manual:
    """What is to be said of one command."""
    place = COMMANDS[name]
    module, _, function = place.partition(":")
    made_by = getattr(import_module(module), function)
    return manual_of(command, f"cnninspect {name}", made_by, examples_of(place))


def manual_of_all(group: Any) -> Manual:
    """What is to be said of the command line as a whole."""
    whole = manual_of(group, "cnninspect", cnninspect, EXAMPLES)
    listed = tuple(
        Entry(name, manual_of_command(group.commands[name], name).sentence) for name in COMMANDS
    )
    *topics, last = TOPICS
    ends = (
        "cnninspect COMMAND --help explains a command, cnninspect help TOPIC what concerns all: "
        f"{', '.join(topics)} and {last}.",
    )
    return replace(
        whole,
        usage="[OPTIONS] COMMAND [ARGUMENTS]",
        more=ends,
        panels=(Panel("Commands", listed), *whole.panels),
    )


def application(typed: Sequence[str] = ()) -> typer.Typer:
    """What typer runs: every command of the table, or only the one that was typed.

    The others take longer to be imported than a command whose answer is remembered takes to give
    it.  Help, completion and names that are wrong need them all.
    """
    made = typer.Typer(
        name="cnninspect",
        cls=Group,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(cnninspect)
    tabbed = completion.is_asked()
    for name, place in _asked_for(typed).items():
        module, _, function = place.partition(":")
        asked = getattr(import_module(module), function)
        made.command(name, cls=Command)(completion.completing(asked) if tabbed else asked)
    return made


def _asked_for(typed: Sequence[str]) -> dict[str, str]:
    if typed and typed[0] in COMMANDS:
        return {typed[0]: COMMANDS[typed[0]]}
    return COMMANDS


def run(arguments: list[str] | None = None) -> None:
    """Run what was typed and exit: 0 done, 1 failed, 2 typed wrongly, 3 the answer is no."""
    prepare_streams()
    if completion.is_asked():
        completion.answer(application())
        return
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
