"""`cnninspect sweep SPACE…`: the frontier of a design space of settings."""

from __future__ import annotations

from enum import Enum
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
from cnninspect.errors import SomeModelsFailed

EXAMPLES = (
    (
        "cnninspect sweep 'efficientnet_b0@width=0.5..1.5:0.5,depth=1|1.5' --max-params 5M",
        "All combinations of two settings, the frontier first",
    ),
    (
        "cnninspect sweep 'net.py:Net@width=8..64:*2' --input 3x64x64 --rows points.csv",
        "Your own network, every point in a file",
    ),
    ("cnninspect sweep --space space.toml --sample 100", "A sample of the spaces in a file"),
)
SPACE = "Which points"


class Sampler(str, Enum):
    """How a sample is drawn."""

    RANDOM = "random"
    HALTON = "halton"


def sweep(
    spaces: Annotated[
        Optional[list[str]],
        typer.Argument(
            metavar="SPACE…",
            help="'efficientnet_b0@width=0.5..2.0:0.1,depth=1|1.5|2', 'resnet18', …",
            show_default=False,
        ),
    ] = None,
    space: Annotated[
        Optional[Path],
        typer.Option(
            "--space", metavar="FILE", help="A TOML file of spaces: [[space]], model, settings.",
            rich_help_panel=SPACE, show_default=False,
        ),
    ] = None,
    sample: Annotated[
        Optional[int],
        typer.Option(
            "--sample", metavar="N", min=1, help="So many points of all.",
            rich_help_panel=SPACE, show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Which sample.", rich_help_panel=SPACE)
    ] = 0,
    sampler: Annotated[
        Sampler,
        typer.Option(
            "--sampler", help="By chance, or spread evenly over the settings.",
            rich_help_panel=SPACE,
        ),
    ] = Sampler.RANDOM,
    max_params: options.MaxParams = None,
    min_params: options.MinParams = None,
    max_macs: options.MaxMacs = None,
    min_macs: options.MinMacs = None,
    max_activations: options.MaxActivations = None,
    min_activations: options.MinActivations = None,
    max_bytes: options.MaxBytes = None,
    min_bytes: options.MinBytes = None,
    max_latency: options.MaxLatency = None,
    max_bound: options.MaxBound = None,
    axes: Annotated[
        str,
        typer.Option(
            "--axes",
            metavar="A,B,…",
            help="What the frontier is of, one to three: parameters, macs, activations, bytes, "
            "memory, least_time, latency, gradient_orders, a healthy verdict; or much of capacity "
            "(parameters), depth, receptive_field.",
        ),
    ] = "capacity,macs",
    figures: Annotated[
        Optional[str],
        typer.Option(
            "--figures", metavar="A,B,…",
            help="Shown too: receptive_field, memory (of a training step), latency (measured), "
            "verdict (on gradients).",
            show_default=False,
        ),
    ] = None,
    device_spec: Annotated[
        Optional[str],
        typer.Option(
            "--device-spec", metavar="DEVICE[:DTYPE]",
            help="Least times on a100, h100, h200, rtx4090, this or cpu:GFLOPS:GBPS.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    frontier: Annotated[bool, typer.Option("--frontier", help="Only the frontier.")] = False,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    top: Annotated[
        Optional[int],
        typer.Option(
            "--top", metavar="N", help="So many models. In tables 20 and 20, else all.",
            rich_help_panel=options.LOOKS, show_default=False,
        ),
    ] = None,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    plot: Annotated[
        Optional[Path],
        options.plot_option("Draw the points and a distribution by setting"),
    ] = None,
    rows: Annotated[
        Optional[Path],
        typer.Option(
            "--rows", metavar="FILE",
            help="Every point as it is known, as .csv, .jsonl or .parquet.",
            rich_help_panel=options.WRITES, show_default=False,
        ),
    ] = None,
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    jobs: options.Jobs = None,
    cluster: options.Cluster = None,
    cache: options.Cache = True,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """The frontier of a design space: all combinations of settings that fit, and what each does."""
    from cnninspect.commands.sweep import sweep
    from cnninspect.commands.sweep.rendering import SweepView

    check_output(output, force=force)
    check_picture(plot, force=force)
    SweepView(top=top)
    with progress_bar("measuring", quiet=quiet) as progress:
        report = sweep(
            spaces or (),
            parse_inputs(input),
            space_file=space,
            sample=sample,
            seed=seed,
            sampler=sampler.value,
            axes=parse_columns(axes),
            figures=parse_columns(figures),
            device_spec=device_spec,
            batch=batch,
            mode=mode.value,
            jobs=jobs,
            cluster=cluster,
            remember=cache,
            rows=rows,
            force=force,
            progress=progress,
            max_params=max_params,
            min_params=min_params,
            max_macs=max_macs,
            min_macs=min_macs,
            max_activations=max_activations,
            min_activations=min_activations,
            max_bytes=max_bytes,
            min_bytes=min_bytes,
            max_latency=max_latency,
            max_bound=max_bound,
        )
    show(
        report, format=format, output=output, force=force, quiet=quiet, human=human, top=top,
        frontier_only=frontier,
    )  # fmt: skip
    if rows is not None:
        say_written(rows, quiet=quiet)
    if plot is not None and report.models:
        from cnninspect.commands.sweep.plot import picture
        from cnninspect.page.plots import format_of

        write_whole(plot, picture(report, format_of(plot)), force=force)
        say_written(plot, quiet=quiet)
    if report.failed and not report.measured:
        raise SomeModelsFailed(len(report.failed), len(report.failed))
