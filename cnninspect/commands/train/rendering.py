"""How a `Training` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from cnninspect.commands.train.report import (
    COMPLETED,
    EARLY,
    GOOD,
    NOT_FINITE,
    OVERFITTING,
    Degradation,
    Epoch,
    TrainedModel,
    Training,
)
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Kind, Notice, Page, Style, Table
from cnninspect.page.plots import (
    in_style,
    line_style,
    literal_text,
    new_figure,
    ramp_style,
    written,
)
from cnninspect.page.quantities import plural
from cnninspect.records.passes import ParameterStep

EPOCH_FIELDS = tuple(field.name for field in fields(Epoch))
MOST_ROWS = 20
"""Epochs that a table shows; of more, some at even distances."""


def page(report: Training, view: View) -> Page:  # noqa: ARG001
    """Verdicts, then the epochs of each model, then what depth did."""
    blocks: list[Block] = [_models(report)]
    for model in report.models:
        blocks.append(_epochs(model, is_alone=len(report.models) == 1))
        if model.steps:
            blocks.append(_steps(model, report.settings.optimizer))
    if report.degradation:
        blocks.append(_degradation(report.degradation))
    blocks += _notices(report)
    names = " · ".join(model.model.name for model in report.models)
    return Page(f"training of {names}", _about(report), tuple(blocks))


def _about(report: Training) -> str:
    settings = report.settings
    parts = [
        f"{report.data.name}: {report.trained_examples:,} examples to learn from, "
        f"{report.held_out_examples:,} held out, {len(report.data.classes)} classes",
        f"{settings.optimizer}, learning rate {settings.learning_rate:g}"
        + ("" if settings.schedule == "constant" else f" ({settings.schedule})"),
        f"batch {settings.batch}",
    ]
    for name, value in (
        ("weight decay", settings.weight_decay),
        ("L1", settings.l1),
        ("label smoothing", settings.label_smoothing),
    ):
        if value:
            parts.append(f"{name} {value:g}")
    parts += [f"augmented by {' and '.join(settings.augment)}"] if settings.augment else []
    parts += [f"{settings.init} initialisation"] if settings.init != "default" else []
    parts += ["weights from a file"] if settings.weights else []
    parts += [f"frozen: {', '.join(settings.freeze)}"] if settings.freeze else []
    parts += [f"seed {settings.seed}"]
    return " · ".join(parts)


MODEL_COLUMNS = (
    Column("model", Kind.PATH),
    Column("epochs", Kind.NUMBER),
    Column("loss", Kind.NUMBER),
    Column("accuracy", Kind.NUMBER),
    Column("held-out\nloss", Kind.NUMBER),
    Column("held-out\naccuracy", Kind.NUMBER),
    Column("gap", Kind.NUMBER, sacrifice=3),
    Column("fit", Kind.SHAPE),
    Column("parameters", Kind.NUMBER, sacrifice=1),
    Column("trained", Kind.NUMBER, sacrifice=2),
)


def _models(report: Training) -> Table:
    rows = []
    for model in report.models:
        last = _kept(model)
        figures = (
            [Cell("")] * 4
            if last is None
            else [
                Cell(f"{last.loss:.4f}"),
                Cell(f"{last.accuracy:.4f}"),
                Cell(f"{last.held_out_loss:.4f}"),
                Cell(f"{last.held_out_accuracy:.4f}", Style.STRONG),
            ]
        )
        fit = model.fit
        word = fit.verdict if fit.since_epoch is None else f"{fit.verdict} since {fit.since_epoch}"
        rows.append(
            (
                Cell(model.model.name),
                Cell(f"{len(model.epochs)}"),
                *figures,
                Cell(f"{fit.gap:+.3f}" if fit.gap == fit.gap else ""),
                Cell(word, Style.GOOD if fit.verdict == GOOD else Style.WARNING),
                Cell(f"{model.parameters:,}"),
                Cell(f"{model.trained_parameters:,}"),
            )
        )
    return Table(MODEL_COLUMNS, tuple(rows))


def _kept(model: TrainedModel) -> Epoch | None:
    """The epoch whose weights were kept."""
    return next((each for each in model.epochs if each.epoch == model.kept_epoch), None)


def _epochs(model: TrainedModel, *, is_alone: bool) -> Table:
    columns = (
        Column("epoch", Kind.NUMBER),
        Column("loss", Kind.NUMBER),
        Column("accuracy", Kind.NUMBER),
        Column("held-out\nloss", Kind.NUMBER),
        Column("held-out\naccuracy", Kind.NUMBER),
        Column("gradient\nnorm", Kind.NUMBER, sacrifice=2),
        Column("weight\nnorm", Kind.NUMBER, sacrifice=3),
        Column("learning\nrate", Kind.NUMBER, sacrifice=1),
    )
    rows = [
        (
            Cell(f"{each.epoch}", Style.FAINT),
            Cell(f"{each.loss:.4f}"),
            Cell(f"{each.accuracy:.4f}"),
            Cell(f"{each.held_out_loss:.4f}"),
            Cell(f"{each.held_out_accuracy:.4f}"),
            Cell(f"{each.gradient_norm:.3g}"),
            Cell(f"{each.weight_norm:.4g}"),
            Cell(f"{each.learning_rate:.3g}"),
        )
        for each in _shown(model.epochs)
    ]
    left_out = len(model.epochs) - len(rows)
    remarks = [f"{plural(left_out, 'epoch')} between left out; --format csv has all"]
    return Table(
        columns,
        tuple(rows),
        title="" if is_alone else model.model.name,
        remarks=tuple(remarks if left_out else ()),
    )


def _shown(epochs: Sequence[Epoch]) -> list[Epoch]:
    if len(epochs) <= MOST_ROWS:
        return list(epochs)
    places = {round(i * (len(epochs) - 1) / (MOST_ROWS - 1)) for i in range(MOST_ROWS)}
    return [each for place, each in enumerate(epochs) if place in places]


MOST_TENSORS = 40
"""Parameter tensors that a table shows."""


def _steps(model: TrainedModel, optimizer: str) -> Table:
    """What the optimizer did to each tensor: at its first step, in between, and at the last."""
    by_name = _by_name(model.steps)
    numbers = list(dict.fromkeys(step.step for step in model.steps))
    shown = sorted({numbers[0], numbers[len(numbers) // 2], numbers[-1]})
    columns = [
        Column("parameter", Kind.PATH),
        Column("gradient\nrms", Kind.NUMBER, name="gradient rms", sacrifice=2),
        Column("step\nrms", Kind.NUMBER, name="step rms", sacrifice=3),
        *(
            Column(f"rate at\nstep {number:,}", Kind.NUMBER, name=f"rate at step {number}")
            for number in shown
        ),
        Column("its quartiles", Kind.SHAPE, sacrifice=1),
    ]
    rows = []
    for name, steps in list(by_name.items())[:MOST_TENSORS]:
        last, at = steps[-1], {step.step: step for step in steps}
        rows.append(
            (
                Cell(name),
                Cell(f"{last.gradient_rms:.2e}"),
                Cell(f"{last.change_rms:.2e}"),
                *(Cell(f"{at[n].rate:.2e}" if n in at else "") for n in shown),
                Cell(f"{last.low:.1e} – {last.high:.1e}"),
            )
        )
    about = "rate: what the gradient, or its running mean, is multiplied with, the median of"
    remarks = [f"{about} a tensor's elements; the rest is of step {numbers[-1]:,}"]
    if len(by_name) > MOST_TENSORS:
        left_out = plural(len(by_name) - MOST_TENSORS, "tensor")
        remarks.append(f"{left_out} more; --format json has all")
    return Table(
        tuple(columns),
        tuple(rows),
        title=f"{model.model.name}: steps of {optimizer} by parameter",
        remarks=tuple(remarks),
    )


def _by_name(steps: Sequence[ParameterStep]) -> dict[str, list[ParameterStep]]:
    found: dict[str, list[ParameterStep]] = {}
    for step in steps:
        found.setdefault(step.name, []).append(step)
    return found


def _degradation(pairs: Sequence[Degradation]) -> Table:
    columns = (
        Column("shallower", Kind.PATH),
        Column("accuracy", Kind.NUMBER),
        Column("deeper", Kind.PATH),
        Column("accuracy", Kind.NUMBER, name="its accuracy"),
        Column("degradation", Kind.SHAPE),
    )
    rows = tuple(
        (
            Cell(pair.shallower),
            Cell(f"{pair.shallower_accuracy:.4f}"),
            Cell(pair.deeper),
            Cell(f"{pair.deeper_accuracy:.4f}"),
            Cell(
                "seen" if pair.is_seen else "not seen",
                Style.WARNING if pair.is_seen else Style.GOOD,
            ),
        )
        for pair in pairs
    )
    return Table(
        columns,
        rows,
        title="does depth make it worse, on what it was trained on?",
        remarks=("degradation: over 0.01 less accuracy, and a higher loss (He et al. 2015)",),
    )


def _notices(report: Training) -> Iterator[Notice]:
    several = len(report.models) > 1
    for model in report.models:
        name = f"{model.model.name}: " if several else ""
        stop = model.stop
        if stop.reason == NOT_FINITE:
            where = f", first in the output of {stop.layer}" if stop.layer else ""
            yield Notice(
                f"{name}stopped: the loss is not finite at step {stop.step:,} "
                f"(epoch {stop.epoch}){where}",
                style=Style.BAD,
            )
            continue
        yield Notice(f"{name}{model.fit.verdict}: {model.fit.reason}")
        if stop.reason != COMPLETED:
            yield Notice(f"{name}{stop.reason} after epoch {stop.epoch}")
        if report.settings.patience is not None or stop.reason == EARLY:
            yield Notice(f"{name}the weights of epoch {model.kept_epoch} were kept")
    if report.data.skipped:
        skipped = plural(report.data.skipped, "file")
        yield Notice(f"{skipped} could not be read as images and were skipped", style=Style.WARNING)
    for note in dict.fromkeys(note for model in report.models for note in model.notes):
        yield Notice(note)


def rows(
    report: Training,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each epoch of each model."""
    return ("model", *EPOCH_FIELDS), (
        (model.model.name, *(getattr(each, name) for name in EPOCH_FIELDS))
        for model in report.models
        for each in model.epochs
    )


