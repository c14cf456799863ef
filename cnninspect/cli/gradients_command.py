"""`cnninspect gradients MODEL…`: how large the gradient is at each depth."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from cnninspect.cli import options
from cnninspect.cli.output import check_output, show, write_whole
from cnninspect.cli.parsing import parse_columns, parse_inputs
from cnninspect.cli.progress import progress_bar
from cnninspect.errors import BadOption, Unhealthy, UnknownChoice

if TYPE_CHECKING:
    from cnninspect.records.gradient_profile import GradientProfile

STARTS, TRAINING = "What it starts from", "Training steps"


class Loss(str, Enum):
    """What is differentiated."""

    AUTO = "auto"
    CROSS_ENTROPY = "cross-entropy"
    MSE = "mse"
    SUM = "sum"


class Device(str, Enum):
    """Where it is computed."""

    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"
    AUTO = "auto"


class Precision(str, Enum):
    """In which precision."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT64 = "float64"


class Optimizer(str, Enum):
    """What makes the steps."""

    SGD = "sgd"
    MOMENTUM = "momentum"
    ADAGRAD = "adagrad"
    RMSPROP = "rmsprop"
    ADAM = "adam"
    ADAMW = "adamw"


class Axis(str, Enum):
    """Along what the gradient is followed."""

    DEPTH = "depth"
    TIME = "time"


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(gradients)


