"""A progress bar on stderr, for work that takes more than a second and is watched by somebody."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 1.0
"""Seconds after which a bar is shown."""


class Bar:
    """A bar that appears once work has taken a while, and leaves nothing behind."""

    def __init__(self, what: str, *, patience: float = PATIENCE) -> None:
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
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        with self._lock:
            if self._is_closed:
                return
            done, total, what = self.state
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                Remaining(),
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
