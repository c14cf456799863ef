"""How a `BudgetCheck` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.commands.check import ci_formats
from cnninspect.commands.check.ci_formats import limit_text, subject_text, used_text, value_text
from cnninspect.commands.check.report import BudgetCheck, CheckedLimit
from cnninspect.page.footers import tensors_text
from cnninspect.page.formats import Field, Renderer, View, renderer_of
from cnninspect.page.model_table import failures
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Page, Style, Table
from cnninspect.page.quantities import plural

COLUMNS = (
    Column("", Kind.SHAPE, "kept"),
    Column("limit", Kind.PROSE),
    Column("allowed", Kind.SHAPE),
    Column("value", Kind.SHAPE),
    Column("used", Kind.NUMBER, sacrifice=1),
    Column("why", Kind.PROSE, sacrifice=2),
)
CSV_FIELDS = (
    "model", "name", "layers", "subject", "limit", "value", "unit", "ok", "text", "reason", "line",
)  # fmt: skip


def page(report: BudgetCheck, view: View) -> Page:
    """Each limit with what it is held against; with `--locked`, what moved."""
    blocks: list[Block] = []
    for model in report.models:
        limits = [limit for limit in report.limits if limit.model == model.model.reference]
        title = model.model.reference if len(report.models) > 1 else ""
        if limits:
            blocks.append(_table(limits, title, human=view.human))
    for moved in report.differences:
        differing = renderer_of(type(moved))
        blocks += differing.page(moved, differing.view(human=view.human)).blocks
    blocks += failures(report.failed)
    facts = tuple(_facts(report))
    if facts:
        blocks.append(Facts(facts))
    return Page(_verdict(report), _about(report), tuple(blocks))


def _verdict(report: BudgetCheck) -> str:
    broken = sum(1 for limit in report.limits if not limit.ok)
    if report.ok:
        return f"within budget: {plural(len(report.limits), 'limit')}"
    if not broken:
        return "not all could be checked"
    return f"over budget: {broken:,} of {plural(len(report.limits), 'limit')}"


def _about(report: BudgetCheck) -> str:
    names = [model.model.name for model in report.models]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4:,} more" if len(names) > 4 else "")
    return " · ".join(part for part in (shown, report.budget or "") if part)


def _table(limits: Sequence[CheckedLimit], title: str, *, human: bool) -> Table:
    rows = [_row(limit, human=human) for limit in limits]
    shown = [i for i in range(len(COLUMNS)) if any(row[i].text for row in rows)]
    return Table(
        columns=tuple(COLUMNS[i] for i in shown),
        rows=tuple(tuple(row[i] for i in shown) for row in rows),
        title=title,
    )


def _row(limit: CheckedLimit, *, human: bool) -> tuple[Cell, ...]:
    ink = Style.PLAIN if limit.ok else Style.BAD
    return (
        Cell("ok", Style.GOOD) if limit.ok else Cell("FAIL", Style.BAD),
        Cell(subject_text(limit), ink),
        Cell(limit_text(limit, human=human), ink),
        Cell(value_text(limit, human=human), ink),
        Cell(used_text(limit), Style.FAINT if limit.ok else Style.BAD),
        Cell(limit.reason, Style.FAINT if limit.ok else Style.PLAIN),
    )


def _facts(report: BudgetCheck) -> Iterator[Fact]:
    if len(report.models) == 1:
        model = report.models[0]
        yield Fact("input", f"{tensors_text(model.inputs)} · {model.mode}")
    for model in report.models:
        label = "structure" if len(report.models) == 1 else model.model.name
        digest = model.structure.removeprefix("sha256:")  # fits a line of 80
        yield Fact(label, digest, Style.FAINT)
    yield from (Fact("note", note) for note in report.notes)


def rows(
    report: BudgetCheck,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each limit."""
    return CSV_FIELDS, (tuple(getattr(x, name) for name in CSV_FIELDS) for x in report.limits)


RENDERER = Renderer(
    view=View,
    page=page,
    rows=rows,
    picture="cnninspect.commands.check.plot:picture",
    writers={
        "junit": lambda report, _: ci_formats.write_junit(report),
        "sarif": lambda report, _: ci_formats.write_sarif(report),
        "github": lambda report, _: ci_formats.write_annotations(report),
    },
)
