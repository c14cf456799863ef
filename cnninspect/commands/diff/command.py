"""`cnninspect diff OLD NEW`: which layers or tensors differ."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import check_output, show, waiting

DIFFERENT = 1
"""The exit code of `--exit-code`, as of git."""

EXAMPLES = (
    ("cnninspect diff resnet18 se_resnet18", "What was added, and what that costs"),
    ("cnninspect diff net.py:Net --base HEAD~1", "Your network against what it was a commit ago"),
    ("cnninspect diff resnet18 checkpoint.pth", "Which tensors of a file do not fit a network"),
)


def diff(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD", help="A reference of any kind, or a file of weights.", show_default=False
        ),
    ],
    new: Annotated[
        Optional[str],
        typer.Argument(
            metavar="[NEW]",
            help="What it is held against; with --base it may be left out.",
            show_default=False,
        ),
    ] = None,
    base: Annotated[
        Optional[str],
        typer.Option(
            "--base",
            metavar="REVISION",
            help="Take OLD as it was at a revision of git, as OLD@{REVISION} does; alone against "
            "what it is.",
            show_default=False,
        ),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 where they differ, as git does.")
    ] = False,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every row: each renamed layer, layers with other shapes only, all tensors.",
            rich_help_panel=options.LOOKS,
        ),
    ] = False,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Which layers were added, removed, renamed, changed; or which tensors of a file do not fit."""
    from cnninspect.commands.diff import diff

    check_output(output, force=force)
    with waiting(f"{old} and {new}", quiet=quiet):
        report = diff(old, new, parse_inputs(input), base=base, batch=batch, mode=mode.value)
    show(
        report,
        format=format,
        output=output,
        force=force,
        quiet=quiet,
        human=human,
        every=every,
    )
    if exit_code and not report.is_empty:
        raise typer.Exit(DIFFERENT)
