"""What a report's own file must offer so that the report can be written in every format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Generic, TypeVar

from cnninspect.page.page import Page
from cnninspect.page.plain_data import Field
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


def renderer_of(kind: type[Report]) -> Renderer[Any, Any]:
    """What writes reports of that type: `RENDERER` of the module that the report names."""
    if not kind.rendering:
        raise TypeError(f"there is no renderer for {kind.__name__}")
    renderer: Renderer[Any, Any] = import_module(kind.rendering).RENDERER
    return renderer
