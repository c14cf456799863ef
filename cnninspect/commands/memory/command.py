"""`cnninspect memory MODEL`: what training and inference need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import check_output, check_picture, show, waiting, write_whole
from cnninspect.errors import BadOption, BadQuantity
from cnninspect.metrics.limits import parse_bound
from cnninspect.records.reports import Report

STEP = "What is run"
LEAST_FIT = 10**6
"""A number without a unit below this is not meant to be bytes."""

EXAMPLES = (
    (
        "cnninspect memory resnet34 --batch 8 --optimizer adamw",
        "A training step, layer by layer, and its peak",
    ),
    ("cnninspect memory resnet34 --inference --level 0", "A forward pass alone"),
    ("cnninspect memory net.py:Net --optimizer adamw --fit 8GB", "The largest batch that fits"),
)


def memory(
    model: options.Model,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    device: options.Device = None,
    optimizer: Annotated[
        str,
        typer.Option(
            "--optimizer",
            help="sgd, momentum, adagrad, rmsprop, adam or adamw.",
            rich_help_panel=STEP,
        ),
    ] = "sgd",
    dtype: Annotated[
        Optional[str],
        typer.Option(
            "--dtype",
            help="Of weights and inputs: float32, float16, bfloat16 or float64.",
            rich_help_panel=STEP,
            show_default=False,
        ),
    ] = None,
    amp: Annotated[
        Optional[str],
        typer.Option(
            "--amp",
            metavar="DTYPE",
            help="Autocast to bfloat16 or float16.",
            rich_help_panel=STEP,
            show_default=False,
        ),
    ] = None,
    freeze: options.Freeze = None,
    unfreeze: options.Unfreeze = None,
    set_head: options.SetHead = None,
    inference: Annotated[
        bool,
        typer.Option("--inference", help="A forward pass only.", rich_help_panel=STEP),
    ] = False,
    fit: Annotated[
        Optional[str],
        typer.Option(
            "--fit",
            metavar="BYTES",
            help="The largest batch that so much memory holds: 24GB, 16GiB.",
            rich_help_panel=STEP,
            show_default=False,
        ),
    ] = None,
    plot: Annotated[Optional[Path], options.plot_option("Draw it")] = None,
    level: Annotated[
        int,
        typer.Option(
            "--level",
            min=0,
            help="Names in the paths down to which layers are shown.",
            rich_help_panel=options.COMMON,
        ),
    ] = 2,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Parameters, gradients, optimizer state, saved activations and the peak, by layer."""
    from cnninspect.commands.memory import fit_batch, memory

    check_output(output, force=force)
    check_picture(plot, force=force)
    settings: dict[str, Any] = {
        "inputs": parse_inputs(input),
        "optimizer": optimizer,
        "dtype": dtype,
        "amp": amp,
        "freeze": tuple(freeze or ()),
        "unfreeze": tuple(unfreeze or ()),
        "head": set_head,
        "inference": inference,
        "device": device,
    }
    report: Report
    looks: dict[str, Any] = {"human": human}
    if fit is None:
        with waiting(model, quiet=quiet):
            report = memory(model, batch=batch, **settings)
        looks["level"] = level
    elif batch != 1:
        raise BadOption("--batch", str(batch), "left out with --fit, which looks for the batch")
    else:
        limit = parse_bound(fit, option="--fit", is_bytes=True)
        if fit.strip().isdigit() and limit.value < LEAST_FIT:
            raise BadQuantity("--fit", fit, f"those are bytes: write {fit}GB or {fit}GiB")
        with waiting(model, quiet=quiet):
            report = fit_batch(model, int(limit.value), **settings)
    show(report, format=format, output=output, force=force, quiet=quiet, **looks)
    if plot is not None:
        draw_memory(report, plot, level=level, force=force, quiet=quiet)


def draw_memory(report: Report, path: Path, *, level: int, force: bool, quiet: bool) -> None:
    """Draw what a step needs into a file; of a fit, the step that fits."""
    from cnninspect.commands.memory.plot import picture
    from cnninspect.commands.memory.report import BatchFit
    from cnninspect.page.plots import format_of

    memory: Any = report.memory if isinstance(report, BatchFit) else report
    write_whole(path, picture(memory, format_of(path), level=level), force=force)
    if not quiet:
        typer.echo(f"wrote {path}", err=True)
