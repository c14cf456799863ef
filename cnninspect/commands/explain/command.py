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
    ("cnninspect explain resnet34 maxpool --backward", "How a gradient goes back through a layer"),
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
    backward: Annotated[
        bool,
        typer.Option(
            "--backward",
            help="How a gradient goes back through it: formulas, and a small example.",
            rich_help_panel=options.COMMON,
        ),
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
        report = explain(
            model, layer, parse_inputs(input), mode=mode.value, batch=batch, backward=backward
        )
    show(report, format=format, output=output, force=force, human=human, every=every)
