"""`cnninspect report MODEL…`: what is known of models, in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import check_output, progress_bar, say_written, write_whole
from cnninspect.errors import UnknownOperations

EXAMPLES = (
    ("cnninspect report resnet18 -o report.html", "Costs, graph and layers of one network"),
    ("cnninspect report resnet18 net.py:Net -o both.html", "Two networks side by side"),
    ("cnninspect report net.py:Net --with all -o all.html", "With gradients, memory and scaling"),
)


def report(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL…", help="Models, side by side.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write: report.html.",
            rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ],
    with_: Annotated[
        Optional[str],
        typer.Option(
            "--with",
            metavar="A,B,…",
            help="Measure more: gradients, memory, roofline, scale, or all.",
            rich_help_panel=options.RUNS,
            show_default=False,
        ),
    ] = None,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    device_spec: Annotated[
        str,
        typer.Option(
            "--device-spec",
            metavar="DEVICE[:DTYPE]",
            help="What least times are for: a100, h100, h200, rtx4090, this or cpu:GFLOPS:GBPS.",
            rich_help_panel=options.RUNS,
        ),
    ] = "a100",
    strict: options.Strict = False,
    fresh: options.Fresh = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """All that is known of models in one HTML file: costs, graph, layers, and more when asked.

    It opens without a network and without a server, and can be mailed.
    """
    from cnninspect.commands.report.gathering import report
    from cnninspect.commands.report.webpage import plotly_script, write_report

    check_output(output, force=force)
    plotly_script()  # without it, nothing has to be measured
    parts = tuple(part.strip() for part in with_.split(",") if part.strip()) if with_ else ()
    with progress_bar("measuring", quiet=quiet) as progress:
        made = report(
            models,
            parse_inputs(input),
            parts=parts,
            device_spec=device_spec,
            batch=batch,
            mode=mode.value,
            progress=progress,
        )
    write_whole(output, write_report(made), force=force)
    say_written(output, quiet=quiet)
    unknown = dict.fromkeys(gap.op for p in made.models for gap in p.summary.uncounted)
    if strict and unknown:
        raise UnknownOperations(list(unknown))
