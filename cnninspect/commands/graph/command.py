"""`cnninspect graph MODEL`: a picture of the dataflow, with the numbers in it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import check_output, say_written, show, waiting, write_whole
from cnninspect.errors import UnknownOperations

if TYPE_CHECKING:
    from cnninspect.metrics.dataflow import Graph

EXAMPLES = (
    ("cnninspect graph resnet18 -o resnet18.svg", "A picture of the network, equal blocks once"),
    ("cnninspect graph resnet34 --layer layer2.0", "The inside of one block, as a table"),
    ("cnninspect graph net.py:Net -o net.html", "A page to go into modules by clicks"),
)
PICTURES = (".svg", ".png", ".pdf", ".html")


class ColorBy(str, Enum):
    """What the colour of a box is a share of."""

    MACS = "macs"
    PARAMETERS = "parameters"
    TIME = "time"
    MEMORY = "memory"


def graph(
    model: options.Model,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    weights: options.Weights = None,
    strict: options.Strict = False,
    layer: Annotated[
        str,
        typer.Option(
            "--layer",
            metavar="PATH",
            help="Draw the inside of this module: layer1.0.",
            rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = "",
    level: Annotated[
        Optional[str],
        typer.Option(
            "--level",
            metavar="N|all",
            help="Names in the paths down to which modules are boxes; by default as many as can "
            "be read.",
            rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ] = None,
    color_by: Annotated[
        ColorBy,
        typer.Option("--color-by", help="What the colours show.", rich_help_panel=options.LOOKS),
    ] = ColorBy.MACS,
    device_spec: Annotated[
        Optional[str],
        typer.Option(
            "--device-spec",
            metavar="DEVICE[:DTYPE]",
            help="Write the least time on a100, h100, h200, rtx4090, this or cpu:GFLOPS:GBPS in "
            "each box; --color-by time takes a100 unless told otherwise.",
            rich_help_panel=options.RUNS,
            show_default=False,
        ),
    ] = None,
    fold: Annotated[
        bool,
        typer.Option(
            "--fold/--no-fold",
            help="Draw equal blocks in a row once, with their number.",
            rich_help_panel=options.LOOKS,
        ),
    ] = True,
    receptive_field: Annotated[
        bool,
        typer.Option(
            "--receptive-field",
            help="Write the receptive field in each box.",
            rich_help_panel=options.LOOKS,
        ),
    ] = False,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    output: Annotated[
        Optional[Path],
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to a file: a picture where it ends in .svg, .png, .pdf or .html.",
            rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ] = None,
    fresh: options.Fresh = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """The dataflow of a network or of one block: boxes are modules, arrows are tensors.

    With -o net.svg, .png or .pdf a picture, with .html one to go into by clicks; else a table.
    """
    from cnninspect.commands.graph import graph, graphs

    check_output(output, force=force)
    suffix = output.suffix.lower() if output is not None else ""
    is_picture = suffix in PICTURES and format in ("table", suffix[1:])
    if is_picture and suffix in (".png", ".pdf"):
        from cnninspect.page.plots import require_matplotlib

        require_matplotlib()
    is_page = suffix == ".html" if is_picture else format == "html"
    with waiting(model, quiet=quiet):
        made = (graphs if is_page else graph)(
            model,
            parse_inputs(input),
            layer=layer,
            level=options.parse_most(level, "--level", least=1),
            color_by=color_by.value,
            fold=fold,
            receptive_fields=receptive_field,
            device_spec=device_spec,
            mode=mode.value,
            batch=batch,
            weights=weights,
        )
    drawings = made if isinstance(made, tuple) else (made,)
    report = drawings[0]
    if is_page:
        from cnninspect.page.drawings.page import write_page

        text = write_page(drawings, human=human)
        if output is not None:
            write_whole(output, text, force=force)
            say_written(output, quiet=quiet)
        elif not quiet:
            from cnninspect.commands.output import print_data

            print_data(text)
    elif is_picture and output is not None:
        write_whole(output, _picture(report, suffix, human=human), force=force)
        say_written(output, quiet=quiet)
    else:
        show(report, format=format, output=output, force=force, quiet=quiet, human=human)
    if strict and report.uncounted:
        raise UnknownOperations([unknown.op for unknown in report.uncounted])


def _picture(report: Graph, suffix: str, *, human: bool) -> str | bytes:
    """The content of a picture file."""
    from cnninspect.page.drawings.bitmap import write_bitmap
    from cnninspect.page.drawings.drawing import drawn
    from cnninspect.page.drawings.svg import write_svg

    drawing = drawn(report, human=human)
    return write_svg(drawing) if suffix == ".svg" else write_bitmap(drawing, suffix[1:])
