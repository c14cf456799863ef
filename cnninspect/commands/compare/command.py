"""`cnninspect compare MODEL…`: models side by side."""

from __future__ import annotations

from contextlib import nullcontext
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands import options as limits
from cnninspect.commands.options import parse_columns, parse_inputs
from cnninspect.commands.output import check_output, progress_bar, show
from cnninspect.errors import SomeModelsFailed, UnknownOperations

EXAMPLES = (
    ("cnninspect compare resnet18 resnet34 net.py:Net", "Side by side, with ratios to the first"),
    (
        "cnninspect compare net.py:Net@width=8 net.py:Net@width=16 -f latex",
        "Variants of your own network, as a table for a paper",
    ),
    ("cnninspect compare resnet18 vgg11 --by stage --human", "Where in the network the work is"),
)


class By(str, Enum):
    """What rows are about."""

    MODEL = "model"
    STAGE = "stage"


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL…",
            help="References of any kind: resnet34, timm:convnext_tiny, net.py:make, net.onnx, …",
            show_default=False,
        ),
    ],
    baseline: limits.Baseline = None,
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
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    count_as: limits.CountAs = "macs",
    strict: options.Strict = False,
    by: Annotated[
        By,
        typer.Option(
            "--by",
            help="A row for each model, or each size of map with the models under it.",
            rich_help_panel=options.LOOKS,
        ),
    ] = By.MODEL,
    data: Annotated[
        Optional[str],
        typer.Option(
            "--data", metavar="digits|DIR|FILE.npz",
            help="Measure the accuracy on it, too, of what has --weights or comes with its own.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Optional[list[str]],
        typer.Option(
            "--weights", metavar="[MODEL=]FILE",
            help="Trained weights, once for each model in order, or for the one that is named.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    sort: limits.Sort = None,
    top: Annotated[
        Optional[int],
        typer.Option(
            "--top", metavar="N", help="Only the first N models.", rich_help_panel=options.LOOKS,
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
) -> None:  # fmt: skip
    """Models side by side: parameters, MACs, activations, depth, bytes, ratios, what fits."""
    from cnninspect.commands.compare import compare
    from cnninspect.commands.output import check_picture, draw
    from cnninspect.page.model_table import ComparisonView
    from cnninspect.sources.open import remembered_by

    check_output(output, force=force)
    check_picture(plot, force=force)
    view = {"by": by.value, "sort": sort, "top": top, "columns": parse_columns(columns)}
    ComparisonView(**view)  # type: ignore[arg-type]  # what is typed wrongly is said at once
    traces = nullcontext() if cache else remembered_by(None)
    with traces, progress_bar("measuring", quiet=quiet) as progress:
        report = compare(
            models,
            parse_inputs(input),
            baseline=baseline,
            data=data,
            weights=_weights(weights, models),
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
    if report.failed:
        raise SomeModelsFailed(len(report.failed), len(report.failed) + len(report.models))
    unknown = dict.fromkeys(gap.op for model in report.models for gap in model.uncounted)
    if strict and unknown:
        raise UnknownOperations(list(unknown))


def _weights(typed: list[str] | None, models: list[str]) -> list[str] | dict[str, str] | None:
    """Files in the order of the models, or by the name that stands before `=`."""
    if not typed:
        return typed
    named = {}
    for text in typed:
        owner = next((model for model in models if text.startswith(f"{model}=")), None)
        if owner is None:
            return typed
        named[owner] = text.removeprefix(f"{owner}=")
    return named
