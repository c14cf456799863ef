"""`cnninspect list [PATTERN]`: what can be named."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.output import check_output, show

EXAMPLES = (
    ("cnninspect list 'resnet*'", "Every name that fits a pattern"),
    ("cnninspect list --family densenet", "A family, its papers and its settings"),
    ("cnninspect list --source timm 'convnext*'", "What a library has"),
)


def list_models(
    pattern: Annotated[
        str, typer.Argument(help="A part of the name, or a pattern such as 'resnet*'.")
    ] = "*",
    family: Annotated[
        Optional[str],
        typer.Option("--family", help="Only this family, with its settings.", show_default=False),
    ] = None,
    source: Annotated[
        Optional[str],
        typer.Option("--source", help="Only this source.", show_default=False),
    ] = None,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    debug: options.Debug = False,
) -> None:
    """What can be named: family, parameters, year and paper of each."""
    from cnninspect.commands.list import models

    check_output(output, force=force)
    report = models(pattern, source=source, family=family)
    show(report, format=format, output=output, force=force, human=human)
