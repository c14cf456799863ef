"""The limits that one types, and what several commands share around them."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

LIMITS, SPEED = "Limits: 6M, 1.5G, 100MB, 95MiB, or 60% of the baseline", "How long it takes"


def _limit(side: str, quantity: str, what: str) -> Any:
    return typer.Option(
        f"--{side}-{quantity}",
        metavar="N",
        help=f"At {'most' if side == 'max' else 'least'} so many {what}.",
        rich_help_panel=LIMITS,
        show_default=False,
    )


MaxParams = Annotated[Optional[str], _limit("max", "params", "parameters")]
MinParams = Annotated[Optional[str], _limit("min", "params", "parameters")]
MaxMacs = Annotated[Optional[str], _limit("max", "macs", "MACs")]
MinMacs = Annotated[Optional[str], _limit("min", "macs", "MACs")]
MaxActivations = Annotated[Optional[str], _limit("max", "activations", "activations")]
MinActivations = Annotated[Optional[str], _limit("min", "activations", "activations")]
MaxBytes = Annotated[Optional[str], _limit("max", "bytes", "bytes of parameters")]
MinBytes = Annotated[Optional[str], _limit("min", "bytes", "bytes of parameters")]

Baseline = Annotated[
    Optional[str],
    typer.Option(
        "--baseline",
        metavar="MODEL",
        help="The model that ratios and shares are of.",
        show_default=False,
    ),
]
Dtype = Annotated[
    Optional[str],
    typer.Option(
        "--dtype",
        metavar="DTYPE",
        help="Bytes as if parameters were stored in float16, int8, …",
        show_default=False,
    ),
]
Jobs = Annotated[
    Optional[int],
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="Processes that measure side by side; by itself as many as are worth it.",
        rich_help_panel=SPEED,
        show_default=False,
    ),
]
Cache = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        help="Remember what is measured of named architectures in the user's cache folder.",
        rich_help_panel=SPEED,
    ),
]
Sort = Annotated[
    Optional[str],
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="Sorted, largest first: macs, parameters, depth, …",
        rich_help_panel="How it looks",
        show_default=False,
    ),
]
Columns = Annotated[
    Optional[str],
    typer.Option(
        "--columns",
        metavar="A,B,…",
        help="Columns to show, in their order; a wrong name lists them all.",
        rich_help_panel="How it looks",
        show_default=False,
    ),
]
CountAs = Annotated[
    str,
    typer.Option(
        "--count-as",
        metavar="CONVENTION",
        help="Shown beside the MACs: the count by the rules of torchvision, fvcore, thop, …",
        rich_help_panel="How the model is run",
    ),
]
