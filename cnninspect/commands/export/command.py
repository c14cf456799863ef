"""`cnninspect export MODEL -o FILE.onnx`: an ONNX file that proves itself."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.application import say_quoted
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import show, waiting
from cnninspect.errors import ExportFailed, ExportMismatch, ExportUnexplained

FILE = "What is in the file"
INTEGERS = "Integers for weights"

EXAMPLES = (
    (
        "cnninspect export lenet5_modern -o lenet.onnx",
        "A file that is checked, run and counted against torch",
    ),
    (
        "cnninspect export net.py:Net -o net.onnx --dynamic batch --weights net.safetensors",
        "With trained weights, for any batch",
    ),
    (
        "cnninspect export lenet5_modern -o lenet8.onnx --quantize int8 --calibrate digits",
        "In integers",
    ),
)


class Exporter(str, Enum):
    """Who writes the graph."""

    DYNAMO = "dynamo"
    TORCHSCRIPT = "torchscript"


class Dtype(str, Enum):
    """What weights may be."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT64 = "float64"


class Quantize(str, Enum):
    """What weights may be turned into."""

    INT8 = "int8"


def export(
    model: options.Model,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE.onnx", help="The file to write.",
            rich_help_panel=options.COMMON, show_default=False,
        ),
    ],
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    dynamic: Annotated[
        Optional[list[str]],
        typer.Option(
            "--dynamic",
            metavar="AXES",
            help="Sizes left open: batch, height, width, sequence, or x:2=frames; comma or repeat.",
            rich_help_panel=FILE,
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Optional[Path],
        typer.Option(
            "--weights",
            metavar="WEIGHTS",
            help="Weights to put in: safetensors, or a state dict of torch.",
            rich_help_panel=FILE,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Of weights that are not given and of inputs.", rich_help_panel=FILE
        ),
    ] = 0,
    dtype: Annotated[
        Optional[Dtype],
        typer.Option(
            "--dtype", help="Convert the weights.", rich_help_panel=FILE, show_default=False
        ),
    ] = None,
    opset: Annotated[
        Optional[int],
        typer.Option(
            "--opset",
            metavar="N",
            help="Version of ONNX's operators; the exporter's own if not given.",
            rich_help_panel=FILE,
            show_default=False,
        ),
    ] = None,
    exporter: Annotated[
        Exporter,
        typer.Option(
            "--exporter",
            help="torchscript writes down one run, and fixes what depends on data.",
            rich_help_panel=FILE,
        ),
    ] = Exporter.DYNAMO,
    keep_traces: Annotated[
        bool,
        typer.Option(
            "--keep-traces",
            help="Leave stack traces in, with paths of this machine.",
            rich_help_panel=FILE,
        ),
    ] = False,
    no_verify: Annotated[
        bool,
        typer.Option("--no-verify", help="Do not run the file.", rich_help_panel=options.RUNS),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 3 where parameters or MACs differ for no known reason.",
            rich_help_panel=options.RUNS,
        ),
    ] = False,
    quantize: Annotated[
        Optional[Quantize],
        typer.Option(
            "--quantize",
            help="Turn weights into integers, by onnxruntime's quantiser.",
            rich_help_panel=INTEGERS,
            show_default=False,
        ),
    ] = None,
    calibrate: Annotated[
        Optional[str],
        typer.Option(
            "--calibrate",
            metavar="DATA",
            help="Find the ranges of activations beforehand, with digits or the images of a "
            "folder; else they are found while the file runs.",
            rich_help_panel=INTEGERS,
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Optional[str],
        typer.Option(
            "--data",
            metavar="DATA",
            help="Labelled images to compare accuracy on: digits, or a folder of class folders; "
            "else those of --calibrate that are left.",
            rich_help_panel=INTEGERS,
            show_default=False,
        ),
    ] = None,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """An ONNX file that proves itself: checked, run against torch, its counts compared."""
    from cnninspect.commands.export import export_onnx

    named = tuple(name for text in dynamic or () for name in text.split(",") if name)
    try:
        with waiting(model, quiet=quiet):
            report = export_onnx(
                model,
                output,
                parse_inputs(input),
                batch=batch,
                dynamic=named,
                weights=weights,
                seed=seed,
                dtype=dtype.value if dtype else None,
                opset=opset,
                exporter=exporter.value,
                keep_traces=keep_traces,
                verify=not no_verify,
                force=force,
                quantize=quantize.value if quantize else None,
                calibrate=calibrate,
                data=data,
                strict=strict,
            )
    except ExportFailed as problem:
        if debug:
            say_quoted(problem.log)
        raise
    except (ExportMismatch, ExportUnexplained) as problem:
        show(problem.report, format=format, quiet=quiet, human=human)
        raise
    show(report, format=format, quiet=quiet, human=human)
