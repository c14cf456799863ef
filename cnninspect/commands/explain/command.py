"""`cnninspect explain MODEL LAYER`: where one layer's numbers come from."""

from __future__ import annotations

from typing import Annotated

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import check_output, show, waiting

EXAMPLES = (
    ("cnninspect explain resnet34 conv1", "The formula of one layer, with its numbers put in"),
    ("cnninspect explain resnet34 layer1.0", "A block, and what is in it"),
    ("cnninspect explain net.py:Net head --input 3x64x64", "A layer of your own network"),
)


def explain(
    model: options.Model,
    layer: Annotated[
        str, typer.Argument(help="Path of the layer, as the summary shows it: layer1.0.conv1.")
    ],
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    every: Annotated[
        bool,
        typer.Option("--all", help="Show free operations, too.", rich_help_panel=options.LOOKS),
    ] = False,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """One layer's numbers, each with its formula and the numbers put into it."""
    from cnninspect.commands.explain import explain

    check_output(output, force=force)
    with waiting(model, quiet=False):
        report = explain(model, layer, inputs=parse_inputs(input), mode=mode.value, batch=batch)
    show(report, format=format, output=output, force=force, human=human, every=every)
