"""How a `RuleExplanation` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.commands.lint.report import RuleCard, RuleExplanation
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Cell, Column, Fact, Facts, Kind, Page, Style, Table
from cnninspect.page.quantities import plural

CSV_FIELDS = (
    "rule", "name", "group", "severity", "certainty", "preview", "what", "why", "source", "example",
    "mend",
)  # fmt: skip


def page(report: RuleExplanation, view: View) -> Page:  # noqa: ARG001
    """One rule at length, or several in a table."""
    if len(report.rules) > 1:
        columns = (Column("rule"), Column("name"), Column("finds", Kind.PROSE))
        rows = tuple(
            (Cell(c.rule, Style.ACCENT), Cell(c.name), Cell(f"{c.what}{_off(c)}"))
            for c in report.rules
        )
        return Page(plural(len(report.rules), "rule"), "", (Table(columns, rows),))
    card = report.rules[0]
    facts = tuple(Fact(label, text) for label, text in _parts(card) if text)
    about = f"{card.rule} · {card.group} · {card.severity} · {card.certainty}{_off(card)}"
    return Page(card.name, about, (Facts(facts),))


def _off(card: RuleCard) -> str:
    return " (preview: off unless it is selected)" if card.preview else ""


def _parts(card: RuleCard) -> Iterator[tuple[str, str]]:
    yield "finds", card.what
    yield "why", card.why
    yield "source", card.source
    lines = card.example.splitlines()
    for number, line in enumerate(lines):
        yield ("example" if not number else ""), line
    yield "mend", card.mend


def rows(
    report: RuleExplanation,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each rule."""
    return CSV_FIELDS, (tuple(getattr(c, name) for name in CSV_FIELDS) for c in report.rules)


RENDERER = Renderer(view=View, page=page, rows=rows)
