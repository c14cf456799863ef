"""Requests to stop, which long work must neither lose nor leave files behind for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopped_gently() -> Iterator[None]:
    """Let Ctrl-C and a request to end (SIGTERM) go through every `finally`, and not be lost.

    An interrupt is raised wherever the program is, which may be within other people's code that
    catches everything and goes on, or that is left half-imported and fails later with an error of
    its own.  Here it counts whatever became of it.  Signals that somebody else handles, and other
    threads than the main one, are left alone.

    Raises:
        KeyboardInterrupt: it was asked for, even if it was caught inside.
        SystemExit: the process was asked to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[BaseException] = []

    def stop(number: int, _: FrameType | None) -> None:
        problem = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
        asked.append(problem)
        raise problem

    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    ours = {n: kept for n, kept in usual.items() if signal.getsignal(n) is kept}
    try:
        for number in ours:
            signal.signal(number, stop)
        yield
    except Exception as problem:
        if asked:
            raise asked[0] from problem
        raise
    finally:
        for number, kept in ours.items():
            signal.signal(number, kept)
    if asked:
        raise asked[0]
