"""`cnninspect weights FILE…`: norms, histogram, sparsity, NaN, spectral norm of each tensor."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.output import check_output, show
from cnninspect.errors import BadOption

EXAMPLES = (
    ("cnninspect weights mlp.safetensors", "Each tensor of a file: norms, histogram, sparsity"),
    ("cnninspect weights before.safetensors after.safetensors", "Two files side by side"),
    ("cnninspect weights lenet5_modern", "A network as it starts"),
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
    rows: Annotated[
        Optional[str],
        typer.Option(
            "--rows",
            metavar="N|all",
            help="Tensors that are shown, 40 unless more are asked for.",
            rich_help_panel=options.LOOKS,
            show_default=False,
        ),
    ] = None,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Norms, histogram, sparsity, NaN and spectral norm of each tensor, read piece by piece."""
    from cnninspect.commands.weights import weights as figures

    if rows is not None and rows != "all" and not rows.isdecimal():
        raise BadOption("--rows", rows, "a whole number, or all")
    check_output(output, force=force)
    most = 40 if rows is None else None if rows == "all" else int(rows)
    show(figures(files, seed=seed), format=format, output=output, force=force, quiet=quiet,
         rows=most)  # fmt: skip
