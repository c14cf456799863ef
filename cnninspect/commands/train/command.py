"""`cnninspect train MODEL…`: small, honest training, with curves of what was held out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_columns, parse_inputs
from cnninspect.commands.output import check_output, check_picture, progress_bar, show, write_whole
from cnninspect.errors import BadOption, Diverged

LEARNS = "How it learns"

EXAMPLES = (
    ("cnninspect train mlp --epochs 2", "Small training on scikit-learn's digits"),
    (
        "cnninspect train plain20 resnet20 --input 3x8x8 --epochs 5 --plot curves.png",
        "Two networks, and their curves",
    ),
    (
        "cnninspect train net.py:Net --data images/ -o net.safetensors",
        "On a folder with a folder of images for each class",
    ),
)


def train(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL…",
            help="One reference or several: resnet20, plain56@num_classes=5, net.py:make, …",
            show_default=False,
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="digits|DIR|FILE.npz",
            help="scikit-learn's digits, a folder with a folder of images for each class (or with "
            "train and val), or arrays x and y.",
            rich_help_panel=options.RUNS,
        ),
    ] = "digits",
    input: options.Input = None,  # noqa: A002
    held_out: Annotated[
        float,
        typer.Option(
            "--held-out", help="Share of each class kept back.", rich_help_panel=options.RUNS
        ),
    ] = 0.2,
    epochs: Annotated[
        int, typer.Option("--epochs", "-e", min=1, help="Times through it.", rich_help_panel=LEARNS)
    ] = 10,
    batch: Annotated[
        int,
        typer.Option(
            "--batch", "-b", min=2, help="Examples to a step.", rich_help_panel=options.COMMON
        ),
    ] = 64,
    optimizer: Annotated[
        str,
        typer.Option(
            "--optimizer",
            help="sgd, momentum, adagrad, rmsprop, adam or adamw.",
            rich_help_panel=LEARNS,
        ),
    ] = "adam",
    lr: Annotated[
        Optional[float],
        typer.Option(
            "--lr",
            metavar="X",
            help="Learning rate; else 0.1 for sgd and momentum, 0.01 for adagrad and rmsprop, "
            "0.001 for adam and adamw.",
            rich_help_panel=LEARNS,
            show_default=False,
        ),
    ] = None,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            help="constant, step (a tenth after 1/2 and 3/4) or cosine.",
            rich_help_panel=LEARNS,
        ),
    ] = "constant",
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", help="L2 penalty.", rich_help_panel=LEARNS)
    ] = 0.0,
    l1: Annotated[float, typer.Option("--l1", help="L1 penalty.", rich_help_panel=LEARNS)] = 0.0,
    label_smoothing: Annotated[
        float,
        typer.Option("--label-smoothing", help="Shared by all classes.", rich_help_panel=LEARNS),
    ] = 0.0,
    augment: Annotated[
        Optional[str],
        typer.Option(
            "--augment",
            metavar="flip,shift",
            help="Images mirrored or moved by chance.",
            rich_help_panel=LEARNS,
            show_default=False,
        ),
    ] = None,
    patience: Annotated[
        Optional[int],
        typer.Option(
            "--patience",
            metavar="N",
            min=1,
            help="Stop after N epochs without a lower held-out loss; keep the best.",
            rich_help_panel=LEARNS,
            show_default=False,
        ),
    ] = None,
    weights: options.LoadWeights = None,
    init: options.Init = "default",
    freeze: options.Freeze = None,
    unfreeze: options.Unfreeze = None,
    set_head: options.SetHead = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, help="Of weights, order, augmentation.", rich_help_panel=options.STARTS
        ),
    ] = 0,
    device: Annotated[
        str,
        typer.Option("--device", help="cpu, cuda, mps or auto.", rich_help_panel=options.RUNS),
    ] = "cpu",
    dtype: Annotated[
        str,
        typer.Option("--dtype", help="float32, float64 or bfloat16.", rich_help_panel=options.RUNS),
    ] = "float32",
    amp: Annotated[
        bool,
        typer.Option("--amp", help="In bfloat16 where that is safe.", rich_help_panel=options.RUNS),
    ] = False,
    by_parameter: Annotated[
        bool,
        typer.Option(
            "--by-parameter",
            help="Show the optimizer's step for each parameter tensor, by epoch.",
            rich_help_panel=LEARNS,
        ),
    ] = False,
    output: Annotated[
        Optional[Path],
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the weights: .safetensors or .pth.",
            rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Optional[Path],
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Written whole after each epoch; --resume goes on from it.",
            rich_help_panel=options.WRITES,
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the checkpoint.", rich_help_panel=options.WRITES),
    ] = False,
    plot: Annotated[Optional[Path], options.plot_option("Draw the curves")] = None,
    report_to: Annotated[
        Optional[Path],
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write the report to a file.",
            rich_help_panel=options.WRITES,
            show_default=False,
        ),
    ] = None,
    format: options.OutputFormat = "table",  # noqa: A002
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Small training on real data: accuracy on what is held out by epoch, and how well it fits."""
    from cnninspect.commands.train import train as train_models

    if resume and checkpoint is None:
        raise BadOption("--resume", "", "used with --checkpoint FILE")
    for file in (output, report_to):
        check_output(file, force=force)
    check_picture(plot, force=force)
    if checkpoint is not None and not resume:
        check_output(checkpoint, force=force)
    with progress_bar(models[0], quiet=quiet) as progress:
        report = train_models(
            models,
            parse_inputs(input),
            head=set_head,
            output=output,
            checkpoint=checkpoint,
            resume=resume,
            force=force,
            progress=progress,
            data=data,
            held_out=held_out,
            epochs=epochs,
            batch=batch,
            optimizer=optimizer,
            lr=lr,
            schedule=schedule,
            weight_decay=weight_decay,
            l1=l1,
            label_smoothing=label_smoothing,
            augment=parse_columns(augment),
            patience=patience,
            weights=None if weights is None else str(weights),
            init=init,
            freeze=tuple(freeze or ()),
            unfreeze=tuple(unfreeze or ()),
            seed=seed,
            device=device,
            dtype=dtype,
            amp=amp,
            by_parameter=by_parameter,
        )
    show(report, format=format, output=report_to, force=force, quiet=quiet)
    if plot is not None:
        from cnninspect.commands.train.rendering import picture
        from cnninspect.page.plots import format_of

        write_whole(plot, picture(report, format_of(plot)), force=force)
    if not quiet:
        for written in (plot, report.models[0].weights):
            if written is not None:
                typer.echo(f"wrote {written}", err=True)
    for model in report.models:
        if model.stop.reason == "not finite":
            stop = model.stop
            raise Diverged(model.model.name, epoch=stop.epoch, step=stop.step, layer=stop.layer)
