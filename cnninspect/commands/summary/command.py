"""`cnninspect summary MODEL`: a network layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_columns, parse_inputs
from cnninspect.commands.output import check_output, show, waiting
from cnninspect.errors import UnknownChoice, UnknownOperations, UnsafeToLoad

TRANSFER = "Transfer learning: a new head, the rest frozen"

EXAMPLES = (
    ("cnninspect summary resnet34", "Layer by layer, three levels deep"),
    (
        "cnninspect summary net.py:Net --input 3x64x64 --level all",
        "Your own network, every layer, at another size",
    ),
    (
        "cnninspect summary resnet34 --columns path,macs --top 5 -f markdown",
        "The five largest layers, for a document",
    ),
)


def summary(
    context: typer.Context,
    model: options.Model,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    device: options.Device = None,
    count_as: Annotated[
        str,
        typer.Option(
            "--count-as",
            metavar="CONVENTION",
            help="Whose rules to count by: macs, torchvision, fvcore, thop, ptflops, …",
            rich_help_panel=options.RUNS,
        ),
    ] = "macs",
    weights: options.Weights = None,
    strict: options.Strict = False,
    level: Annotated[
        Optional[str],
        typer.Option(
            "--level",
            metavar="N|all",
            help="Names in the paths down to which layers are shown. In tables 3, else all.",
            rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        Optional[str],
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help="A flat list, sorted: macs, parameters, activations, …",
            rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        Optional[int],
        typer.Option(
            "--top",
            metavar="N",
            help="Only the N largest layers.",
            rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = None,
    columns: options.Columns = None,
    fold: Annotated[
        bool,
        typer.Option(
            "--fold",
            help="Show identical blocks in a row once.",
            rich_help_panel=options.LOOKS,
        ),
    ] = False,
    backward: Annotated[
        bool,
        typer.Option(
            "--backward",
            help="Add the MACs of the backward pass in training, and their ratio.",
            rich_help_panel=options.RUNS,
        ),
    ] = False,
    device_spec: options.DeviceSpec = None,
    freeze: Annotated[
        Optional[list[str]],
        typer.Option(
            "--freeze",
            metavar="PATTERN",
            help="Layers or parameters that are not trained: 'layer[123]', '*'; repeatable.",
            rich_help_panel=TRANSFER,
            show_default=False,
        ),
    ] = None,
    unfreeze: Annotated[
        Optional[list[str]],
        typer.Option(
            "--unfreeze",
            metavar="PATTERN",
            help="What is trained after all: --freeze '*' --unfreeze fc.",
            rich_help_panel=TRANSFER,
            show_default=False,
        ),
    ] = None,
    set_head: Annotated[
        Optional[int],
        typer.Option(
            "--set-head",
            metavar="CLASSES",
            help="A new last layer for so many classes, as @num_classes=10 makes.",
            rich_help_panel=TRANSFER,
            show_default=False,
        ),
    ] = None,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """A network layer by layer: output shape, parameters, MACs, shares, totals, coverage.

    Of a file of weights, its tensors by module, read without running anything in it.
    """
    from cnninspect.commands.summary import summarize
    from cnninspect.records.checkpoint import Checkpoint

    check_output(output, force=force)
    view = {
        "level": options.parse_most(level, "--level"),
        "sort": sort,
        "top": top,
        "columns": parse_columns(columns),
        "fold": fold,
    }
    _check_view(view)
    with waiting(model, quiet=quiet):
        report = summarize(
            model,
            parse_inputs(input),
            mode=mode.value,
            batch=batch,
            weights=weights,
            convention=count_as,
            backward=backward,
            device=device,
            device_spec=device_spec,
            freeze=freeze or (),
            unfreeze=unfreeze or (),
            head=set_head,
            receptive_fields=_shows_fields(format, columns=parse_columns(columns), sort=sort),
        )
    if isinstance(report, Checkpoint) and not _is_typed(context, "columns"):
        view["columns"] = ()  # a file of defaults has those of networks
    show(report, format=format, output=output, force=force, quiet=quiet, human=human, **view)
    if not strict:
        return
    if isinstance(report, Checkpoint):
        refused = [found.name for found in report.globals if not found.allowed]
        if refused:
            raise UnsafeToLoad(report.reference, refused)
    elif report.uncounted:
        raise UnknownOperations([unknown.op for unknown in report.uncounted])


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _check_view(view: dict[str, Any]) -> None:
    """Refuse at once what neither the table of a network takes nor that of a file of weights.

    Raises:
        UnknownChoice, BadOption: there is no such column or order, or a number cannot be used.
    """
    from cnninspect.commands.summary.rendering import SummaryView

    try:
        SummaryView(**view)
    except UnknownChoice:
        from cnninspect.commands.summary.weights_rendering import CheckpointView

        with suppress(UnknownChoice):
            CheckpointView(**view)
            return
        raise


PAGES = ("table", "markdown", "html", "latex")
"""Formats that show the columns chosen; others hold all that is known."""


def _shows_fields(format: str, *, columns: Sequence[str], sort: str | None) -> bool:  # noqa: A002
    """Whether receptive fields are asked for, by themselves or with all else."""
    if "receptive_field" in (sort, *columns):
        return True
    return format not in PAGES and not (format == "csv" and columns)
