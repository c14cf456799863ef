"""The formats of reports: one table, and what a row of it needs."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Generic, TypeVar, Union

from cnninspect.errors import UnknownChoice
from cnninspect.page.escaping import csv_text, json_text
from cnninspect.page.page import Page
from cnninspect.records.operations import typed_shape
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a user may choose for any report; a report's own view adds to it."""

    width: int | None = 100
    """Characters to a line in format table; None: as many as it takes."""
    color: bool = False
    """Whether the place it goes to shows colours."""
    human: bool = False
    """Counts as 21.8 M instead of 21,797,672."""
    encoding: str = "utf-8"
    """Of the place it goes to: what that cannot take is spelled in what it can."""
    has_room: bool = False
    """Whether a table may be wider than `width`, so that no column of it goes."""


AnyReport = TypeVar("AnyReport", bound=Report)
AnyView = TypeVar("AnyView", bound=View)


def whole_report(report: Report, view: View) -> dict[str, Any]:  # noqa: ARG001
    """The report as plain data, whatever the view."""
    return report.to_dict()


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer(Generic[AnyReport, AnyView]):
    """How one type of report is written."""

    view: type[AnyView]
    """The options that it takes."""
    page: Callable[[AnyReport, AnyView], Page]
    """For the formats table, markdown and html."""
    rows: Callable[[AnyReport, AnyView], tuple[Sequence[str], Iterable[Sequence[Field]]]]
    """Header and rows for the format csv."""
    data: Callable[[AnyReport, AnyView], dict[str, Any]] = whole_report
    """For the format json."""
    writers: Mapping[str, Callable[[AnyReport, AnyView], str]] = field(default_factory=dict)
    """For formats that only this report has."""
    picture: str = ""
    """What draws it, as `module:function` of the report and of what to write; empty: nothing."""


def renderer_of(kind: type[Report]) -> Renderer[Any, Any]:
    """What writes reports of that type: `RENDERER` of the module that the report names."""
    if not kind.rendering:
        raise TypeError(f"there is no renderer for {kind.__name__}")
    renderer: Renderer[Any, Any] = import_module(kind.rendering).RENDERER
    return renderer


Field = Union[None, bool, int, float, str, Sequence[int], Sequence[Sequence[int]]]
"""What a CSV field may hold; text is escaped, shapes are written `1x64x56x56`."""

NUMBERS = re.compile(r"\[\n\s*([-+.\deE,\s]+?)\n\s*\]")
"""A list of numbers, one to a line: a shape, which is easier to read on one line."""


def write_json(data: Mapping[str, Any]) -> str:
    """Indented JSON that every parser takes: what is not a number is a string, as in `"NaN"`."""
    encoded = json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False)
    # Line breaks occur between values only, so this leaves strings alone.
    encoded = NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", encoded)
    return json_text(encoded) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def write_csv(header: Sequence[str], rows: Iterable[Sequence[Field]]) -> str:
    """Comma-separated values with a header line; numbers raw, nothing for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([csv_text(name) for name in header])
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue()


def _field(value: Field) -> object:
    if isinstance(value, str):
        return csv_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence):
        return _shape(value)
    return value


def _shape(value: Sequence[Any]) -> str:
    """`1x64x56x56`; several shapes with a space between."""
    if value and isinstance(value[0], Sequence):
        return " ".join(_shape(shape) or "scalar" for shape in value)
    return typed_shape(value)


@dataclass(frozen=True, slots=True)
class Format:
    """A format that every report can be written in."""

    write: Callable[[Renderer[Any, Any], Any, Any], str]
    """Renderer, report and view to text that ends with a line break."""
    is_data: bool = False
    """Whether programs read it: it is UTF-8 whatever a terminal can show."""


def _table(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.escaping import drawn, spelled_page
    from cnninspect.page.terminal import write_terminal

    page = spelled_page(renderer.page(report, view), view.encoding)
    text = write_terminal(page, width=view.width, color=view.color, has_room=view.has_room)
    return drawn(text, view.encoding)


def _json(renderer: Renderer[Any, Any], report: Report, view: View) -> str:

    return write_json(renderer.data(report, view))


def _csv(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    return write_csv(*renderer.rows(report, view))


def _markdown(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.escaping import drawn, spelled_page
    from cnninspect.page.markdown import write_markdown

    page = spelled_page(renderer.page(report, view), view.encoding)
    return drawn(write_markdown(page), view.encoding)


def _html(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.escaping import spelled_page
    from cnninspect.page.webpage import write_html

    return write_html(spelled_page(renderer.page(report, view), view.encoding))


def _latex(renderer: Renderer[Any, Any], report: Report, view: View) -> str:
    from cnninspect.page.latex import write_latex

    return write_latex(renderer.page(report, view))


FORMATS = {
    "table": Format(_table),
    "json": Format(_json, is_data=True),
    "csv": Format(_csv, is_data=True),
    "markdown": Format(_markdown),
    "html": Format(_html, is_data=True),
    "latex": Format(_latex, is_data=True),
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
