"""The options that commands share, and what is read from them."""

from __future__ import annotations

from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from cnninspect.commands.manual import COMMON
from cnninspect.errors import BadOption
from cnninspect.page.formats import FORMATS
from cnninspect.sources.input_text import parse_inputs

LOOKS, RUNS, WRITES = "How it looks", "How the model is run", "Where it goes"


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
        help="3x224x224, 8x3x224x224, tokens:int64:1x128 or x=@values.npy; "
        "once for each input of forward.",
        rich_help_panel=COMMON,
        show_default=False,
    ),
]
Batch = Annotated[
    int, typer.Option("--batch", "-b", min=1, help="Size of the batch.", rich_help_panel=COMMON)
]
Device = Annotated[
    Optional[str],
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Where tensors seem to be: cpu or cuda; nothing runs there.",
        rich_help_panel=RUNS,
        show_default=False,
    ),
]
DeviceSpec = Annotated[
    Optional[str],
    typer.Option(
        "--device-spec",
        metavar="DEVICE[:DTYPE]",
        help="Add the least time on a100, h100, h200, rtx4090, this machine (this) or "
        "cpu:GFLOPS:GBPS, as traced or as if in a dtype: a100:bfloat16.",
        rich_help_panel=RUNS,
        show_default=False,
    ),
]
RunMode = Annotated[
    Mode, typer.Option("--mode", help="Run as in testing or in training.", rich_help_panel=RUNS)
]


def _remember(context: typer.Context, fresh: bool) -> bool:
    """Let what the command traces be remembered until it ends."""
    from cnninspect.store.traces import remembering

    if not context.resilient_parsing:
        context.with_resource(remembering(fresh=fresh, again="--fresh"))
    return fresh


Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh",
        callback=_remember,
        help="Trace again what is remembered of a named architecture.",
        rich_help_panel=RUNS,
    ),
]
"""A command that has this option remembers the traces that it makes."""
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Exit with 3 where an operation is unknown.", rich_help_panel=RUNS
    ),
]
Weights = Annotated[
    Optional[Path],
    typer.Option(
        "--weights", metavar="FILE",
        help="Check that these weights load: safetensors or a state dict.",
        rich_help_panel=RUNS, show_default=False,
    ),
]  # fmt: skip
FormatOption = typer.Option("--format", "-f", help="What to write.", rich_help_panel=COMMON)

if TYPE_CHECKING:
    OutputFormat = str
else:  # typer shows the members of an enumeration as choices; this one is made from the table
    Format = Enum("Format", {name: name for name in FORMATS}, type=str)
    OutputFormat = Annotated[Format, FormatOption]


Human = Annotated[
    bool,
    typer.Option(
        "--human/--no-human",
        help="21.8 M for 21,797,672.",
        rich_help_panel=COMMON,
        show_default=False,
    ),
]
Output = Annotated[
    Optional[Path],
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write to a file.", rich_help_panel=COMMON,
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


STARTS = "What it starts from"
"""The panel of options for weights and what of them is trained."""


def plot_option(what: str, *, panel: str = WRITES) -> Any:
    """`--plot FILE`; `what` says what is drawn."""
    return typer.Option(
        "--plot",
        metavar="FILE",
        help=f"{what}: FILE.png, FILE.svg or FILE.pdf.",
        rich_help_panel=panel,
        show_default=False,
    )


def rows_option(what: str) -> Any:
    """`--rows N|all`; `what` are the things that have a row each."""
    return typer.Option(
        "--rows",
        metavar="N|all",
        help=f"{what} that are shown, 40 unless more are asked for.",
        rich_help_panel=LOOKS,
        show_default=False,
    )


LoadWeights = Annotated[
    Optional[Path],
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Load these: safetensors, or a state dict, read safely.",
        rich_help_panel=STARTS,
        show_default=False,
    ),
]
Init = Annotated[
    str,
    typer.Option(
        "--init",
        metavar="SCHEME",
        help="default, kaiming, xavier, orthogonal, lecun, or normal:STD.",
        rich_help_panel=STARTS,
    ),
]
Freeze = Annotated[
    Optional[list[str]],
    typer.Option(
        "--freeze",
        metavar="PATTERN",
        help="Layers or parameters not to train: layer1, 'layer[12]', '*.bias'; repeatable.",
        rich_help_panel=STARTS,
        show_default=False,
    ),
]
Unfreeze = Annotated[
    Optional[list[str]],
    typer.Option(
        "--unfreeze",
        metavar="PATTERN",
        help="Of these, what is trained after all: --freeze '*' --unfreeze fc.",
        rich_help_panel=STARTS,
        show_default=False,
    ),
]
SetHead = Annotated[
    Optional[int],
    typer.Option(
        "--set-head",
        metavar="CLASSES",
        help="A new last layer for so many classes, as @num_classes=10 makes.",
        rich_help_panel=STARTS,
        show_default=False,
    ),
]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="random|digits|DIR",
        help="Random numbers, scikit-learn's digits, or a folder with a folder for each class.",
        rich_help_panel=RUNS,
    ),
]


LIMITS, SPEED = "Limits: 6M, 1.5G, 100MB, 95MiB, or 60% of the baseline", "How long it takes"


