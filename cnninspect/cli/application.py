"""The application: all commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from cnninspect.cli.output import spell_what_is_missing
from cnninspect.cli.problems import report_problem
from cnninspect.version import __version__

COMMANDS = (
    "summary",
    "list",
    "explain",
    "compare",
    "find",
    "check",
    "diff",
    "scale",
    "gradients",
    "memory",
    "export",
    "audit",
)
"""In the order in which `--help` shows them; each is a module of this package."""

app = typer.Typer(
    name="cnninspect",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
"""What typer runs."""


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cnninspect {__version__}")
        raise typer.Exit


@app.callback()
def cnninspect(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Inspect and analyse neural networks: shapes, parameters, MACs, gradients, budgets, ONNX."""


for _name in COMMANDS:
    import_module(f"cnninspect.cli.{_name}_command").add_to(app)


def run(arguments: list[str] | None = None) -> None:
    """Run what was typed and exit: 0 done, 1 failed, 2 typed wrongly, 3 the answer is no."""
    spell_what_is_missing()
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(arguments, prog_name="cnninspect", standalone_mode=False)
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python must not complain about it on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("stopped", err=True)
        code = 130
    except Exception as problem:
        code = report_problem(problem, debug=debug)
    sys.exit(code if isinstance(code, int) else 0)
