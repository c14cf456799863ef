"""What a report can do: be printed, shown in a notebook, become a data frame or a figure."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cnninspect.errors import MissingLibrary, NoPicture
from cnninspect.page.formats import render, renderer_of
from cnninspect.records.reports import Report

FIGURE = "figure"
"""The format that a picture is asked for where its figure is wanted, not the content of a file."""


def as_text(report: Report) -> str:
    """What `print` shows: the report's table."""
    return render(report).rstrip("\n")


def as_html(report: Report) -> str:
    """What notebooks show."""
    return render(report, format="html")


def as_dataframe(report: Report) -> Any:
    """The rows of the report as a pandas `DataFrame`: what `--format csv` writes, as values.

    Raises:
        MissingLibrary: pandas is not installed.
    """
    try:
        pandas = import_module("pandas")
    except ImportError as problem:
        raise MissingLibrary("pandas", "data", "a data frame") from problem
    renderer = renderer_of(type(report))
    header, rows = renderer.rows(report, renderer.view())
    return pandas.DataFrame([list(row) for row in rows], columns=list(header))


def as_figure(report: Report) -> Any:
    """The report's picture as a matplotlib `Figure`: what `--plot` writes.

    Raises:
        NoPicture: it has none.
        MissingLibrary: matplotlib is not installed.
    """
    place = renderer_of(type(report)).picture
    if not place:
        raise NoPicture(type(report).__name__)
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)(report, FIGURE)
