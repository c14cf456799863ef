"""How a `Listing` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.records.entries import ModelEntry, Setting, SettingValue
from cnninspect.records.listing import Listing
from cnninspect.render.pages import Block, Cell, Column, Fact, Facts, Kind, Page, Style, Table
from cnninspect.render.plain_data import Field
from cnninspect.render.quantities import count, plural
from cnninspect.render.renderers import Renderer, View

DITTO = "″"
"""Written for a paper that is the one of the row above."""
CSV_FIELDS = ("name", "source", "family", "parameters", "year", "paper")


def page(report: Listing, view: View) -> Page:
    """The table of names; for one family alone, its paper and settings too."""
    entries = report.entries
    families = {(entry.source, entry.family) for entry in entries}
    is_one_family = len(families) == 1 and bool(entries[0].family)
    papers = {entry.paper for entry in entries}
    blocks: list[Block] = []
    if is_one_family:
        facts = [Fact("family", entries[0].family)]
        facts += [Fact("paper", paper) for paper in papers if paper and len(papers) == 1]
        blocks.append(Facts(tuple(facts)))
    if entries:
        hidden = {"family"} if is_one_family else set()
        hidden |= {"paper"} if is_one_family and len(papers) == 1 else set()
        blocks.append(_names(entries, hidden, human=view.human))
    if is_one_family and entries[0].settings:
        blocks.append(_settings(entries))
    return Page(plural(len(entries), "model"), blocks=tuple(blocks))


def typed_name(entry: ModelEntry) -> str:
    """What a person types to name it: `resnet34`, `timm:convnext_tiny`."""
    return entry.name if entry.source == "zoo" else f"{entry.source}:{entry.name}"


# --- the names ---

NAME_COLUMNS = (
    Column("name", Kind.PATH),
    Column("family", Kind.WORD, sacrifice=3),
    Column("parameters", Kind.NUMBER),
    Column("year", Kind.NUMBER, sacrifice=2),
    Column("paper", Kind.PROSE, sacrifice=1),
)


def _names(entries: Sequence[ModelEntry], hidden: set[str], *, human: bool) -> Table:
    """One row for each name, without the columns that are hidden or hold nothing."""
    papers = ["", *(entry.paper for entry in entries)]
    rows = [_name_row(entry, above, human=human) for entry, above in zip(entries, papers)]
    shown = [
        i
        for i, column in enumerate(NAME_COLUMNS)
        if column.header not in hidden and any(row[i].text for row in rows)
    ]
    return Table(
        columns=tuple(NAME_COLUMNS[i] for i in shown),
        rows=tuple(tuple(row[i] for i in shown) for row in rows),
    )


def _name_row(entry: ModelEntry, paper_above: str, *, human: bool) -> tuple[Cell, ...]:
    paper = DITTO if entry.paper and entry.paper == paper_above else entry.paper
    return (
        Cell(typed_name(entry)),
        Cell(entry.family),
        Cell("" if entry.parameters is None else count(entry.parameters, human=human)),
        Cell("" if entry.year is None else str(entry.year)),
        Cell(paper, Style.FAINT, full=entry.paper),
    )


# --- the settings of one family ---

SETTING_COLUMNS = (
    Column("setting", Kind.PATH),
    Column("type", Kind.WORD, sacrifice=2),
    Column("default", Kind.SHAPE),
    Column("allowed", Kind.PROSE, sacrifice=1),
    Column("meaning", Kind.PROSE),
)


def _settings(entries: Sequence[ModelEntry]) -> Table:
    """What `name@key=value` can change, with the defaults that hold for every entry."""
    rows = []
    for setting in entries[0].settings:
        defaults = {
            s.default for entry in entries for s in entry.settings if s.name == setting.name
        }
        default = value_text(setting.default) if len(defaults) == 1 else "by model"
        rows.append(
            (
                Cell(setting.name),
                Cell(setting.type_name),
                Cell(default),
                Cell(allowed_text(setting), Style.FAINT),
                Cell(setting.meaning),
            )
        )
    return Table(SETTING_COLUMNS, tuple(rows), title=f"settings, as in {entries[0].name}@key=value")


def value_text(value: SettingValue) -> str:
    """A value as one types it: `true`, `3x4x6x3`, `none`."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def allowed_text(setting: Setting) -> str:
    """The choices or the range: `relu, tanh`, `0 to 1`, `1 or more`."""
    if setting.choices:
        return ", ".join(setting.choices)
    low, high = setting.minimum, setting.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"{low:g} or more"
    return "" if high is None else f"{high:g} or less"


def rows(report: Listing, view: View) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:  # noqa: ARG001
    """A row for each name."""
    return CSV_FIELDS, (tuple(getattr(e, f) for f in CSV_FIELDS) for e in report.entries)


RENDERER = Renderer(view=View, page=page, rows=rows)
