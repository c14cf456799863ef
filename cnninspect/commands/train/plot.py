"""Curves of training: loss and accuracy by epoch, on what was seen and on what was held out."""

from __future__ import annotations

from typing import Any

from cnninspect.commands.train.report import OVERFITTING, TrainedModel, Training
from cnninspect.page.escaping import visible
from cnninspect.page.plots import in_style, line_style, new_figure, written

PANELS = (("loss", "held_out_loss", "loss"), ("accuracy", "held_out_accuracy", "accuracy"))


@in_style
def picture(report: Training, format: str) -> bytes:  # noqa: A002
    """The content of a picture file: solid lines for training, dashed ones for what was held out.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    figure, axes = new_figure(2, inches=(5.6, 4.4))
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
    figure.suptitle(_plain(title), x=0.01, ha="left", fontsize=9, color="#555555")
    return written(figure, format)


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
            label=_plain(name + label),
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


def _plain(text: str) -> str:
    """Text that is drawn as it stands: dollar signs would start a formula."""
    return visible(text).replace("$", r"\$")
