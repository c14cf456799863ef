"""Measurements in processes of their own: time, peak memory, and a result as JSON.

Run as a script, this file is the child: `processes.py MODULE:FUNCTION JSON-ARGUMENTS` calls the
function and prints what it returns.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """What a whole process took."""

    seconds: float
    """Wall-clock time from its start to its end."""
    processor_seconds: float
    """Time of processors, which other work on the machine hardly changes."""
    peak_bytes: int
    """The most memory that it had resident."""


def time_process(command: Sequence[str]) -> Run:
    """Runs a command to its end with its output thrown away.

    On Linux a new process is taken to have had what this one has now, so keep this one small.

    Raises:
        RuntimeError: it failed.
    """
    away = [(os.POSIX_SPAWN_OPEN, out, os.devnull, os.O_WRONLY, 0) for out in (1, 2)]
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=away)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    return Run(seconds, usage.ru_utime + usage.ru_stime, in_bytes(usage.ru_maxrss))


def call_in_process(task: str, **arguments: Any) -> Any:
    """What `MODULE:FUNCTION` returns when a fresh process calls it.

    Raises:
        RuntimeError: it failed; holds the last line of its complaint.
    """
    done = subprocess.run(
        [sys.executable, __file__, task, json.dumps(arguments)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def peak_bytes() -> int:
    """The most memory that this process has had resident."""
    return in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def in_bytes(maxrss: int) -> int:
    """Peak memory in bytes: Linux gives KiB, macOS bytes."""
    return maxrss if sys.platform == "darwin" else maxrss * 1024


def main() -> None:
    """Calls the function that the command line names."""
    module, function = sys.argv[1].split(":")
    with contextlib.redirect_stdout(sys.stderr):  # some libraries talk
        result = getattr(importlib.import_module(module), function)(**json.loads(sys.argv[2]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