RENDERER = Renderer(
    view=View, page=page, rows=rows, picture="cnninspect.commands.train.rendering:picture"
)


PANELS = (("loss", "held_out_loss", "loss"), ("accuracy", "held_out_accuracy", "accuracy"))


@in_style
def picture(report: Training, format: str) -> bytes:  # noqa: A002
    """The content of a picture file: solid lines for training, dashed ones for what was held out.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    watched = [model for model in report.models if model.steps]
    figure, axes = new_figure(2 + len(watched), inches=(5.6, 4.4))
    for axis, model in zip(axes[2:], watched):
        _draw_steps(axis, model, is_alone=len(report.models) == 1)
    for axis, (trained, held_out, label) in zip(axes, PANELS):
        for number, model in enumerate(report.models):
            _draw(axis, model, number, (trained, held_out), is_alone=len(report.models) == 1)
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
    if all(each.loss > 0 for model in report.models for each in model.epochs):
        axes[0].set_yscale("log")
    axes[0].legend(loc="best", fontsize=8)
    settings = report.settings
    title = (
        f"{report.data.name}, {report.held_out_examples:,} of "
        f"{report.trained_examples + report.held_out_examples:,} held out · {settings.optimizer}, "
        f"learning rate {settings.learning_rate:g}"
    )
    figure.suptitle(literal_text(title), x=0.01, ha="left", fontsize=9, color="#555555")
    return written(figure, format)


FEW = 8
"""Lines that have names beside them."""


def _draw_steps(axis: Any, model: TrainedModel, *, is_alone: bool) -> None:
    """A line for each parameter tensor, from dark (the first) to light, with its quartiles."""
    by_name = _by_name(model.steps)
    for number, (name, steps) in enumerate(by_name.items()):
        style = line_style(number) if len(by_name) <= FEW else ramp_style(number, len(by_name))
        places = [step.step for step in steps]
        axis.plot(places, [step.rate for step in steps], label=literal_text(name), **style)
        if len(by_name) <= FEW:
            axis.fill_between(
                places, [step.low for step in steps], [step.high for step in steps],
                color=style["color"], alpha=0.12, linewidth=0,
            )  # fmt: skip
    axis.set_yscale("log")
    axis.set_xlabel("step")
    axis.set_ylabel("effective learning rate")
    if len(by_name) <= FEW:
        axis.legend(loc="best", fontsize=8)
        about = "bands: quartiles of its elements"
    else:
        about = f"{len(by_name)} parameter tensors, the first dark"
    name = "" if is_alone else f"{model.model.name}: "
    axis.set_title(literal_text(name + about), fontsize=9)


def _draw(
    axis: Any, model: TrainedModel, number: int, fields: tuple[str, str], *, is_alone: bool
) -> None:
    style = line_style(number)
    places = [each.epoch for each in model.epochs]
    name = "" if is_alone else f"{model.model.name}, "
    marker = "o" if len(places) < 30 else ""
    for field, label, dashes in zip(fields, ("training", "held out"), ("-", (0, (4, 2)))):
        axis.plot(
            places,
            [getattr(each, field) for each in model.epochs],
            label=literal_text(name + label),
            **{**style, "linestyle": dashes},
            marker=marker,
            markersize=3,
        )
    since = model.fit.since_epoch
    if is_alone and model.fit.verdict == OVERFITTING and since:
        axis.axvline(since, color="#999999", linewidth=1, linestyle=":")
        axis.annotate(
            "overfitting from here", (since, 0.02), xycoords=("data", "axes fraction"),
            xytext=(4, 0), textcoords="offset points", fontsize=8, color="#555555",
        )  # fmt: skip
