"""Pictures that commands write beside their report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnninspect.commands.output import check_output, say_written, write_whole

if TYPE_CHECKING:
    from cnninspect.commands.compare.report import Comparison
    from cnninspect.commands.find.report import Finding


def check_picture(path: Path | None, *, force: bool) -> None:
    """Refuse early what could not be drawn or written in the end.

    Raises:
        BadOption: there is no such kind of picture.
        MissingLibrary: matplotlib is not installed.
        FileExists, FileUnwritable: it cannot be written there.
    """
    if path is None:
        return
    from cnninspect.page.plots import format_of, require_matplotlib

    format_of(path)
    require_matplotlib()
    check_output(path, force=force)


def draw(report: Comparison | Finding, path: Path | None, *, force: bool, quiet: bool) -> None:
    """Draw the models of a report into a file, if one was asked for."""
    if path is None or not report.models:
        return
    from cnninspect.page.model_plot import picture
    from cnninspect.page.plots import format_of

    on = [m.model.reference for m in report.models if getattr(m, "frontier", False)]
    content = picture(report.models, format_of(path), limits=report.limits, frontier=on)
    write_whole(path, content, force=force)
    say_written(path, quiet=quiet)
