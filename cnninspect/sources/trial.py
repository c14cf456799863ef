"""A trial run of a program out of a file, in a process of its own with limits.

TorchScript's interpreter is C++: a loop without end never comes back, and is deaf to Ctrl-C.  So a
program with loops or many calls, or one that runs code as it is loaded, is traced or loaded once
where a limit ends it, before that is done here.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

from cnninspect.errors import CnnInspectError, RunFailed

CPU_SECONDS = 10
"""Of the processor that a trial may take once torch is there."""
SECONDS = 10 * CPU_SECONDS
"""That it may take at all, on however busy a machine."""
MOST_BYTES = 2 << 30
"""Of memory beyond what torch takes by itself; and four times the bytes of the file."""
MOST_ADDRESSES = 16 << 30
"""Where the system does not tell what a process takes."""
TRIED, FAILED, TOO_LARGE = 0, 10, 11
"""Exit codes: the trace was made; an error that comes again here; there was too little memory."""
ALLOCATING = ("bad_alloc", "allocate")
"""Words of torch's errors for want of memory."""
HINT = "load it yourself if you trust it, and hand the module to cnninspect"
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from cnninspect.sources.trial import serve; serve(sys.stdin.buffer)"
)

_is_trial = False
"""Whether this process is one that tries."""


def try_out(
    reference: str, arguments: Sequence[Any] | None, options: Mapping[str, Any] | None
) -> None:
    """Trace a reference in another process; returns where that came to an end.

    Without options it is only loaded, which may run code of the program, too.

    Raises:
        RunFailed: it did not, or crashed.
    """
    if _is_trial or not sys.executable:
        return
    try:
        question = pickle.dumps((reference, arguments, options))
    except Exception:  # what a caller handed in can only be used here
        return
    paths = json.dumps([path for path in sys.path if path])
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, paths],
            input=question, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as problem:
        raise _stopped(
            f"it was stopped after {SECONDS} s: its loops or calls may never end"
        ) from problem
    if done.returncode == TOO_LARGE:
        raise _stopped(f"it takes more than {MOST_BYTES:,} bytes of memory")
    if done.returncode not in (TRIED, FAILED):
        raise _stopped(
            f"it crashes, or runs for more than {CPU_SECONDS} s: its loops or calls may never end"
        )


def _stopped(problem: str) -> RunFailed:
    return RunFailed(f"tried in a process of its own, {problem}", hint=HINT)


def serve(source: IO[bytes]) -> None:
    """Trace what is asked for, and leave with what came of it."""
    global _is_trial
    _is_trial = True
    reference, arguments, options = pickle.loads(source.read())
    from cnninspect.engine import tracing  # noqa: F401 - which takes its time, too
    from cnninspect.sources.open import load, trace

    _limit(_bytes_of(reference))
    code = TRIED
    try:
        if options is None:
            load(reference)
        else:
            trace(reference, arguments, **options)
    except MemoryError:
        code = TOO_LARGE
    except CnnInspectError as problem:
        code = TOO_LARGE if any(word in str(problem) for word in ALLOCATING) else FAILED
    except BaseException:
        code = FAILED
    os._exit(code)


def _bytes_of(reference: str) -> int:
    """Bytes of the file that a reference names; 0 where it names none."""
    from cnninspect.sources.registry import reference_of

    try:
        return os.path.getsize(reference_of(reference).name)
    except (OSError, ValueError, CnnInspectError):
        return 0


def _addresses() -> int | None:
    """Bytes of addresses of this process; None where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _limit(file_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    with contextlib.suppress(ValueError, OSError):
        used = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, used + CPU_SECONDS))
        here = _addresses()
        most = MOST_ADDRESSES if here is None else here + MOST_BYTES + 4 * file_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
