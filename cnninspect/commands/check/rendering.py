"""How a `BudgetCheck` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.commands.check.report import BudgetCheck, CheckedLimit
from cnninspect.commands.diff import rendering as difference
from cnninspect.page.footers import tensors_text
from cnninspect.page.model_table import failures
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Page, Style, Table
from cnninspect.page.plain_data import Field
from cnninspect.page.quantities import count, plural, share
from cnninspect.page.renderers import Renderer, View

SIGNS = {"max": "≤", "min": "≥"}
"""By the first word of a limit's name."""


def subject_text(limit: CheckedLimit) -> str:
    """What is limited: `MACs of layer4.*`; a share with what was written: `parameters, 60%`."""
    of_layers = f" of {limit.layers}" if limit.layers else ""
    share = f", {limit.text}" if limit.text.endswith("%") and limit.unit != "%" else ""
    return f"{limit.subject}{of_layers}{share}"


def limit_text(limit: CheckedLimit, *, human: bool = False) -> str:
    """What is allowed: `≤ 4,000,000,000`, `none`."""
    if limit.name in ("forbid", "locked"):
        return limit.text
    return f"{SIGNS[limit.name[:3]]} {number_text(limit.limit, limit, human=human)}"


def value_text(limit: CheckedLimit, *, human: bool = False) -> str:
    """What there is: `3,663,761,408`."""
    if limit.name == "locked":
        return "as locked" if limit.ok else "moved"
    return number_text(limit.value, limit, human=human)


def used_text(limit: CheckedLimit) -> str:
    """How much of what is allowed at most is used: `99.1 %`."""
    if not limit.name.startswith("max") or limit.limit <= 0:
        return ""
    return f"{share(limit.value, limit.limit) or '0'} %"


def number_text(value: float, limit: CheckedLimit, *, human: bool = False) -> str:
    """A number in the limit's unit."""
    if limit.unit == "%":
        return f"{value:.1f} %" if value in (0, 100) or 0.05 <= value < 99.95 else f"{value:.4f} %"
    return count(int(value), human=human, unit="B" if limit.unit == "bytes" else "")


def sentence(limit: CheckedLimit) -> str:
    """The limit as one sentence: `MACs: 3,663,761,408, allowed ≤ 3,000,000,000 (3G)`."""
    is_told = limit.text in limit_text(limit) + subject_text(limit)
    typed = "" if is_told else f" ({limit.text})"
    why = f"; {limit.reason}" if limit.reason else ""
    return f"{subject_text(limit)}: {value_text(limit)}, allowed {limit_text(limit)}{typed}{why}"


def rule_of(limit: CheckedLimit) -> str:
    """A name that no other limit of the model has.

    `max_macs`, `max_macs:layer4.*`, `forbid:Dropout*`, `max_growth:parameters`.
    """
    of_what = limit.layers
    if limit.name == "forbid":
        of_what = limit.subject.removeprefix("layers of type ")
    elif limit.name == "max_growth":
        of_what = limit.subject.removesuffix(", growth")
    return f"{limit.name}:{of_what}" if of_what else limit.name


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
        blocks += difference.page(moved, difference.DifferenceView(human=view.human)).blocks
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
        yield Fact(label, model.structure, Style.FAINT)
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
    writers={
        "junit": lambda report, _: annotations.write_junit(report),
        "sarif": lambda report, _: annotations.write_sarif(report),
        "github": lambda report, _: annotations.write_annotations(report),
    },
)
