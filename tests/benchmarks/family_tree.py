"""What this process and all that it started take: processor time and memory, from /proc."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def family(process: int | None = None) -> list[int]:
    """The process, this one by itself, and all below it."""
    process = process or os.getpid()
    found = [process]
    with suppress(OSError):  # it ended meanwhile
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def processor_seconds() -> float:
    """What the family has taken, with those of its members that ended and were waited for."""
    ticks = 0
    for process in family():
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # utime, stime, and those of ended children
    return ticks / TICKS


def resident_bytes(process: int) -> int:
    """What a process has in memory; 0 where it has ended."""
    with suppress(OSError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    return 0


class Watch:
    """Memory of the largest member of the family over time."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []
        """Seconds since the beginning, and bytes."""

    def at(self, share: float) -> int:
        """The most bytes that any process had within a tenth of the time before such a share."""
        last = self.seen[-1][0]
        near = [b for t, b in self.seen if (share - 0.1) * last <= t <= share * last]
        return max(near, default=0)


@contextmanager
def watching(every: float = 1.0) -> Iterator[Watch]:
    """Look at the memory of the family from time to time."""
    watch, begin, end = Watch(), time.monotonic(), threading.Event()

    def look() -> None:
        while not end.wait(every):
            below = [process for process in family() if process != os.getpid()]
            most = max(map(resident_bytes, below), default=0)
            watch.seen.append((time.monotonic() - begin, most))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        end.set()
        thread.join()
