"""Several processes that measure models side by side.

Each is a fresh Python: a model that crashes its process takes no other with it, and the program
that asks needs neither torch nor a main module that can be imported again.

Why not a library: processes of `multiprocessing`, which pebble 5.2 stands on, import the caller's
main module again, so a script without a guard, and a program that is read from standard input,
lose all workers ("BrokenProcessPool: All workers expired"; tried).  loky 3.7 does without that, and
has no time limit for a task.  Both pickle what they send; here it is a line of JSON.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cnninspect.metrics.figures import Unmeasured
from cnninspect.sources.open import is_remembered
from cnninspect.store.cache import is_asked_afresh
from cnninspect.store.tasks import AnyTask, read_outcome, written_task

SCRIPT = Path(__file__).with_name("worker.py")
SECONDS = 900
"""After so long, a model is given up."""


def measure_side_by_side(
    tasks: Sequence[AnyTask], jobs: int
) -> Generator[tuple[int, Any], None, None]:
    """The position of each task and what came of it, as they are done, by `jobs` processes."""
    waiting = deque(enumerate(tasks))
    done: queue.Queue[tuple[int, Any]] = queue.Queue()
    told = {"path": sys.path, "remembers": is_remembered(), "fresh": is_asked_afresh()}
    workers = [Worker(told) for _ in range(min(jobs, len(tasks)))]
    threads = [
        threading.Thread(target=_serve, args=(worker, waiting, done), daemon=True)
        for worker in workers
    ]
    for thread in threads:
        thread.start()
    is_done = False
    try:
        for _ in tasks:
            yield _next(done)
        is_done = True
    finally:
        waiting.clear()
        for worker, thread in zip(workers, threads):
            if not is_done:
                worker.kill()
            thread.join()


def _serve(
    worker: Worker, waiting: deque[tuple[int, AnyTask]], done: queue.Queue[tuple[int, Any]]
) -> None:
    while True:
        try:
            position, task = waiting.popleft()
        except IndexError:
            worker.close()
            return
        done.put((position, worker.ask(task)))


def _next(done: queue.Queue[tuple[int, Any]]) -> tuple[int, Any]:
    while True:  # in steps, since a wait without an end cannot be interrupted everywhere
        with suppress(queue.Empty):
            return done.get(timeout=1)


@dataclass(frozen=True)
class Connection:
    """A process with its two ends."""

    process: subprocess.Popen[str]
    questions: IO[str]
    answers: IO[str]
    complaints: IO[str]
    """What it wrote to stderr."""

    def close(self) -> int:
        """Close both ends, upon which the process leaves, and return its exit code."""
        with suppress(OSError):
            self.questions.close()
        code = self.process.wait()
        self.answers.close()
        self.complaints.close()
        return code


class Worker:
    """A process that measures one model after the other, started when it is first asked."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told
        """The first line that it reads."""
        self._connection: Connection | None = None
        self._is_stopped = False

    def ask(self, task: AnyTask) -> Any:
        """What comes of a task; the process is replaced if it ends."""
        connection = self._connection = self._connection or _connected(self._told)
        if self._is_stopped:
            connection.process.kill()
        watch = threading.Timer(SECONDS, connection.process.kill)
        watch.start()
        try:
            connection.questions.write(written_task(task) + "\n")
            connection.questions.flush()
            answer = connection.answers.readline()
        except OSError:
            answer = ""
        is_late = not watch.is_alive()
        watch.cancel()
        if answer:
            return read_outcome(answer)
        self._connection = None
        return _ended(task, connection, is_late=is_late)

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self._is_stopped = True
        if self._connection is not None:
            self._connection.process.kill()

    def close(self) -> None:
        """Let the process end, which has nothing more to do."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connected(told: Mapping[str, Any]) -> Connection:
    complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        encoding="utf-8",
        # The processes are what runs side by side; threads within them would be in the way.
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )
    questions, answers = process.stdin, process.stdout
    if questions is None or answers is None:
        raise RuntimeError("a process was started without its pipes")
    with suppress(OSError):  # it ended at once, as the first answer will tell
        questions.write(json.dumps(told) + "\n")
    return Connection(process, questions, answers, complaints)


def _ended(task: AnyTask, connection: Connection, *, is_late: bool) -> Unmeasured:
    """Say that a process ended before it answered."""
    connection.process.wait()
    connection.complaints.seek(0)
    last = (connection.complaints.read().strip().splitlines() or [""])[-1]
    code = connection.close()
    if is_late:
        problem = f"it took more than {SECONDS // 60} minutes"
    elif code < 0:
        problem = f"its process was ended by signal {-code}"
    else:
        problem = f"its process ended (exit {code}){': ' if last else ''}{last}"
    hint = "cnninspect summary shows more; signal 9 is often for want of memory"
    return Unmeasured(task.reference, problem, hint, "ProcessEnded")
