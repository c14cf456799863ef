"""Runs many damaged files through their readers, and counts what comes of them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")
PATIENCE = 300
"""Seconds to wait for a worker, which stops by itself after ten of the processor unless it is deaf:
it may have to import torch first, on however busy a machine."""
GOOD = ("opened", "refused")
BAD = ("raw", "hang", "crash", "wrote")
"""What must not be: another error than ours, no end in ten seconds, a crash, a file left behind."""


class Worker:
    """A process that tries files, started anew when it dies."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def attempt(self, kind: str, number: int) -> tuple[str, str]:
        """What comes of a file, and a detail."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
                text=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{kind}\t{number}\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            line = self.process.stdout.readline() if ready else ""
        except BrokenPipeError:
            ready, line = [True], ""
        if not line:
            code = self.process.poll()
            self.close()
            return ("crash", f"exit {code}") if ready else ("hang", "deaf")
        answer = json.loads(line)
        return answer["result"], answer["detail"]

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
            self.process = None


def run(inputs: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int, str, str]]:
    """Kind, number, result and detail of each file."""
    worker = Worker()
    try:
        for kind, number in inputs:
            yield kind, number, *worker.attempt(kind, number)
    finally:
        worker.close()


def table(counts: dict[str, Counter[str]]) -> str:
    """The counts by kind as Markdown."""
    names = (*GOOD, *BAD)
    lines = [f"| kind | files | {' | '.join(names)} |", f"| :-- |{' --: |' * (len(names) + 1)}"]
    for kind, found in {**counts, "all": sum(counts.values(), Counter())}.items():
        cells = [sum(found.values()), *(found[name] for name in names)]
        lines.append(f"| {kind} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    return "\n".join(lines)
