"""Models stage by stage: each size of map with the models under it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.records.comparison import ComparedModel, StageFigures
from cnninspect.render.comparison_view import ComparisonView
from cnninspect.render.pages import Cell, Column, Kind, Style, Table
from cnninspect.render.plain_data import Field
from cnninspect.render.quantities import ZERO, count, share

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
