"""`cnninspect audit MODEL`: the same number by independent counters, and why they differ."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import check_output, show
from cnninspect.errors import Unexplained, UnknownOperations

EXAMPLES = (
    ("cnninspect audit resnet18 --no-run", "One network by everybody's rules, and why they differ"),
    ("cnninspect audit torchvision:resnet50", "The same, and what other tools really count"),
    (
        "cnninspect audit net.py:Net --counter fvcore --counter thop --by-layer",
        "Only these, layer by layer",
    ),
)


def audit(
    model: options.Model,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    counter: Annotated[
        Optional[list[str]],
        typer.Option(
            "--counter",
            "-c",
            metavar="NAME",
            help="Only this one, which may be given several times: flop_counter, fvcore, thop, …",
            rich_help_panel=options.RUNS,
            show_default=False,
        ),
    ] = None,
    no_run: Annotated[
        bool,
        typer.Option(
            "--no-run",
            help="Run no other tool, but count by its rules.",
            rich_help_panel=options.RUNS,
        ),
    ] = False,
    with_onnx: Annotated[
        bool,
        typer.Option(
            "--with-onnx",
            help="Also export to ONNX and count that graph, which takes long.",
            rich_help_panel=options.RUNS,
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 3 where a difference stays unexplained or an operation unknown.",
            rich_help_panel=options.RUNS,
        ),
    ] = False,
    by_layer: Annotated[
        bool,
        typer.Option(
            "--by-layer",
            help="Also the differences of each layer.",
            rich_help_panel=options.LOOKS,
        ),
    ] = False,
    level: Annotated[
        Optional[int],
        typer.Option(
            "--level",
            metavar="N",
            min=0,
            help="With --by-layer: names in the paths down to which layers are shown.",
            rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        Optional[int],
        typer.Option(
            "--top",
            metavar="N",
            help="With --by-layer: only the N layers that differ most.",
            rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = None,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    cluster: options.Cluster = None,
    debug: options.Debug = False,
) -> None:
    """The MACs beside the counts of other tools, rules and papers, and why those differ."""
    from cnninspect.commands.audit import audit
    from cnninspect.commands.output import progress_bar

    check_output(output, force=force)
    with progress_bar("audit", quiet=quiet) as progress:
        report = audit(
            model,
            parse_inputs(input),
            mode=mode.value,
            batch=batch,
            counters=tuple(counter) if counter else None,
            run=not no_run,
            by_layer=by_layer,
            with_onnx=with_onnx,
            progress=progress,
            cluster=cluster,
        )
    show(
        report,
        format=format,
        output=output,
        force=force,
        quiet=quiet,
        level=level,
        top=top,
        human=human,
    )
    if strict and report.uncounted:
        raise UnknownOperations([unknown.op for unknown in report.uncounted])
    if strict and report.unexplained:
        raise Unexplained(list(dict.fromkeys(c.name for c in report.unexplained)))
