"""How a `Comparison` is written: models side by side, and stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cnninspect.commands.compare.report import Comparison
from cnninspect.metrics.figures import ComparedModel
from cnninspect.metrics.summary import StageFigures
from cnninspect.page.figure_columns import tensor_shapes
from cnninspect.page.footers import tensors_text
from cnninspect.page.formats import Field, Renderer
from cnninspect.page.model_table import (
    ComparisonView,
    chosen,
    failures,
    gaps,
    limit_facts,
    model_rows,
    model_table,
    note_facts,
)
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Page, Style, Table
from cnninspect.page.quantities import ZERO, count, plural, share

STAGE_COLUMNS = (
    Column("stage", Kind.WORD),
    Column("model", Kind.PATH),
    Column("layers", Kind.NUMBER, sacrifice=3),
    Column("parameters", Kind.NUMBER),
    Column("%", Kind.NUMBER, "parameters_share", sacrifice=2),
    Column("MACs", Kind.NUMBER),
    Column("%", Kind.NUMBER, "macs_share", sacrifice=4),
    Column("activations", Kind.NUMBER, sacrifice=1),
)
STAGE_FIELDS = ("stage", "model", "layers", "parameters", "macs", "activations")
REMARK = (
    "a stage is named by the side of its map as a share of the input's; layers are those with MACs"
)


def stage_table(models: Sequence[ComparedModel], view: ComparisonView) -> Table:
    """Each stage with a row for each model that has it."""
    rows = []
    for name in stage_names(models):
        label = name
        for model, stage in _having(name, models):
            rows.append(_row(label, model, stage, human=view.human))
            label = ""
    return Table(STAGE_COLUMNS, tuple(rows), remarks=(REMARK,))


def stage_names(models: Sequence[ComparedModel]) -> list[str]:
    """Every stage that some model has: each after those before it in the models that have it."""
    names: list[str] = []
    for model in models:
        place = 0
        for stage in model.stages:
            if stage.name in names:
                place = names.index(stage.name) + 1
            else:
                names.insert(place, stage.name)
                place += 1
    return names


def stage_rows(models: Sequence[ComparedModel]) -> Iterator[Sequence[Field]]:
    """The same rows with exact numbers."""
    for name in stage_names(models):
        for model, stage in _having(name, models):
            counts = stage.counts
            yield (
                name,
                model.model.reference,
                stage.layers,
                counts.parameters,
                counts.macs,
                counts.activations,
            )


def _having(
    name: str, models: Sequence[ComparedModel]
) -> Iterator[tuple[ComparedModel, StageFigures]]:
    for model in models:
        for stage in model.stages:
            if stage.name == name:
                yield model, stage


def _row(label: str, model: ComparedModel, stage: StageFigures, *, human: bool) -> tuple[Cell, ...]:
    counts, totals = stage.counts, model.totals

    def number(value: int) -> Cell:
        return Cell(count(value, human=human)) if value else Cell(ZERO, Style.FAINT)

    return (
        Cell(label, Style.STRONG, full=stage.name),
        Cell(model.model.name, full=model.model.reference),
        Cell(f"{stage.layers:,}"),
        number(counts.parameters),
        Cell(share(counts.parameters, totals.parameters), Style.FAINT),
        number(counts.macs),
        Cell(share(counts.macs, totals.macs), Style.FAINT),
        number(counts.activations),
    )


def page(report: Comparison, view: ComparisonView) -> Page:
    """The table of models, what failed, what is unknown, the limits and notes."""
    models = chosen(report.models, view)
    blocks: list[Block] = []
    if models and view.by == "stage":
        blocks.append(stage_table(models, view))
    elif models or report.failed:
        blocks.append(
            model_table(models, report.failed, view, has_ratios=report.baseline is not None,
                        has_limits=bool(report.limits))
        )  # fmt: skip
    blocks += [*gaps(models), *failures(report.failed)]
    fitting = sum(1 for model in models if model.fits)
    facts = [*limit_facts(report.limits, human=view.human, models=models)]
    if report.limits:
        facts.append(Fact("fit", f"{fitting:,} of {plural(len(models), 'model')}"))
    facts += _measured(models)
    facts += note_facts(models, report.notes)
    if facts:
        blocks.append(Facts(tuple(facts)))
    number = len(report.models) + len(report.failed)
    return Page(plural(number, "model"), _about(report, view), tuple(blocks))


def _measured(models: Sequence[ComparedModel]) -> Iterator[Fact]:
    """On what the accuracy was measured, and between which values it lies."""
    found = [(model.model.name, model.measured) for model in models if model.measured]
    if not found:
        return
    _, first = found[0]
    part = "held out" if first.part == "held-out" else "in all"
    yield Fact("measured", f"on {first.data}, {first.examples:,} examples {part}")
    ranges = (f"{name} {100 * m.low:.1f} – {100 * m.high:.1f}" for name, m in found)
    yield Fact("95 %", ", ".join(ranges))


def _about(report: Comparison, view: ComparisonView) -> str:
    parts = []
    has_ratios = any(name.endswith("_ratio") for name in view.columns) or not view.columns
    is_by_model = view.by == "model"
    if len(report.models) > 1 and report.baseline is not None and has_ratios and is_by_model:
        parts.append(f"× is the ratio to {report.baseline}")
    if report.models and len({tensor_shapes(model) for model in report.models}) == 1:
        parts.append(f"input {tensors_text(report.models[0].inputs)}")
    parts += sorted({model.mode for model in report.models})
    return " · ".join(parts)


# --- data ---


def rows(
    report: Comparison, view: ComparisonView
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each model, or for each stage of each model."""
    models = chosen(report.models, view)
    if view.by == "stage":
        return STAGE_FIELDS, stage_rows(models)
    return model_rows(models, report.failed, view)


def data(report: Comparison, view: ComparisonView) -> dict[str, Any]:
    """The report as plain data, with the models chosen."""
    return replace(report, models=tuple(chosen(report.models, view))).to_dict()


RENDERER = Renderer(
    view=ComparisonView,
    page=page,
    rows=rows,
    data=data,
    picture="cnninspect.page.plots:picture_of_models",
)
