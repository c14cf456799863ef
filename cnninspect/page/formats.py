"""The formats that a report is written in: one table, and the way in, `render`.

A report's page (see `page`) is written by `terminal`, `markdown` or `webpage`, its rows and its
data by `plain_data`.  `renderers` says what a command offers so that all of them can be written.
What writes a format is imported when it is asked for, so that the table costs `--help` nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnninspect.errors import UnknownChoice

if TYPE_CHECKING:
    from cnninspect.page.renderers import Renderer, View
    from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class Format:
    """A format that every report can be written in."""

    write: Callable[[Renderer[Any, Any], Any, Any], str]
    """Renderer, report and view to text that ends with a line break."""
    is_data: bool = False
    """Whether programs read it: it is UTF-8 whatever a terminal can show."""


def _table(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.ascii_fallback import drawn, spelled_page
    from cnninspect.page.terminal import write_terminal

    page = spelled_page(renderer.page(report, view), view.encoding)
    text = write_terminal(page, width=view.width, color=view.color, has_room=view.has_room)
    return drawn(text, view.encoding)


def _json(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.plain_data import write_json

    return write_json(renderer.data(report, view))


def _csv(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.plain_data import write_csv

    return write_csv(*renderer.rows(report, view))


def _markdown(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.ascii_fallback import drawn, spelled_page
    from cnninspect.page.markdown import write_markdown

    page = spelled_page(renderer.page(report, view), view.encoding)
    return drawn(write_markdown(page), view.encoding)


def _html(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.ascii_fallback import spelled_page
    from cnninspect.page.webpage import write_html

    return write_html(spelled_page(renderer.page(report, view), view.encoding))


FORMATS = {
    "table": Format(_table),
    "json": Format(_json, is_data=True),
    "csv": Format(_csv, is_data=True),
    "markdown": Format(_markdown),
    "html": Format(_html, is_data=True),
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
    from cnninspect.page.renderers import renderer_of

    renderer = renderer_of(type(report))
    if format not in (*FORMATS, *renderer.writers):
        raise UnknownChoice("--format", format, (*FORMATS, *renderer.writers))
    if isinstance(columns := options.get("columns"), str):
        options["columns"] = tuple(name.strip() for name in columns.split(","))
    view = renderer.view(**options)
    if format in renderer.writers:
        return renderer.writers[format](report, view)
    return FORMATS[format].write(renderer, report, view)
