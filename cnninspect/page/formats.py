"""The formats that a report is written in: one table, and the way in, `render`.

A report's page (see `page`) is written by `terminal`, `markdown` or `webpage`, its rows and its
data by `plain_data`.  `renderers` says what a command offers so that all of them can be written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnninspect.errors import UnknownChoice
from cnninspect.page.ascii_fallback import drawn, spelled_page
from cnninspect.page.markdown import write_markdown
from cnninspect.page.page import Page
from cnninspect.page.plain_data import write_csv, write_json
from cnninspect.page.renderers import Renderer, View, renderer_of
from cnninspect.page.terminal import write_terminal
from cnninspect.page.webpage import write_html
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class Format:
    """A format that every report can be written in."""

    write: Callable[[Renderer[Any, Any], Any, Any], str]
    """Renderer, report and view to text that ends with a line break."""
    is_data: bool = False
    """Whether programs read it: it is UTF-8 whatever a terminal can show."""


def _table(page: Page, view: View) -> str:
    text = write_terminal(page, width=view.width, color=view.color, has_room=view.has_room)
    return drawn(text, view.encoding)


def _markdown(page: Page, view: View) -> str:
    return drawn(write_markdown(page), view.encoding)


def _of_page(write: Callable[[Page, View], str]) -> Format:
    return Format(
        lambda renderer, report, view: write(
            spelled_page(renderer.page(report, view), view.encoding), view
        )
    )


FORMATS = {
    "table": _of_page(_table),
    "json": Format(lambda r, report, view: write_json(r.data(report, view)), is_data=True),
    "csv": Format(lambda r, report, view: write_csv(*r.rows(report, view)), is_data=True),
    "markdown": _of_page(_markdown),
    "html": Format(lambda r, report, view: write_html(r.page(report, view)), is_data=True),
}
"""By name, in the order in which `--help` shows them."""


def render(report: Report, *, format: str = "table", **options: Any) -> str:  # noqa: A002
    """The report as text that ends with a line break.

    `options` are the fields of the report's view: those of `renderers.View` for all, and what the
    report's own file adds.  `columns` may also be text, as after `--columns`.

    Raises:
        UnknownChoice: there is no such format, column or order.
        BadOption: an option's value cannot be used.
        TypeError: the report's view has no option of that name.
    """
    renderer = renderer_of(type(report))
    if format not in (*FORMATS, *renderer.writers):
        raise UnknownChoice("--format", format, (*FORMATS, *renderer.writers))
    if isinstance(columns := options.get("columns"), str):
        options["columns"] = tuple(name.strip() for name in columns.split(","))
    view = renderer.view(**options)
    if format in renderer.writers:
        return renderer.writers[format](report, view)
    return FORMATS[format].write(renderer, report, view)