def gradients(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL…",
            help="One reference or several: resnet34 plain34, torchvision:resnet50, net.py:make, …",
            show_default=False,
        ),
    ],
    input: options.Input = None,  # noqa: A002
    batch: Annotated[
        Optional[int],
        typer.Option(
            "--batch",
            "-b",
            min=1,
            help="Examples in a batch. 8, unless --input holds the batch.",
            rich_help_panel=options.RUNS,
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        options.Mode,
        typer.Option(
            "--mode", help="Run as in training or in testing.", rich_help_panel=options.RUNS
        ),
    ] = options.Mode.TRAIN,
    loss: Annotated[
        Loss,
        typer.Option(
            "--loss",
            help="What is differentiated; auto: cross-entropy where there are classes, else mse.",
            rich_help_panel=options.RUNS,
        ),
    ] = Loss.AUTO,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="random|digits|DIR",
            help="Random numbers, scikit-learn's digits, or a folder with a folder for each class.",
            rich_help_panel=options.RUNS,
        ),
    ] = "random",
    seeds: Annotated[
        int,
        typer.Option("--seeds", min=1, help="Independent starts.", rich_help_panel=options.RUNS),
    ] = 1,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, help="The first of them.", rich_help_panel=options.RUNS),
    ] = 0,
    batches: Annotated[
        int,
        typer.Option(
            "--batches", min=1, help="Batches from each start.", rich_help_panel=options.RUNS
        ),
    ] = 1,
    over: Annotated[
        Axis,
        typer.Option(
            "--over",
            help="Along the layers, or along the time steps of rnn, lstm and gru.",
            rich_help_panel=options.RUNS,
        ),
    ] = Axis.DEPTH,
    device: Annotated[
        Device, typer.Option("--device", help="Where to compute.", rich_help_panel=options.RUNS)
    ] = Device.CPU,
    dtype: Annotated[
        Precision,
        typer.Option("--dtype", help="In which precision.", rich_help_panel=options.RUNS),
    ] = Precision.FLOAT32,
    init: Annotated[
        str,
        typer.Option(
            "--init",
            metavar="SCHEME",
            help="default, kaiming, xavier, orthogonal, lecun, or normal:STD.",
            rich_help_panel=STARTS,
        ),
    ] = "default",
    weights: Annotated[
        Optional[Path],
        typer.Option(
            "--weights",
            metavar="FILE",
            help="Load these: safetensors, or a state dict, read safely.",
            rich_help_panel=STARTS,
            show_default=False,
        ),
    ] = None,
    freeze: Annotated[
        Optional[list[str]],
        typer.Option(
            "--freeze",
            metavar="PATTERN",
            help="Layers or parameters not to train: layer1, 'layer[12]', '*.bias'; repeatable.",
            rich_help_panel=STARTS,
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        int,
        typer.Option("--steps", min=0, help="Steps of training.", rich_help_panel=TRAINING),
    ] = 0,
    every: Annotated[
        Optional[int],
        typer.Option(
            "--every",
            metavar="K",
            min=1,
            help="Measure every K-th of them. About ten in all.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    optimizer: Annotated[
        Optimizer,
        typer.Option("--optimizer", help="What makes the steps.", rich_help_panel=TRAINING),
    ] = Optimizer.SGD,
    lr: Annotated[
        Optional[float],
        typer.Option(
            "--lr",
            metavar="X",
            help="Learning rate; else 0.1 for sgd and momentum, 0.01 for adagrad and rmsprop, "
            "0.001 for adam and adamw.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = None,
    paths: Annotated[
        bool,
        typer.Option(
            "--paths",
            help="Only count the gradient paths from output to input, by length; nothing is run.",
            rich_help_panel=options.LOOKS,
        ),
    ] = False,
    measure: Annotated[
        str,
        typer.Option(
            "--measure",
            metavar="NAME",
            help="What bars and curves show: gradient-norm, activation-rms, …; see the docs.",
            rich_help_panel=options.LOOKS,
        ),
    ] = "activation-gradient-rms",
    rows: Annotated[
        Optional[str],
        typer.Option(
            "--rows",
            metavar="N|all",
            help="Rows of the table, 40 at most unless more are asked for.",
            rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = None,
    fail_on: Annotated[
        Optional[str],
        typer.Option(
            "--fail-on",
            metavar="WORD,…",
            help="Exit with 3 at such a verdict: vanishing, exploding, dead, not-finite.",
            rich_help_panel=options.RUNS,
            show_default=False,
        ),
    ] = None,
    human: options.Human = False,
    format: options.OutputFormat = options.Format.TABLE,  # noqa: A002
    plot: Annotated[
        Optional[Path],
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw it, too: FILE.png, FILE.svg or FILE.pdf.",
            rich_help_panel=options.WRITES,
            show_default=False,
        ),
    ] = None,
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """How large the gradient is at each depth, by real passes; with a verdict for each model."""
    from cnninspect import api

    unwanted = _unwanted(fail_on)
    check_output(output, force=force)
    inputs = parse_inputs(input)
    looks: dict[str, Any] = {"format": format.value, "output": output, "force": force}
    if paths:
        if plot is not None or unwanted:
            raise BadOption("--paths", "with --plot or --fail-on", "used without them")
        found = api.gradient_paths(models, inputs, mode=mode.value, batch=batch or 2)
        show(found, quiet=quiet, human=human, **looks)
        return
    picture_format = _picture_format(plot, force=force)
    with progress_bar(models[0], quiet=quiet) as progress:
        report = api.gradients(
            models,
            inputs,
            batch=batch,
            mode=mode.value,
            loss=loss.value,
            data=data,
            seeds=seeds,
            seed=seed,
            batches=batches,
            over=over.value,
            device=device.value,
            dtype=dtype.value,
            init=init,
            weights=None if weights is None else str(weights),
            freeze=tuple(freeze or ()),
            steps=steps,
            every=every,
            optimizer=optimizer.value,
            lr=lr,
            progress=progress,
        )
    show(report, quiet=quiet, human=human, measure=measure, rows=_rows(rows), **looks)
    if plot is not None:
        from cnninspect.render.gradient_plot import picture

        write_whole(plot, picture(report, picture_format, measure=measure), force=force)
        if not quiet:
            typer.echo(f"wrote {plot}", err=True)
    _judge(report, unwanted)


def _unwanted(typed: str | None) -> tuple[str, ...]:
    """The verdicts that `--fail-on` names."""
    from cnninspect.records.gradient_profile import HEALTHY, VERDICTS

    known = tuple(verdict for verdict in VERDICTS if verdict != HEALTHY)
    words = parse_columns(typed)
    for word in words:
        if word not in known:
            raise UnknownChoice("--fail-on", word, known)
    return words


def _picture_format(plot: Path | None, *, force: bool) -> str:
    """What a picture is written as; refuses early what could not be drawn in the end."""
    if plot is None:
        return ""
    from cnninspect.render.plots import format_of, require_matplotlib

    kind = format_of(plot)
    check_output(plot, force=force)
    require_matplotlib()
    return kind


def _rows(typed: str | None) -> int | str | None:
    if typed is None:
        return "auto"
    if typed == "all":
        return None
    if not typed.isdigit():
        raise BadOption("--rows", typed, "a whole number, or all")
    return int(typed)


def _judge(report: GradientProfile, unwanted: tuple[str, ...]) -> None:
    """End with 3 where a model has a verdict that was named, or dead layers under another one."""
    from cnninspect.records.gradient_profile import DEAD

    found = [(m.model.name, m.trend.verdict) for m in report.models if m.trend.verdict in unwanted]
    if DEAD in unwanted:
        named = {name for name, _ in found}
        found += [
            (m.model.name, DEAD) for m in report.models if m.dead and m.model.name not in named
        ]
    if found:
        raise Unhealthy(found)
