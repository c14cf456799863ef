"""`cnninspect weights FILE…`: norms, histogram, sparsity, NaN, spectral norm of each tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import (
    check_output,
    check_picture,
    say_written,
    show,
    write_whole,
)
from cnninspect.errors import BadOption

REUSE = "Feature reuse, as of DenseNet"

EXAMPLES = (
    ("cnninspect weights mlp.safetensors", "Each tensor of a file: norms, histogram, sparsity"),
    ("cnninspect weights before.safetensors after.safetensors", "Two files side by side"),
    (
        "cnninspect weights densenet_bc100_k12 --feature-reuse --plot reuse.png",
        "Which layers read whose channels, and how much",
    ),
)


def weights(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|MODEL…",
            help="Files of weights, side by side; or networks as they start.",
            show_default=False,
        ),
    ],
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, help="Of networks as they start.", rich_help_panel=options.RUNS
        ),
    ] = 0,
    feature_reuse: Annotated[
        bool,
        typer.Option(
            "--feature-reuse",
            help="How much each layer reads of those whose channels are joined for it.",
            rich_help_panel=REUSE,
        ),
    ] = False,
    weights: Annotated[
        Optional[Path],
        typer.Option(
            "--weights",
            metavar="FILE",
            help="Load these into the network first.",
            rich_help_panel=REUSE,
            show_default=False,
        ),
    ] = None,
    input: options.Input = None,  # noqa: A002
    plot: Annotated[
        Optional[Path], options.plot_option("Draw a heat map for each block", panel=REUSE)
    ] = None,
    rows: Annotated[Optional[str], options.rows_option("Tensors")] = None,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Norms, histogram, sparsity, NaN and spectral norm of each tensor, read piece by piece."""
    from cnninspect.commands.weights import feature_reuse as reuse
    from cnninspect.commands.weights import weights as figures

    most = options.parse_most(rows, "--rows", usual=40)
    check_output(output, force=force)
    written = {"format": format, "output": output, "force": force, "quiet": quiet}
    if not feature_reuse:
        for option, value in (("--weights", weights), ("--plot", plot), ("--input", input)):
            if value is not None:
                raise BadOption(option, value, "used with --feature-reuse")
        show(figures(files, seed=seed), rows=most, **written)  # type: ignore[arg-type]
        return
    if len(files) > 1:
        raise BadOption("--feature-reuse", " ".join(files), "used with one network")
    check_picture(plot, force=force)
    report = reuse(files[0], parse_inputs(input), weights=weights, seed=seed)
    show(report, **written)  # type: ignore[arg-type]
    if plot is not None:
        from cnninspect.commands.weights.reuse_rendering import picture
        from cnninspect.page.plots import format_of

        write_whole(plot, picture(report, format_of(plot)), force=force)
        say_written(plot, quiet=quiet)