def _limit(side: str, quantity: str, what: str) -> Any:
    return typer.Option(
        f"--{side}-{quantity}",
        metavar="N",
        help=f"At {'most' if side == 'max' else 'least'} so many {what}.",
        rich_help_panel=LIMITS,
        show_default=False,
    )


MaxParams = Annotated[Optional[str], _limit("max", "params", "parameters")]
MinParams = Annotated[Optional[str], _limit("min", "params", "parameters")]
MaxMacs = Annotated[Optional[str], _limit("max", "macs", "MACs")]
MinMacs = Annotated[Optional[str], _limit("min", "macs", "MACs")]
MaxFlops = Annotated[Optional[str], _limit("max", "flops", "FLOPs, two to a MAC")]
MinFlops = Annotated[Optional[str], _limit("min", "flops", "FLOPs")]
MaxActivations = Annotated[Optional[str], _limit("max", "activations", "activations")]
MinActivations = Annotated[Optional[str], _limit("min", "activations", "activations")]
MaxBytes = Annotated[Optional[str], _limit("max", "bytes", "bytes of parameters")]
MinBytes = Annotated[Optional[str], _limit("min", "bytes", "bytes of parameters")]

MaxLatency = Annotated[
    Optional[str],
    typer.Option(
        "--max-latency",
        metavar="TIME",
        help="At most so long on this machine, median of whole runs: 20ms. Each is timed.",
        rich_help_panel=LIMITS,
        show_default=False,
    ),
]
MaxBound = Annotated[
    Optional[str],
    typer.Option(
        "--max-bound",
        metavar="TIME",
        help="A least time of at most so long on the --device-spec: 500us.",
        rich_help_panel=LIMITS,
        show_default=False,
    ),
]
Threads = Annotated[
    Optional[int],
    typer.Option(
        "--threads",
        metavar="N",
        help="Threads that latencies are measured on; else PyTorch's own choice.",
        rich_help_panel=SPEED,
        show_default=False,
    ),
]
Seconds = Annotated[
    float,
    typer.Option("--seconds", metavar="S", help="How long each is timed.", rich_help_panel=SPEED),
]

Baseline = Annotated[
    Optional[str],
    typer.Option(
        "--baseline",
        metavar="MODEL",
        help="The model that ratios and shares are of.",
        show_default=False,
    ),
]
Dtype = Annotated[
    Optional[str],
    typer.Option(
        "--dtype",
        metavar="DTYPE",
        help="Bytes as if parameters were stored in float16, int8, …",
        show_default=False,
    ),
]
Jobs = Annotated[
    Optional[int],
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Processes that measure side by side; by default as many as are worth it.",
        rich_help_panel=SPEED,
        show_default=False,
    ),
]
Cluster = Annotated[
    Optional[str],
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="A Dask cluster that measures: tcp://host:8786, local, or a scheduler file (.json).",
        rich_help_panel=SPEED,
        show_default=False,
    ),
]
Cache = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        help="Remember what is measured of named architectures in the user's cache folder.",
        rich_help_panel=SPEED,
    ),
]
Sort = Annotated[
    Optional[str],
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="Sorted, largest first: macs, parameters, depth, …",
        rich_help_panel="How it looks",
        show_default=False,
    ),
]
Columns = Annotated[
    Optional[str],
    typer.Option(
        "--columns",
        metavar="A,B,…",
        help="Columns to show, in their order; a wrong name lists them all.",
        rich_help_panel=COMMON,
        show_default=False,
    ),
]
CountAs = Annotated[
    str,
    typer.Option(
        "--count-as",
        metavar="CONVENTION",
        help="Shown beside the MACs: the count by the rules of torchvision, fvcore, thop, …",
        rich_help_panel="How the model is run",
    ),
]


__all__ = ["COMMON", "parse_columns", "parse_inputs", "parse_most", "parse_numbers"]

LONGEST_NUMBER = 9
"""Digits of a number of rows or levels."""


def parse_columns(typed: str | None) -> tuple[str, ...]:
    """The names in `--columns a,b,c`."""
    return tuple(name.strip() for name in typed.split(",") if name.strip()) if typed else ()


def parse_most(typed: str | None, option: str, *, usual: int | str = "auto", least: int = 0) -> Any:
    """The number in `--level 3`: None for `all`, and `usual` where nothing was typed.

    Raises:
        BadOption: it is neither.
    """
    if typed is None:
        return usual
    if typed == "all":
        return None
    is_number = typed.isascii() and typed.isdecimal() and len(typed) <= LONGEST_NUMBER
    if not is_number or int(typed) < least:
        expected = f"a whole number{f' from {least} on' if least else ''}, or all"
        raise BadOption(option, typed, expected)
    return int(typed)


def parse_numbers(typed: str | None, option: str) -> tuple[Fraction, ...]:
    """The numbers in `--sizes 64,96.5`, exactly.

    Raises:
        BadOption: one of them is no number.
    """
    try:
        return tuple(Fraction(text.strip()) for text in typed.split(",")) if typed else ()
    except (ValueError, ZeroDivisionError):
        raise BadOption(option, typed, "numbers with commas between: 64,96,128") from None
