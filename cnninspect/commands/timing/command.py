"""`cnninspect time MODEL…`: measured latency by layer, against what the machine allows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_columns, parse_inputs
from cnninspect.commands.output import (
    check_output,
    check_picture,
    progress_bar,
    say_written,
    show,
    write_whole,
)
from cnninspect.errors import BadOption, SomeModelsFailed
from cnninspect.records.timings import LEAST_RUNS

CLOCK, MACHINE = "How it is timed", "This machine: what it does at best"

EXAMPLES = (
    ("cnninspect time resnet34", "One network, as a whole and by layer"),
    (
        "cnninspect time resnet50 densenet121 --batch 1,8 --backend torch,onnxruntime",
        "Several, a row for each batch and backend",
    ),
    ("cnninspect time --calibrate", "What this machine does at best, remembered"),
)


def time(
    models: Annotated[
        Optional[list[str]],
        typer.Argument(
            metavar="MODEL…",
            help="One reference or several; none is needed with --calibrate.",
            show_default=False,
        ),
    ] = None,
    backend: Annotated[
        Optional[list[str]],
        typer.Option(
            "--backend",
            metavar="A,B,…",
            help="torch, onnxruntime, torch.compile; one row each. By itself torch, and "
            "onnxruntime for a file that holds a graph.",
            rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ] = None,
    compile: Annotated[  # noqa: A002
        bool,
        typer.Option(
            "--compile", help="Also compiled by torch.compile.", rich_help_panel=options.RUNS
        ),
    ] = False,
    batch: Annotated[
        str,
        typer.Option(
            "--batch", "-b", metavar="N,M,…", help="Sizes of the batch, one row each.",
            rich_help_panel=options.COMMON,
        ),
    ] = "1",
    mode: Annotated[
        options.Mode,
        typer.Option(
            "--mode",
            help="The forward pass, or the whole step of training",
            rich_help_panel=options.COMMON,
        ),
    ] = options.Mode.EVAL,
    device: Annotated[
        str,
        typer.Option(
            "--device", help="Where it is run: cpu, cuda, mps or auto.",
            rich_help_panel=options.RUNS,
        ),
    ] = "cpu",
    dtype: Annotated[
        Optional[str],
        typer.Option(
            "--dtype", metavar="DTYPE", help="float32, float64, float16 or bfloat16.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    amp: Annotated[
        bool,
        typer.Option("--amp", help="Autocast to bfloat16.", rich_help_panel=options.RUNS),
    ] = False,
    channels_last: Annotated[
        bool,
        typer.Option(
            "--channels-last", help="Images and kernels with channels last in memory.",
            rich_help_panel=options.RUNS,
        ),
    ] = False,
    optimizer: Annotated[
        str,
        typer.Option(
            "--optimizer",
            help="In training: sgd, momentum, adagrad, rmsprop, adam or adamw.",
            rich_help_panel=options.RUNS,
        ),
    ] = "sgd",
    weights: Annotated[
        Optional[Path],
        typer.Option(
            "--weights", metavar="FILE", help="Load these: safetensors, or a state dict.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    input: options.Input = None,  # noqa: A002
    seconds: Annotated[
        Optional[float],
        typer.Option(
            "--seconds", metavar="S",
            help="Time it for so long at least; 3 by default, 6 with --calibrate.",
            rich_help_panel=CLOCK, show_default=False,
        ),
    ] = None,
    runs: Annotated[
        int,
        typer.Option(
            "--runs", metavar="N", help="Take at least so many times, however long that is.",
            rich_help_panel=CLOCK,
        ),
    ] = LEAST_RUNS,
    threads: Annotated[
        Optional[int],
        typer.Option(
            "--threads", metavar="N", help="Threads that compute; else PyTorch's own choice.",
            rich_help_panel=CLOCK, show_default=False,
        ),
    ] = None,
    device_spec: Annotated[
        Optional[str],
        typer.Option(
            "--device-spec",
            metavar="DEVICE[:DTYPE]",
            help="What least times are of: this machine unless it is a100, h100, h200, rtx4090 or "
            "cpu:GFLOPS:GBPS.",
            rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Measure how fast this machine multiplies and moves bytes, and remember it for "
            "--device-spec this.",
            rich_help_panel=MACHINE,
        ),
    ] = False,
    by_layer: Annotated[
        Optional[bool],
        typer.Option(
            "--by-layer/--no-by-layer",
            help="Time layers too; by default yes, and shown where there is one row.",
            rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = None,
    by_operation: Annotated[
        bool,
        typer.Option(
            "--by-operation", help="Time operators too.", rich_help_panel=options.LOOKS
        ),
    ] = False,
    level: Annotated[
        Optional[str],
        typer.Option(
            "--level", metavar="N|all",
            help="Names in the paths down to which layers are shown. In tables 2, else all.",
            rich_help_panel=options.COMMON, show_default=False,
        ),
    ] = None,
    sort: Annotated[
        Optional[str],
        typer.Option(
            "--sort", metavar="COLUMN",
            help="A flat list of layers, sorted: own, total, least, or gain (time beyond the "
            "least).",
            rich_help_panel=options.LOOKS, show_default=False,
        ),
    ] = None,
    top: Annotated[
        Optional[int],
        typer.Option(
            "--top", metavar="N", help="Only the N slowest layers.", rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = None,
    format: options.OutputFormat = "table",  # noqa: A002
    plot: Annotated[
        Optional[Path],
        options.plot_option("Draw layers against their least times, or times against MACs"),
    ] = None,
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """How long networks take here, as a whole and by layer, and the least that they must take."""
    from cnninspect.commands.timing import calibrate as calibrated
    from cnninspect.commands.timing import time as timed
    from cnninspect.commands.timing.rendering import TimeView

    check_output(output, force=force)
    check_picture(plot, force=force)
    shown = {
        "level": options.parse_most(level, "--level", usual=2),
        "sort": sort,
        "top": top,
        "by_layer": by_layer,
    }
    TimeView(**shown)  # what is typed wrongly is said at once
    backends = parse_columns(",".join(backend or ()))
    if compile:
        backends = (*(backends or ("torch",)), "torch.compile")
    batches = _batches(batch)
    if not models and not calibrate:
        raise BadOption("time", "of nothing", "given a MODEL, or --calibrate")
    if calibrate and models and device_spec is not None:
        raise BadOption("--device-spec", "with --calibrate", "used without it")
    with progress_bar(models[0] if models else "this machine", quiet=quiet) as progress:
        if calibrate:
            report = calibrated(
                device=device, threads=threads, seconds=seconds or 6.0, progress=progress
            )
        if models:
            report = timed(
                models,
                parse_inputs(input),
                batch=batches,
                backend=backends,
                device_spec=device_spec,
                by_layer=by_layer is not False,
                by_operation=by_operation,
                progress=progress,
                mode=mode.value,
                device=device,
                dtype=dtype,
                amp=amp,
                channels_last=channels_last,
                threads=threads,
                seconds=3.0 if seconds is None else seconds,
                runs=runs,
                weights=None if weights is None else str(weights),
                optimizer=optimizer,
            )
    show(report, format=format, output=output, force=force, quiet=quiet, **shown)
    if plot is not None and report.models:
        from cnninspect.commands.timing.plot import picture
        from cnninspect.page.plots import format_of

        write_whole(plot, picture(report, format_of(plot)), force=force)
        say_written(plot, quiet=quiet)
    if report.failed:
        raise SomeModelsFailed(len(report.failed), len(report.failed) + len(report.models))


def _batches(typed: str) -> tuple[int, ...]:
    """The sizes in `1,8,32`.

    Raises:
        BadOption: one of them is no whole number above 0.
    """
    parts = [part.strip() for part in typed.split(",") if part.strip()]
    if not parts or not all(
        part.isascii() and part.isdigit() and len(part) <= options.LONGEST_NUMBER and int(part)
        for part in parts
    ):
        raise BadOption("--batch", typed, "whole numbers above 0 with commas between: 1,8,32")
    return tuple(int(part) for part in parts)
