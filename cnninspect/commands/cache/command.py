"""`cnninspect cache`: what is remembered, and how to forget it."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.output import check_output, show

EXAMPLES = (
    ("cnninspect cache", "What is remembered, and where"),
    ("cnninspect cache --top 5", "The five newest traces"),
    ("cnninspect cache clear", "Forget all of it"),
)


class Action(str, Enum):
    """What to do with what is remembered."""

    SHOW = "show"
    CLEAR = "clear"


def cache(
    action: Annotated[Action, typer.Argument(help="Show what is remembered, or forget it.")] = (
        Action.SHOW
    ),
    top: Annotated[
        Optional[int],
        typer.Option(
            "--top", metavar="N", help="So many traces, the newest. In tables 20, else all.",
            rich_help_panel=options.LOOKS, show_default=False,
        ),
    ] = None,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """What is remembered of named architectures: place, size, entries; or forget all of it."""
    from cnninspect.commands.cache import cache

    check_output(output, force=force)
    report = cache(clear=action is Action.CLEAR)
    show(report, format=format, output=output, force=force, quiet=quiet, human=human, top=top)
