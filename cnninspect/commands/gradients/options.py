"""The options of `cnninspect gradients`."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Optional

import typer

from cnninspect.commands import options

TRAINING = "Training steps"


class Loss(str, Enum):
    """What is differentiated."""

    AUTO = "auto"
    CROSS_ENTROPY = "cross-entropy"
    MSE = "mse"
    BCE = "bce"
    SUM = "sum"
    LAST = "last"
    EVERY = "every"


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


Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL…",
        help="One reference or several: resnet34 plain34, torchvision:resnet50, net.py:make, …",
        show_default=False,
    ),
]
Batch = Annotated[
    Optional[int],
    typer.Option(
        "--batch",
        "-b",
        min=1,
        help="Examples in a batch. 8, unless --input holds the batch.",
        rich_help_panel=options.COMMON,
        show_default=False,
    ),
]
RunMode = Annotated[
    options.Mode,
    typer.Option("--mode", help="Run as in training or in testing.", rich_help_panel=options.RUNS),
]
ChosenLoss = Annotated[
    Loss,
    typer.Option(
        "--loss",
        help="What is differentiated; auto: cross-entropy where there are classes, else mse. Over "
        "time, that of the last step (last) or of each step (every).",
        rich_help_panel=options.RUNS,
    ),
]
AuxWeight = Annotated[
    float,
    typer.Option(
        "--aux-weight",
        metavar="X",
        help="What the losses of auxiliary outputs are multiplied with.",
        rich_help_panel=options.RUNS,
    ),
]
Seeds = Annotated[
    int,
    typer.Option("--seeds", min=1, help="Independent starts.", rich_help_panel=options.RUNS),
]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, help="The first of them.", rich_help_panel=options.RUNS),
]
Batches = Annotated[
    int,
    typer.Option("--batches", min=1, help="Batches from each start.", rich_help_panel=options.RUNS),
]
Over = Annotated[
    Axis,
    typer.Option(
        "--over",
        help="Along the layers, or along the time steps of rnn, lstm and gru.",
        rich_help_panel=options.RUNS,
    ),
]
ChosenDevice = Annotated[
    Device, typer.Option("--device", help="Where to compute.", rich_help_panel=options.RUNS)
]
Dtype = Annotated[
    Precision,
    typer.Option("--dtype", help="In which precision.", rich_help_panel=options.RUNS),
]
Steps = Annotated[
    int,
    typer.Option("--steps", min=0, help="Steps of training.", rich_help_panel=TRAINING),
]
Every = Annotated[
    Optional[int],
    typer.Option(
        "--every",
        metavar="K",
        min=1,
        help="Measure every K-th of them. About ten in all.",
        rich_help_panel=TRAINING,
        show_default=False,
    ),
]
ChosenOptimizer = Annotated[
    Optimizer,
    typer.Option("--optimizer", help="What makes the steps.", rich_help_panel=TRAINING),
]
Lr = Annotated[
    Optional[float],
    typer.Option(
        "--lr",
        metavar="X",
        help="Learning rate; else 0.1 for sgd and momentum, 0.01 for adagrad and rmsprop, "
        "0.001 for adam and adamw.",
        rich_help_panel=TRAINING,
        show_default=False,
    ),
]
Paths = Annotated[
    bool,
    typer.Option(
        "--paths",
        help="Only count the gradient paths from output to input, by length; nothing is run.",
        rich_help_panel=options.LOOKS,
    ),
]
Samples = Annotated[
    int,
    typer.Option(
        "--samples",
        metavar="N",
        min=0,
        help="With --paths: measure the gradient along up to N paths for each number of residual "
        "branches on the way.",
        rich_help_panel=options.RUNS,
    ),
]
Measure = Annotated[
    str,
    typer.Option(
        "--measure",
        metavar="NAME",
        help="What bars and curves show: gradient-norm, activation-rms, …; see the docs.",
        rich_help_panel=options.LOOKS,
    ),
]
Rows = Annotated[
    Optional[str],
    typer.Option(
        "--rows",
        metavar="N|all",
        help="Rows of the table, 40 at most unless more are asked for.",
        rich_help_panel=options.LOOKS,
        show_default=False,
    ),
]
FailOn = Annotated[
    Optional[str],
    typer.Option(
        "--fail-on",
        metavar="WORD,…",
        help="Exit with 3 at such a verdict: vanishing, exploding, dead, not-finite.",
        rich_help_panel=options.RUNS,
        show_default=False,
    ),
]
