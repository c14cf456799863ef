"""How a `GradientProfile` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from cnninspect.commands.gradients.facts import GradientView, about, notices, verdicts
from cnninspect.commands.gradients.report import GradientProfile, LayerGradients, ModelGradients
from cnninspect.commands.gradients.tables import profile_table, states_table, training_table
from cnninspect.page.formats import Field, Renderer
from cnninspect.page.page import Block, Page
from cnninspect.records.passes import Norms

NORMS = tuple(field.name for field in fields(Norms))
CSV_FIELDS = (
    "model", "step", "depth", "path", "type", "calls", "parameters", "trainable", *NORMS,
    "activation_gradient_rms_low", "activation_gradient_rms_high",
)  # fmt: skip
STATE_FIELDS = (
    "model", "path", "layer", "is_backward", "state", "time", "norm", "norm_low", "norm_high",
)  # fmt: skip


def page(report: GradientProfile, view: GradientView) -> Page:
    """Verdicts, then the profile by depth or time, then how it changed in training."""
    names = " · ".join(model.model.name for model in report.models)
    blocks: list[Block] = [verdicts(report, human=view.human)]
    if report.settings.over == "time":
        blocks.append(states_table(report, view))
    else:
        blocks.append(profile_table(report, view))
    if report.settings.steps:
        blocks.append(training_table(report))
    blocks += notices(report)
    return Page(f"gradients of {names}", about(report), tuple(blocks))


def rows(
    report: GradientProfile,
    view: GradientView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each layer of each model, and for each measured step of training.

    Over time a row for each step of each recurrent state.
    """
    if report.settings.over == "time":
        return STATE_FIELDS, _state_rows(report)
    return CSV_FIELDS, _layer_rows(report)


def _layer_rows(report: GradientProfile) -> Iterator[Sequence[Field]]:
    for model in report.models:
        profiles = [(point.step, point.layers) for point in model.training] or [(0, model.layers)]
        for step, layers in profiles:
            for layer in layers:
                yield _layer_row(model, step, layer)


def _layer_row(model: ModelGradients, step: int, layer: LayerGradients) -> Sequence[Field]:
    return (
        model.model.name, step, layer.depth, layer.path, layer.type, layer.calls,
        layer.parameters, layer.trainable, *(getattr(layer, name) for name in NORMS),
        layer.low.activation_gradient_rms, layer.high.activation_gradient_rms,
    )  # fmt: skip


def _state_rows(report: GradientProfile) -> Iterator[Sequence[Field]]:
    for model in report.models:
        for s in model.states:
            for time, (norm, low, high) in enumerate(zip(s.norms, s.low, s.high), start=1):
                yield (
                    model.model.name, s.path, s.layer, s.is_backward, s.state,
                    time, norm, low, high,
                )  # fmt: skip


RENDERER = Renderer(
    view=GradientView, page=page, rows=rows, picture="cnninspect.commands.gradients.plot:picture"
)
