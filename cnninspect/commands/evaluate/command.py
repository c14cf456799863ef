"""`cnninspect evaluate MODEL`: confusion, precision, recall, F-beta on data or predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_columns, parse_inputs
from cnninspect.commands.output import check_output, check_picture, progress_bar, show, write_whole
from cnninspect.errors import BadOption, BelowTarget, UnknownChoice

if TYPE_CHECKING:
    from cnninspect.commands.evaluate.report import Evaluation

JUDGED = "What is judged"
MEASURES = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f_beta", "top_k_accuracy",
)  # fmt: skip

EXAMPLES = (
    (
        "cnninspect evaluate mlp --weights mlp.safetensors",
        "Accuracy, precision and recall of what train wrote",
    ),
    (
        "cnninspect evaluate --predictions predictions.csv",
        "The same of predictions that are there already",
    ),
    (
        "cnninspect evaluate mlp --weights mlp.safetensors --fail-under accuracy=0.9",
        "As a gate: exit code 3 below",
    ),
)


def evaluate(
    model: Annotated[
        Optional[str],
        typer.Argument(
            metavar="[MODEL]",
            help="A reference, or model.onnx; none with --predictions.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Optional[Path],
        typer.Option(
            "--weights",
            "-w",
            metavar="FILE",
            help="The trained weights: safetensors, or a state dict, read safely.",
            rich_help_panel=JUDGED,
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Optional[str],
        typer.Option(
            "--data",
            metavar="digits|DIR|FILE.npz",
            help="By what it is judged; digits unless given.",
            rich_help_panel=JUDGED,
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        Optional[Path],
        typer.Option(
            "--predictions",
            metavar="FILE.csv",
            help="Columns label and prediction, or label and scores by class.",
            rich_help_panel=JUDGED,
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        Optional[str],
        typer.Option(
            "--classes",
            metavar="A,B,…",
            help="All classes of the predictions, in their order.",
            rich_help_panel=JUDGED,
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        str,
        typer.Option(
            "--part",
            help="held-out, all, or auto: held-out where the weights were trained on these data.",
            rich_help_panel=JUDGED,
        ),
    ] = "auto",
    held_out: Annotated[
        float,
        typer.Option(
            "--held-out",
            help="Share that was kept back, where the weights do not say it.",
            rich_help_panel=JUDGED,
        ),
    ] = 0.2,
    input: options.Input = None,  # noqa: A002
    device: Annotated[
        str,
        typer.Option("--device", help="cpu, cuda, mps or auto.", rich_help_panel=options.RUNS),
    ] = "cpu",
    beta: Annotated[
        float,
        typer.Option(
            "--beta", help="Of F-beta: above 1 weighs recall more.", rich_help_panel=options.LOOKS
        ),
    ] = 1.0,
    top_k: Annotated[
        int,
        typer.Option(
            "--top-k",
            min=1,
            help="Right is a label among the K highest scores.",
            rich_help_panel=options.LOOKS,
        ),
    ] = 5,
    shares: Annotated[
        bool,
        typer.Option(
            "--shares",
            help="Confusions as shares of each label's examples.",
            rich_help_panel=options.LOOKS,
        ),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, help="Of the confidence intervals.", rich_help_panel=options.LOOKS
        ),
    ] = 0,
    fail_under: Annotated[
        Optional[str],
        typer.Option(
            "--fail-under",
            metavar="NAME=X,…",
            help="Exit with 3 below: accuracy=0.95, f_beta=0.9, recall=0.9, …",
            rich_help_panel=options.RUNS,
            show_default=False,
        ),
    ] = None,
    plot: Annotated[Optional[Path], options.plot_option("Draw the confusions")] = None,
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Accuracy, confusions, precision, recall and F-beta by class, with confidence intervals."""
    from cnninspect.commands.evaluate import evaluate as judge

    wanted = _wanted(fail_under)
    check_output(output, force=force)
    check_picture(plot, force=force)
    with progress_bar(model or str(predictions), quiet=quiet) as progress:
        report = judge(
            model,
            parse_inputs(input),
            weights=weights,
            data=data,
            predictions=predictions,
            classes=parse_columns(classes),
            part=part,
            held_out=held_out,
            beta=beta,
            top_k=top_k,
            seed=seed,
            device=device,
            progress=progress,
        )
    show(report, format=format, output=output, force=force, quiet=quiet, shares=shares)
    if plot is not None:
        from cnninspect.commands.evaluate.rendering import picture
        from cnninspect.page.plots import format_of

        write_whole(plot, picture(report, format_of(plot)), force=force)
        if not quiet:
            typer.echo(f"wrote {plot}", err=True)
    _judge(report, wanted)


def _wanted(typed: str | None) -> dict[str, float]:
    """The least that `--fail-under` asks for, by measure.

    Raises:
        UnknownChoice, BadOption: there is no such measure, or it has no number.
    """
    found = {}
    for word in parse_columns(typed):
        name, _, number = word.partition("=")
        if name not in MEASURES:
            raise UnknownChoice("--fail-under", name, MEASURES)
        try:
            found[name] = float(number)
        except ValueError:
            raise BadOption("--fail-under", word, f"{name}=0.95, say") from None
    return found


def _judge(report: Evaluation, wanted: dict[str, float]) -> None:
    """End with 3 where a measure is below what was asked for, or is not known."""
    measures = report.measures()
    missed = []
    for name, least in wanted.items():
        value = measures[name]
        if value is None or not value >= least:
            missed.append((name, float("nan") if value is None else value, least))
    if missed:
        raise BelowTarget(missed)
