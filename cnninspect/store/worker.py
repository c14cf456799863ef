"""A process that measures what it is asked for: started by `worker_pool`, as a script.

It reads lines of JSON: first where to import from, then one task in each.  For each task it writes
one line with the outcome.  The first line also says whether traces are remembered, and asked for
afresh.  It has its own stdout for that; what models print goes to stderr.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from contextlib import nullcontext


def main() -> None:
    """Measure until there is nothing more to read."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    gc.set_threshold(100_000, 50, 100)  # networks that are built and dropped leave few circles
    told = json.loads(sys.stdin.readline())
    sys.path[:] = told["path"]
    # Only now can the package be imported from where the parent has it.
    from cnninspect.store.points import outcome_of
    from cnninspect.store.tasks import read_task, written_outcome
    from cnninspect.store.traces import remembering

    with remembering(fresh=told["fresh"]) if told["remembers"] else nullcontext():
        for line in sys.stdin:
            answers.write(written_outcome(outcome_of(read_task(line))) + "\n")
            answers.flush()
    os._exit(0)  # nothing is left to do, and torch takes its time to leave


if __name__ == "__main__":
    main()
