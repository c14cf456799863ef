"""`cnninspect scale MODEL`: how a network grows with one of its sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands import options as limits
from cnninspect.commands.options import parse_inputs, parse_numbers
from cnninspect.commands.output import (
    check_output,
    check_picture,
    progress_bar,
    say_written,
    show,
    write_whole,
)
from cnninspect.errors import BadOption

GRID = "Sizes that go together, as of EfficientNet or wide ResNets"

EXAMPLES = (
    ("cnninspect scale resnet34", "How the work grows with the resolution"),
    ("cnninspect scale wrn28_10 --grid", "Every depth with every width of its family"),
    (
        "cnninspect scale efficientnet_b0 --grid --top 5",
        "Depth, width and resolution for twice the work",
    ),
)


def scale(
    model: options.Model,
    over: Annotated[
        Optional[str],
        typer.Option(
            "--over",
            metavar="SIZE",
            help="resolution (the default), batch, width, depth, sequence, or a setting.",
            show_default=False,
        ),
    ] = None,
    sizes: Annotated[
        Optional[str],
        typer.Option(
            "--sizes",
            metavar="A,B,…",
            help="The sizes to run at; by default such that the law is exact.",
            show_default=False,
        ),
    ] = None,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    grid: Annotated[
        bool,
        typer.Option(
            "--grid",
            help="Every α, β, γ for depth, width, resolution with α·β²·γ² ≈ 2; or every depth with "
            "every width.",
            rich_help_panel=GRID,
        ),
    ] = False,
    tolerance: Annotated[
        Optional[float],
        typer.Option(
            "--tolerance",
            metavar="X",
            help="How far α·β²·γ² may be from 2; 0.1 by default.",
            rich_help_panel=GRID,
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        Optional[int],
        typer.Option(
            "--top",
            metavar="N",
            help="Only the N points nearest to twice the work; 20 by default.",
            rich_help_panel=GRID,
            show_default=False,
        ),
    ] = None,
    depths: Annotated[
        Optional[str],
        typer.Option(
            "--depths",
            metavar="A,B,…",
            help="Of the grid of a family such as wrn28_10; by default those it names.",
            rich_help_panel=GRID,
            show_default=False,
        ),
    ] = None,
    widths: Annotated[
        Optional[str],
        typer.Option(
            "--widths",
            metavar="A,B,…",
            help="The same, for the width.",
            rich_help_panel=GRID,
            show_default=False,
        ),
    ] = None,
    jobs: limits.Jobs = None,
    cache: limits.Cache = True,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    plot: Annotated[Optional[Path], options.plot_option("Draw the growth")] = None,
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:
    """How MACs, parameters and activations grow with a size: the exact law, as a formula."""
    from cnninspect.commands.scale import scale, scale_grid
    from cnninspect.commands.scale.report import CompoundGrid

    check_output(output, force=force)
    check_picture(plot, force=force)
    written = {"format": format, "output": output, "force": force, "quiet": quiet}
    if not grid:
        for option, value in (
            ("--tolerance", tolerance), ("--top", top), ("--depths", depths), ("--widths", widths),
        ):  # fmt: skip
            if value is not None:
                raise BadOption(option, value, "used with --grid")
        report = scale(
            model,
            parse_inputs(input),
            over=over or "resolution",
            sizes=parse_numbers(sizes, "--sizes"),
            batch=batch,
            mode=mode.value,
        )
        show(report, human=human, **written)  # type: ignore[arg-type]
        if plot is not None:
            from cnninspect.commands.scale.plot import picture
            from cnninspect.page.plots import format_of

            write_whole(plot, picture(report, format_of(plot)), force=force)
            say_written(plot, quiet=quiet)
        return
    if plot is not None:
        raise BadOption("--grid", "with --plot", "used without it")
    if over is not None or sizes is not None or input is not None:
        raise BadOption("--grid", "with --over, --sizes or --input", "used without them")
    with progress_bar("measuring", quiet=quiet) as progress:
        found = scale_grid(
            model,
            tolerance=tolerance or 0.1,
            depths=parse_numbers(depths, "--depths"),
            widths=parse_numbers(widths, "--widths"),
            jobs=jobs,
            remember=cache,
            progress=progress,
        )
    if isinstance(found, CompoundGrid):
        show(found, human=human, top=20 if top is None else top, **written)  # type: ignore[arg-type]
        return
    for option, value in (("--tolerance", tolerance), ("--top", top)):
        if value is not None:
            raise BadOption(option, value, "left out: these are depths and widths")
    show(found, human=human, **written)  # type: ignore[arg-type]
