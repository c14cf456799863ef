"""`cnninspect activations MODEL…`: what flows through the layers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import (
    check_output,
    check_picture,
    progress_bar,
    say_written,
    show,
    write_whole,
)

TRAINING = "Training steps"

EXAMPLES = (
    ("cnninspect activations resnet20 --batch 4", "Mean, deviation and zeros of each layer"),
    (
        "cnninspect activations plain20@norm=none --init normal:0.01 --batch 4",
        "What a bad start does",
    ),
    (
        "cnninspect activations shallow_cnn shallow_cnn@pool=none --data digits --shift 4",
        "How far outputs move when the images do",
    ),
)


def activations(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL…", help="One reference or several: plain20 resnet20, lstm, …",
            show_default=False,
        ),
    ],
    input: options.Input = None,  # noqa: A002
    batch: Annotated[
        int,
        typer.Option("--batch", "-b", min=1, help="Examples in a batch.",
                     rich_help_panel=options.COMMON),
    ] = 8,
    mode: Annotated[
        str,
        typer.Option("--mode", help="Run as in training (train) or in testing (eval).",
                     rich_help_panel=options.RUNS),
    ] = "train",
    data: options.Data = "random",
    device: Annotated[
        str, typer.Option("--device", help="cpu, cuda, mps or auto.", rich_help_panel=options.RUNS)
    ] = "cpu",
    dtype: Annotated[
        str,
        typer.Option("--dtype", help="float32, float64 or bfloat16.", rich_help_panel=options.RUNS),
    ] = "float32",
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, help="Of weights and data.", rich_help_panel=options.STARTS),
    ] = 0,
    init: options.Init = "default",
    weights: options.LoadWeights = None,
    steps: Annotated[
        int, typer.Option("--steps", min=0, help="Steps of training.", rich_help_panel=TRAINING)
    ] = 0,
    every: Annotated[
        Optional[int],
        typer.Option(
            "--every", metavar="K", min=1, help="Look at every K-th of them.",
            rich_help_panel=TRAINING, show_default=False,
        ),
    ] = None,
    optimizer: Annotated[
        str,
        typer.Option(
            "--optimizer", help="sgd, momentum, adagrad, rmsprop, adam or adamw.",
            rich_help_panel=TRAINING,
        ),
    ] = "sgd",
    lr: Annotated[
        Optional[float],
        typer.Option(
            "--lr", metavar="X", help="Learning rate; else the optimizer's own.",
            rich_help_panel=TRAINING, show_default=False,
        ),
    ] = None,
    shift: Annotated[
        int,
        typer.Option(
            "--shift", metavar="N", min=0,
            help="Move the images by 1 to N pixels, and see how far each output moves.",
            rich_help_panel=options.RUNS,
        ),
    ] = 0,
    plot: Annotated[Optional[Path], options.plot_option("Draw it by depth")] = None,
    rows: Annotated[Optional[str], options.rows_option("Layers")] = None,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """Mean, deviation, zeros, dead channels and saturation of each layer; blocks and gates."""
    from cnninspect.commands.activations import activations as watched

    most = options.parse_most(rows, "--rows", usual=40)
    check_output(output, force=force)
    check_picture(plot, force=force)
    with progress_bar(models[0], quiet=quiet) as progress:
        report = watched(
            models,
            parse_inputs(input),
            shift=shift,
            progress=progress,
            batch=batch,
            mode=mode,
            data=data,
            device=device,
            dtype=dtype,
            seed=seed,
            init=init,
            weights=None if weights is None else str(weights),
            steps=steps,
            every=every,
            optimizer=optimizer,
            lr=lr,
        )
    show(report, format=format, output=output, force=force, quiet=quiet, rows=most)
    if plot is not None:
        from cnninspect.commands.activations.plot import picture
        from cnninspect.page.plots import format_of

        write_whole(plot, picture(report, format_of(plot)), force=force)
        say_written(plot, quiet=quiet)
