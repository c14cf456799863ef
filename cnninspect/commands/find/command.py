"""`cnninspect find`: every architecture that keeps the limits."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands import options as limits
from cnninspect.commands.options import parse_columns, parse_inputs
from cnninspect.commands.output import check_output, progress_bar, show
from cnninspect.errors import SomeModelsFailed

EXAMPLES = (
    (
        "cnninspect find 'resnet*' --max-params 15M",
        "Of these names, what fits; the Pareto frontier first",
    ),
    (
        "cnninspect find --source torchvision --max-macs 1G --axes accuracy,macs",
        "The most accurate within a budget, where that is published",
    ),
    (
        "cnninspect find --source timm --max-params 5M --plot frontier.png",
        "Everything in timm, and a picture of it",
    ),
)


def find(
    pattern: Annotated[
        str, typer.Argument(help="A part of the name, or a pattern such as 'resnet*'.")
    ] = "*",
    source: Annotated[
        str,
        typer.Option("--source", metavar="A,B,…", help="Where to look: zoo, torchvision, timm."),
    ] = "zoo",
    max_params: limits.MaxParams = None,
    min_params: limits.MinParams = None,
    max_macs: limits.MaxMacs = None,
    min_macs: limits.MinMacs = None,
    max_flops: limits.MaxFlops = None,
    min_flops: limits.MinFlops = None,
    max_activations: limits.MaxActivations = None,
    min_activations: limits.MinActivations = None,
    max_bytes: limits.MaxBytes = None,
    min_bytes: limits.MinBytes = None,
    max_latency: limits.MaxLatency = None,
    max_bound: limits.MaxBound = None,
    device_spec: options.DeviceSpec = None,
    dtype: limits.Dtype = None,
    baseline: limits.Baseline = None,
    axes: Annotated[
        str,
        typer.Option(
            "--axes",
            metavar="A,B,…",
            help="What the frontier is of; accuracy counts where it is published.",
        ),
    ] = "parameters,macs,accuracy",
    frontier: Annotated[bool, typer.Option("--frontier", help="Only the frontier.")] = False,
    input: options.Input = None,  # noqa: A002
    any_input: Annotated[
        bool,
        typer.Option(
            "--any-input", help="Compare models with different inputs, not only the most common."
        ),
    ] = False,
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    count_as: limits.CountAs = "macs",
    sort: limits.Sort = None,
    top: Annotated[
        Optional[str],
        typer.Option(
            "--top",
            metavar="N|all",
            help="So many beside the frontier. In tables 20, else all.",
            rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = None,
    columns: limits.Columns = None,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    plot: Annotated[Optional[Path], options.plot_option("Draw parameters against MACs")] = None,
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    seconds: limits.Seconds = 1.0,
    threads: limits.Threads = None,
    jobs: limits.Jobs = None,
    cluster: limits.Cluster = None,
    cache: limits.Cache = True,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """Every architecture that fits, the Pareto frontier first: fewest MACs for its parameters."""
    from cnninspect.commands.find import find
    from cnninspect.commands.output import check_picture, draw
    from cnninspect.page.model_table import FindingView
    from cnninspect.sources.open import remembered_by

    check_output(output, force=force)
    check_picture(plot, force=force)
    view = {
        "sort": sort,
        "rows": options.parse_most(top, "--top"),
        "columns": parse_columns(columns),
        "frontier_only": frontier,
    }
    FindingView(**view)  # what is typed wrongly is said at once
    traces = nullcontext() if cache else remembered_by(None)
    with traces, progress_bar("measuring", quiet=quiet) as progress:
        report = find(
            pattern,
            parse_inputs(input),
            sources=parse_columns(source),
            axes=parse_columns(axes),
            baseline=baseline,
            any_input=any_input,
            max_params=max_params,
            min_params=min_params,
            max_macs=max_macs,
            min_macs=min_macs,
            max_flops=max_flops,
            min_flops=min_flops,
            max_activations=max_activations,
            min_activations=min_activations,
            max_bytes=max_bytes,
            min_bytes=min_bytes,
            max_latency=max_latency,
            max_bound=max_bound,
            device_spec=device_spec,
            latency="latency" in (sort, *parse_columns(columns)),
            seconds=seconds,
            threads=threads,
            dtype=dtype,
            batch=batch,
            mode=mode.value,
            convention=count_as,
            jobs=jobs,
            cluster=cluster,
            remember=cache,
            progress=progress,
        )
    show(report, format=format, output=output, force=force, quiet=quiet, human=human, **view)
    draw(report, plot, force=force, quiet=quiet)
    if report.failed and not report.searched:
        raise SomeModelsFailed(len(report.failed), len(report.failed))
