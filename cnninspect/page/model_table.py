"""Tables of models: rows, columns, failures, limits and notes, for whoever shows several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.metrics.figures import ComparedModel, LimitText, Unmeasured
from cnninspect.metrics.limits import QUANTITIES
from cnninspect.page.figure_columns import COLUMNS, CSV_FIELDS, SACRIFICES, csv_values, telling
from cnninspect.page.footers import lower_bounds
from cnninspect.page.formats import Field, View
from cnninspect.page.page import Cell, Column, Fact, Kind, Notice, Style, Table, chooser
from cnninspect.page.quantities import count, plural, scaled_time

OTHERS = 20
"""Models beside the frontier that a table shows unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonView(View):
    """What to show of a comparison, and how.

    Raises:
        UnknownChoice: there is no such column or order, or nothing to show it by.
        BadOption: the number of rows cannot be used.
    """

    columns: tuple[str, ...] = ()
    """Columns in their order; empty: those that say something."""
    sort: str | None = None
    """A column to sort by, largest first (names from a to z); None: as they were given."""
    top: int | None = None
    """Only so many rows."""
    by: str = "model"
    """`model`, or `stage`: each stage with the models under it."""

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in COLUMNS:
                raise UnknownChoice("--columns", name, COLUMNS)
        if self.sort is not None and self.sort not in COLUMNS:
            raise UnknownChoice("--sort", self.sort, COLUMNS)
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")
        if self.by not in ("model", "stage"):
            raise UnknownChoice("--by", self.by, ("model", "stage"))
        if self.by == "stage" and self.columns:
            raise BadOption("--columns", "with --by stage", "used without it")


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView(ComparisonView):
    """What to show of what was found, and how."""

    rows: int | Literal["auto"] | None = "auto"
    """Models beside the frontier; None: all; auto: 20 in tables, else all."""
    frontier_only: bool = False
    """Whether to leave out all others."""


NAMED = 4
"""Models named in a line about several."""


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
        if quantity.is_time:
            number = scaled_time(limit.limit / 1e9)
        else:
            number = count(limit.limit, human=human, unit="B" if quantity.is_bytes else "")
        typed = (
            f" ({limit.text})"
            if limit.text != number.replace(" ", "") and limit.text != number
            else ""
        )
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
