"""The options that commands share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

LOOKS, RUNS, WRITES = "How it looks", "How the model is run", "Where it goes"


class Format(str, Enum):
    """What a report is written as."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class Mode(str, Enum):
    """How the model behaves."""

    EVAL = "eval"
    TRAIN = "train"


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="resnet34, resnet34@num_classes=10, torchvision:resnet50, path/to/net.py:make, …",
        show_default=False,
    ),
]
Input = Annotated[
    Optional[list[str]],
    typer.Option(
        "--input",
        "-i",
        metavar="SHAPE",
        help="3x224x224, 8x3x224x224 or tokens:int64:1x128; once for each input of forward.",
        rich_help_panel=RUNS,
        show_default=False,
    ),
]
Batch = Annotated[
    int, typer.Option("--batch", "-b", min=1, help="Size of the batch.", rich_help_panel=RUNS)
]
RunMode = Annotated[
    Mode, typer.Option("--mode", help="Run as in testing or in training.", rich_help_panel=RUNS)
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Exit with 3 where an operation is unknown.", rich_help_panel=RUNS
    ),
]
Weights = Annotated[
    Optional[Path],
    typer.Option(
        "--weights", metavar="FILE", help="See that these fit: safetensors or a state dict.",
        rich_help_panel=RUNS, show_default=False,
    ),
]  # fmt: skip
OutputFormat = Annotated[
    Format, typer.Option("--format", "-f", help="What to write.", rich_help_panel=LOOKS)
]
Human = Annotated[
    bool, typer.Option("--human", help="21.8 M for 21,797,672.", rich_help_panel=LOOKS)
]
Output = Annotated[
    Optional[Path],
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write to a file.", rich_help_panel=WRITES,
        show_default=False,
    ),
]  # fmt: skip
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite that file.", rich_help_panel=WRITES)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=WRITES)
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=WRITES)
]
