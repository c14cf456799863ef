"""`cnninspect explain MODEL LAYER`: where one layer's numbers come from."""

from __future__ import annotations

from typing import Annotated

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import check_output, show


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(explain)


def explain(
    model: options.Model,
    layer: Annotated[
        str, typer.Argument(help="Path of the layer, as the summary shows it: layer1.0.conv1.")
    ],
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    human: options.Human = False,
    format: options.OutputFormat = options.Format.TABLE,  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    debug: options.Debug = False,
) -> None:
    """One layer's numbers, each with its formula and the numbers put into it."""
    from cnninspect import api

    check_output(output, force=force)
    report = api.explain(model, layer, inputs=parse_inputs(input), mode=mode.value, batch=batch)
    show(report, format=format.value, output=output, force=force, human=human)
