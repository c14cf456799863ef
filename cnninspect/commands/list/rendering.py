"""How a `Listing` is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from cnninspect.commands.list import Listing
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Heading, Kind, Page, Style, Table
from cnninspect.page.quantities import count, plural
from cnninspect.records.models import ModelEntry, Setting, SettingValue
from cnninspect.records.operations import typed_shape

CSV_FIELDS = ("name", "source", "family", "parameters", "year", "paper")


def page(report: Listing, view: View) -> Page:
    """The table of names; for one family alone, its settings too."""
    entries = report.entries
    families = {(entry.source, entry.family) for entry in entries if entry.family}
    blocks: list[Block] = []
    if entries:
        blocks.append(_names(entries, human=view.human))
    if len(families) == 1 and any(entry.settings for entry in entries):
        blocks.append(_settings(entries))
    about = f"in {len(families)} families" if len(families) > 1 else ""
    return Page(plural(len(entries), "model"), about=about, blocks=tuple(blocks))


def typed_name(entry: ModelEntry) -> str:
    """What a user types to name it: `resnet34`, `timm:convnext_tiny`."""
    return entry.name if entry.source == "zoo" else f"{entry.source}:{entry.name}"


# --- the names ---

NAME_COLUMNS = (
    Column("name", Kind.PATH),
    Column("family", Kind.WORD, sacrifice=2),
    Column("parameters", Kind.NUMBER),
    Column("year", Kind.NUMBER, sacrifice=1),
)
INDENT = "   "
"""Before the names under a paper."""


def _names(entries: Sequence[ModelEntry], *, human: bool) -> Table:
    """One row for each name, those of one family and paper under a line that names both.

    Columns that would hold nothing are left out, and so is the family where it stands above.
    """
    rows: list[tuple[Cell, ...] | Heading] = []
    hidden = {"family"} if all(entry.paper for entry in entries) else set()
    filled = {
        "name": True,
        "family": any(entry.family for entry in entries),
        "parameters": any(entry.parameters is not None for entry in entries),
        "year": any(entry.year is not None for entry in entries),
    }
    shown = [c for c in NAME_COLUMNS if filled[c.header] and c.header not in hidden]
    above = ("", "")
    for entry in entries:
        if entry.paper and (entry.family, entry.paper) != above:
            rows.append(Heading(entry.family or entry.name, entry.paper))
        above = (entry.family, entry.paper)
        cells = _name_cells(entry, human=human)
        rows.append(tuple(cells[column.header] for column in shown))
    return Table(columns=tuple(shown), rows=tuple(rows), remarks=_where_settings_are(entries))


def _where_settings_are(entries: Sequence[ModelEntry]) -> tuple[str, ...]:
    """How to see settings, where several families keep them from being shown at once."""
    families = [entry.family for entry in entries if entry.settings]
    if len(set(families)) < 2:
        return ()
    return (f"--family shows what can be set, as in cnninspect list --family {families[-1]}",)


def _name_cells(entry: ModelEntry, *, human: bool) -> dict[str, Cell]:
    return {
        "name": Cell(typed_name(entry), guide=INDENT if entry.paper else ""),
        "family": Cell(entry.family),
        "parameters": Cell(
            "" if entry.parameters is None else count(entry.parameters, human=human)
        ),
        "year": Cell("" if entry.year is None else str(entry.year)),
    }


# --- the settings of one family ---

SETTING_COLUMNS = (
    Column("setting", Kind.PATH),
    Column("type", Kind.WORD, sacrifice=2),
    Column("default", Kind.SHAPE),
    Column("allowed", Kind.PROSE, sacrifice=1),
    Column("meaning", Kind.PROSE),
)


def _settings(entries: Sequence[ModelEntry]) -> Table:
    """What `name@key=value` can change, and for which entries where not for all."""
    by_name: dict[str, dict[str, Setting]] = {}
    for entry in entries:
        for setting in entry.settings:
            by_name.setdefault(setting.name, {})[entry.name] = setting
    rows = []
    for name, by_entry in by_name.items():
        setting, *others = by_entry.values()
        has_one_default = all(other.default == setting.default for other in others)
        rows.append(
            (
                Cell(name),
                Cell(setting.type_name),
                Cell(value_text(setting.default) if has_one_default else "by model"),
                Cell(allowed_text(setting), Style.FAINT),
                Cell(setting.meaning + _only(by_entry, entries)),
            )
        )
    return Table(SETTING_COLUMNS, tuple(rows), title=f"settings, as in {entries[0].name}@key=value")


def _only(having: Collection[str], entries: Sequence[ModelEntry]) -> str:
    """`; not for resnet18, resnet34` where some of the entries lack a setting."""
    lacking = [entry.name for entry in entries if entry.name not in having]
    if not lacking:
        return ""
    if len(lacking) <= len(having):
        return f"; not for {', '.join(lacking)}"
    return f"; only for {', '.join(having)}"


def value_text(value: SettingValue) -> str:
    """A value as one types it: `true`, `3x4x6x3`, `none`."""
    if isinstance(value, tuple):
        return typed_shape(value)
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
