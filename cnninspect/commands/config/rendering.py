"""How a `Configuration` is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from cnninspect.commands.config.report import BUILT_IN, Configuration, Setting
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Cell, Column, Fact, Facts, Kind, Page, Style, Table

COLUMNS = (
    Column("key", Kind.PATH),
    Column("for", Kind.WORD),
    Column("value", Kind.WORD),
    Column("from", Kind.WORD),
)
CSV_FIELDS = ("key", "commands", "value", "place")


def page(report: Configuration, view: View) -> Page:  # noqa: ARG001
    """A row for each default."""
    rows = tuple(
        (
            Cell(setting.key),
            Cell(", ".join(setting.commands) or "all commands"),
            Cell(_value(setting), Style.PLAIN if _is_set(setting) else Style.FAINT),
            Cell(setting.place, Style.PLAIN if _is_set(setting) else Style.FAINT),
        )
        for setting in report.settings
    )
    file = "none; cnninspect help configuration says which are read"
    file = file if report.file is None else os.path.relpath(report.file)
    return Page("defaults", blocks=(Table(COLUMNS, rows), Facts((Fact("file", file),))))


def _is_set(setting: Setting) -> bool:
    return setting.place != BUILT_IN


def _value(setting: Setting) -> str:
    value = setting.value
    if not _is_set(setting):
        return setting.usual
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def rows(
    report: Configuration,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each default."""
    return CSV_FIELDS, (
        (setting.key, " ".join(setting.commands), _value(setting), setting.place)
        for setting in report.settings
    )


RENDERER = Renderer(view=View, page=page, rows=rows)
