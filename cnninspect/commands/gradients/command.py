"""`cnninspect gradients MODEL…`: how large the gradient is at each depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.gradients import options as chosen
from cnninspect.commands.options import parse_columns, parse_inputs
from cnninspect.commands.output import check_output, progress_bar, show, write_whole
from cnninspect.errors import BadOption, Unhealthy, UnknownChoice

if TYPE_CHECKING:
    from cnninspect.commands.gradients.report import GradientProfile, ModelGradients

OF_PATHS = frozenset(
    ("models", "input", "batch", "mode", "paths", "samples", "human", "format", "output", "force",
     "quiet", "debug", "plot")
)  # fmt: skip
"""What may be typed together with --paths."""

EXAMPLES = (
    ("cnninspect gradients plain20 resnet20 --batch 4", "Gradient norms by depth, with a verdict"),
    ("cnninspect gradients resnet20 --paths", "How many ways a gradient can take; nothing is run"),
    (
        "cnninspect gradients net.py:Net --data digits --fail-on vanishing",
        "As a gate, on real images",
    ),
)


def gradients(
    context: typer.Context,
    models: chosen.Models,
    input: options.Input = None,  # noqa: A002
    batch: chosen.Batch = None,
    mode: chosen.RunMode = options.Mode.TRAIN,
    loss: chosen.ChosenLoss = chosen.Loss.AUTO,
    aux_weight: chosen.AuxWeight = 0.3,
    data: options.Data = "random",
    seeds: chosen.Seeds = 1,
    seed: chosen.Seed = 0,
    batches: chosen.Batches = 1,
    over: chosen.Over = chosen.Axis.DEPTH,
    device: chosen.ChosenDevice = chosen.Device.CPU,
    dtype: chosen.Dtype = chosen.Precision.FLOAT32,
    init: options.Init = "default",
    weights: options.LoadWeights = None,
    freeze: options.Freeze = None,
    unfreeze: options.Unfreeze = None,
    set_head: options.SetHead = None,
    steps: chosen.Steps = 0,
    every: chosen.Every = None,
    optimizer: chosen.ChosenOptimizer = chosen.Optimizer.SGD,
    lr: chosen.Lr = None,
    paths: chosen.Paths = False,
    samples: chosen.Samples = 0,
    measure: chosen.Measure = "activation-gradient-rms",
    rows: chosen.Rows = None,
    fail_on: chosen.FailOn = None,
    human: options.Human = False,
    format: options.OutputFormat = "table",  # noqa: A002
    plot: Annotated[Optional[Path], options.plot_option("Draw it, too")] = None,
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    cluster: options.Cluster = None,
    debug: options.Debug = False,
) -> None:
    """How large the gradient is at each depth, by real passes; with a verdict for each model."""
    from cnninspect.commands.gradients import gradient_paths, gradients
    from cnninspect.commands.gradients.facts import GradientView

    unwanted = _unwanted(fail_on)
    check_output(output, force=force)
    inputs = parse_inputs(input)
    looks: dict[str, Any] = {"format": format, "output": output, "force": force}
    if paths:
        _refuse_measuring(context, may_run=bool(samples))
        kind = _picture_format(plot, force=force)
        found = gradient_paths(
            models,
            inputs,
            mode=mode.value,
            batch=batch,
            samples=samples,
            seed=seed,
            init=init,
            dtype=dtype.value,
        )
        show(found, quiet=quiet, human=human, **looks)
        if plot is not None:
            from cnninspect.commands.gradients.paths_plot import picture as picture_of_paths

            write_whole(plot, picture_of_paths(found, kind), force=force)
            if not quiet:
                typer.echo(f"wrote {plot}", err=True)
        return
    if samples:
        raise BadOption("--samples", samples, "used with --paths")
    looks |= {"measure": measure, "rows": options.parse_most(rows, "--rows")}
    GradientView(measure=measure, rows=looks["rows"])  # refuses early what cannot be used
    picture_format = _picture_format(plot, force=force)
    with progress_bar(models[0], quiet=quiet) as progress:
        report = gradients(
            models,
            inputs,
            batch=batch,
            mode=mode.value,
            loss=loss.value,
            aux_weight=aux_weight,
            data=data,
            seeds=seeds,
            seed=seed,
            batches=batches,
            over=over.value,
            device=device.value,
            dtype=dtype.value,
            init=init,
            weights=None if weights is None else str(weights),
            freeze=tuple(freeze or ()),
            unfreeze=tuple(unfreeze or ()),
            head=set_head,
            steps=steps,
            every=every,
            optimizer=optimizer.value,
            lr=lr,
            progress=progress,
            cluster=cluster,
        )
    show(report, quiet=quiet, human=human, **looks)
    if plot is not None:
        from cnninspect.commands.gradients.plot import picture

        write_whole(plot, picture(report, picture_format, measure=measure), force=force)
        if not quiet:
            typer.echo(f"wrote {plot}", err=True)
    _judge(report, unwanted)


def _refuse_measuring(context: typer.Context, *, may_run: bool) -> None:
    """See that with --paths, which runs nothing, no option was typed that is for real passes.

    With --samples it does run, from a start that can be chosen.
    """
    allowed = OF_PATHS | ({"seed", "init", "dtype"} if may_run else set())
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in allowed and source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise BadOption("--paths", f"with {option}", "used without it, since nothing is run")


def _unwanted(typed: str | None) -> tuple[str, ...]:
    """The verdicts that `--fail-on` names."""
    from cnninspect.commands.gradients.report import HEALTHY, VERDICTS

    known = tuple(verdict for verdict in VERDICTS if verdict != HEALTHY)
    words = parse_columns(typed)
    for word in words:
        if word not in known:
            raise UnknownChoice("--fail-on", word, known)
    return words


def _picture_format(plot: Path | None, *, force: bool) -> str:
    """What a picture is written as; refuses early what could not be drawn in the end."""
    if plot is None:
        return ""
    from cnninspect.page.plots import format_of, require_matplotlib

    kind = format_of(plot)
    check_output(plot, force=force)
    require_matplotlib()
    return kind


def _judge(report: GradientProfile, unwanted: tuple[str, ...]) -> None:
    """End with 3 where a model has a verdict that was named, or dead layers under another one.

    Of training, each measured step counts.
    """
    judged = ((model.model.name, _first_of(unwanted, model)) for model in report.models)
    found = [(name, verdict) for name, verdict in judged if verdict]
    if found:
        raise Unhealthy(found)


def _first_of(unwanted: tuple[str, ...], model: ModelGradients) -> str:
    """The first of these verdicts that a model has, and at which step; empty if it has none."""
    from cnninspect.commands.gradients.report import DEAD

    if model.trend.verdict in unwanted:
        return model.trend.verdict
    if model.dead and DEAD in unwanted:
        return DEAD
    for point in model.training:
        if point.trend.verdict in unwanted:
            return f"{point.trend.verdict} at step {point.step:,}"
    return ""
