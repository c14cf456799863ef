"""How a `Comparison` is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from cnninspect.records.comparison import ComparedModel, Comparison, LimitText, Unmeasured
from cnninspect.records.limits import QUANTITIES
from cnninspect.render.comparison_view import ComparisonView
from cnninspect.render.figure_columns import (
    COLUMNS,
    CSV_FIELDS,
    SACRIFICES,
    csv_values,
    telling,
    tensor_shapes,
)
from cnninspect.render.lower_bounds import lower_bounds
from cnninspect.render.pages import (
    Block,
    Cell,
    Column,
    Fact,
    Facts,
    Kind,
    Notice,
    Page,
    Style,
    Table,
    chooser,
)
from cnninspect.render.plain_data import Field
from cnninspect.render.quantities import count, plural
from cnninspect.render.renderers import Renderer
from cnninspect.render.stage_table import STAGE_FIELDS, stage_rows, stage_table
from cnninspect.render.summary_footer import tensors_text

NAMED = 4
"""Models named in a line about several."""


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
    facts += note_facts(models, report.notes)
    if facts:
        blocks.append(Facts(tuple(facts)))
    number = len(report.models) + len(report.failed)
    return Page(plural(number, "model"), _about(report, view), tuple(blocks))


def chosen(models: Sequence[ComparedModel], view: ComparisonView) -> list[ComparedModel]:
    """The models in the order chosen, and as many."""
    listed = list(models)
    if view.sort is not None:
        listed.sort(key=COLUMNS[view.sort].order)
    return listed[: view.top]


def model_table(
    models: Sequence[ComparedModel],
    failed: Sequence[Unmeasured],
    view: ComparisonView,
    *,
    has_ratios: bool,
    has_limits: bool,
    without: Iterable[str] = (),
    title: str = "",
    remarks: tuple[str, ...] = (),
) -> Table:
    """A row for each model, those that failed last."""
    names = list(view.columns)
    if not names:
        names = telling(models, has_ratios=has_ratios, has_limits=has_limits, without=without)
        if view.sort is not None and view.sort not in names:
            names.append(view.sort)
    if "model" not in names:
        names.insert(0, "model")
    rows = [
        tuple(
            Cell(cell.text, cell.style, full=model.model.reference) if name == "model" else cell
            for name in names
            for cell in [COLUMNS[name].cell(model, view.human)]
        )
        for model in models
    ]
    rows += [_failed_row(problem, names) for problem in failed]
    return Table(
        columns=tuple(_column(name, models, view) for name in names),
        rows=tuple(rows),
        title=title,
        remarks=remarks,
        chooser=chooser(view.columns),
    )


def _failed_row(problem: Unmeasured, names: Sequence[str]) -> tuple[Cell, ...]:
    cells = [Cell() for _ in names]
    cells[names.index("model")] = Cell(problem.reference, Style.WARNING)
    number = next((i for i, n in enumerate(names) if COLUMNS[n].kind == Kind.NUMBER), None)
    if number is not None:
        cells[number] = Cell("failed", Style.WARNING)
    return tuple(cells)


def _column(name: str, models: Sequence[ComparedModel], view: ComparisonView) -> Column:
    column = COLUMNS[name]
    header = column.header
    if name == "convention" and models:
        convention = models[0].convention
        header = f"{convention.name}\n{convention.unit}"
    if view.columns:  # the later ones go first
        sacrifice = 0 if name == "model" else len(view.columns) - list(view.columns).index(name)
    else:
        sacrifice = SACRIFICES.index(name) + 1 if name in SACRIFICES else 0
    return Column(header, column.kind, name, sacrifice)


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


# --- what stands under the table ---


def gaps(models: Sequence[ComparedModel]) -> Iterator[Notice]:
    """What has no formula, by model."""
    yield from lower_bounds((model.model.name, model.uncounted) for model in models)


def failures(failed: Sequence[Unmeasured]) -> Iterator[Notice]:
    """The models that failed, with the reasons."""
    if failed:
        items = tuple(
            f"{problem.reference}: {problem.error}" + (f" ({problem.hint})" if problem.hint else "")
            for problem in failed
        )
        yield Notice(f"{plural(len(failed), 'model')} could not be measured:", items, Style.WARNING)


def limit_facts(
    limits: Sequence[LimitText], *, human: bool, models: Sequence[ComparedModel] = ()
) -> Iterator[Fact]:
    """The limits, one to a line, with the models that do not keep them."""
    for limit in limits:
        quantity = QUANTITIES[limit.name[4:]]
        sign = "≤" if limit.name.startswith("max") else "≥"
        number = count(limit.limit, human=human, unit="B" if quantity.is_bytes else "")
        typed = f" ({limit.text})" if limit.text != number else ""
        names = [model.model.name for model in models if limit.name in model.exceeded]
        broken = f": not {_enumerated(names)}" if names else ""
        yield Fact("limit", f"{quantity.title} {sign} {number}{typed}{broken}")


def _enumerated(names: Sequence[str]) -> str:
    """The first few, and how many follow."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def note_facts(models: Sequence[ComparedModel], notes: Sequence[str]) -> Iterator[Fact]:
    """What a reader should know, each note once with the models that it is about."""
    about: dict[str, list[str]] = {}
    for model in models:
        for note in model.engine.notes:
            about.setdefault(note, []).append(model.model.name)
    for note, names in about.items():
        yield Fact("note", f"{_enumerated(names)}: {note}")
    yield from (Fact("note", note) for note in notes)


# --- data ---


def rows(
    report: Comparison, view: ComparisonView
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each model, or for each stage of each model."""
    models = chosen(report.models, view)
    if view.by == "stage":
        return STAGE_FIELDS, stage_rows(models)
    return model_rows(models, report.failed, view)


def model_rows(
    models: Sequence[ComparedModel], failed: Sequence[Unmeasured], view: ComparisonView
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each model, those that failed last."""
    header: Sequence[str] = CSV_FIELDS
    if view.columns:
        header = tuple(dict.fromkeys(("model", *(COLUMNS[name].field for name in view.columns))))
    values: list[dict[str, Any]] = [csv_values(model) for model in models]
    values += [{"model": problem.reference, "error": problem.error} for problem in failed]
    return header, (tuple(row.get(name) for name in header) for row in values)


def data(report: Comparison, view: ComparisonView) -> dict[str, Any]:
    """The report as plain data, with the models chosen."""
    return replace(report, models=tuple(chosen(report.models, view))).to_dict()


RENDERER = Renderer(view=ComparisonView, page=page, rows=rows, data=data)
