"""Where answers go: standard output or a file, pictures, and a progress bar on stderr."""

from __future__ import annotations

import codecs
import io
import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any

from cnninspect.files import check_output, write_whole
from cnninspect.page.escaping import visible

if TYPE_CHECKING:
    from rich.progress import Progress

    from cnninspect.commands.compare.report import Comparison
    from cnninspect.commands.find.report import Finding
    from cnninspect.records.reports import Report

PATIENCE = 1.0
"""Seconds after which a bar is shown."""
LONG_PATIENCE = 4.0
"""Seconds after which is shown that something goes on: importing torch takes two of them."""


class Bar:
    """A bar that appears once work has taken a while, and leaves nothing behind."""

    def __init__(self, what: str, *, patience: float = PATIENCE, counts: bool = True) -> None:
        self.counts = counts
        """Whether somebody says how much is done; else the time that has passed is shown."""
        self.state = (0, 0, what)
        """Work done, work to do, and what it is."""
        self._progress: Progress | None = None
        self._is_closed = False
        self._lock = Lock()
        self._timer = Timer(patience, self._show)
        self._timer.daemon = True
        self._timer.start()

    def update(self, done: int, total: int, what: str) -> None:
        """Show that so many of `total` are done."""
        with self._lock:
            self.state = done, total, what
            if self._progress is not None:
                self._progress.update(
                    self._progress.task_ids[0], completed=done, total=total, description=what
                )

    def close(self) -> None:
        """Take the bar away."""
        self._timer.cancel()
        with self._lock:
            self._is_closed = True
            if self._progress is not None:
                self._progress.stop()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed
        from rich.progress import TimeRemainingColumn as Remaining

        amount = (BarColumn(), MofNCompleteColumn(), Remaining())
        with self._lock:
            if self._is_closed:
                return
            done, total, what = self.state
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                *(amount if self.counts else (SpinnerColumn(), Elapsed())),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.add_task(what, completed=done, total=total or None)
            self._progress.start()


@contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """What to call with work done, work to do, and what it is; None where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    bar = Bar(what)
    try:
        yield bar.update
    finally:
        bar.close()


@contextmanager
def waiting(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Show, to whoever watches, that one long piece of work goes on, such as a real run."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    bar = Bar(visible(what), patience=LONG_PATIENCE, counts=False)
    try:
        yield
    finally:
        bar.close()


__all__ = ["check_output", "drop_output", "prepare_streams", "say_written", "show", "write_whole"]

PIPED_WIDTH = 100
"""Characters to a line where no terminal says how wide it is."""
WIDEST = 10_000
WIDTH = re.compile(r"[0-9]{1,6}")
WIDTHS = ("COLUMNS", "LINES", "TERMINAL_WIDTH")
"""Settings of the environment that are numbers of characters."""


def show(
    report: Report,
    *,
    format: str,  # noqa: A002
    output: Path | None = None,
    force: bool = False,
    quiet: bool = False,
    **options: Any,
) -> None:
    """Write a report to a file, or to stdout as wide and as colourful as that is.

    Raises:
        FileExists, FileUnwritable: the file cannot be written.
    """
    from cnninspect.page.formats import FORMATS, render

    is_terminal = output is None and sys.stdout.isatty()
    # Columns that somebody asked for are all there, unless lines must not be so long.
    has_room = bool(options.get("columns")) and not is_terminal and _asked_width() is None
    options |= {"format": format, "has_room": has_room}
    if output is not None:
        text = render(report, width=_asked_width() or PIPED_WIDTH, **options)
        write_whole(output, text, force=force)
        say_written(output, quiet=quiet)
    elif not quiet:
        encoding = sys.stdout.encoding or "utf-8"
        print_text(
            render(report, width=width(), color=has_color(), encoding=encoding, **options),
            is_data=format not in FORMATS or FORMATS[format].is_data,
        )


def print_data(text: str) -> None:
    """Write to stdout in UTF-8, whatever a terminal shows."""
    print_text(text, is_data=True)


def print_text(text: str, *, is_data: bool) -> None:
    """Write to stdout; data in UTF-8, as their formats want it, whatever a terminal shows."""
    if is_data and not text.isascii() and hasattr(sys.stdout, "buffer"):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
    else:
        sys.stdout.write(text)
    sys.stdout.flush()


def prepare_streams() -> None:
    """Let stdout and stderr take every text, and let nothing that is closed be in the way.

    What their encoding lacks is spelled in ASCII.  Where stderr is closed, remarks are lost rather
    than printed among the data; where stdout is, writing to it is an error.
    """
    for number in range(3):  # else the next file that is opened would get what is printed
        if not _is_open(number):
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    codecs.register_error("cnninspect.spell", _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="cnninspect.spell")
    warnings.showwarning = _show_warning
    for name in WIDTHS:  # the libraries that draw help and progress take these for numbers
        if name in os.environ and not WIDTH.fullmatch(os.environ[name]):
            del os.environ[name]


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning of a library or of a model on one line, which no name in it can end."""
    with suppress(OSError):
        print(f"warning: {visible(str(message))}", file=sys.stderr)  # noqa: T201


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def drop_output() -> None:
    """Send what is still to be printed nowhere, so that Python does not complain on exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_written(path: Path, *, quiet: bool) -> None:
    """Say on stderr which file was written."""
    if not quiet:
        print(f"wrote {visible(str(path))}", file=sys.stderr)  # noqa: T201


def _spell(problem: UnicodeError) -> tuple[str | bytes, int]:
    from cnninspect.page.escaping import spelled

    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    return spelled(problem.object[problem.start : problem.end], "ascii"), problem.end


def printable(text: str) -> str:
    """The text in characters that stdout has, for what writes to it by its own ways."""
    from cnninspect.page.escaping import spelled

    return spelled(text, sys.stdout.encoding or "utf-8")


def width() -> int:
    """Characters to a line of stdout."""
    if (asked := _asked_width()) is not None:
        return asked
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH


def _asked_width() -> int | None:
    asked = os.environ.get("COLUMNS", "")
    return min(int(asked), WIDEST) if WIDTH.fullmatch(asked) and int(asked) > 0 else None


def has_color() -> bool:
    """Whether stdout shows colours: a terminal, and NO_COLOR not set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))


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
    from cnninspect.page.plots import format_of, picture_of_models

    content = picture_of_models(report, format_of(path))
    write_whole(path, content, force=force)
    say_written(path, quiet=quiet)
