"""Part `startup`: whole commands, from their start to their end, against `import torch`."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from processes import Run, time_process
from tables import table

BASELINE = (sys.executable, "-c", "import torch")
COMMAND = str(Path(sys.executable).with_name("cnninspect"))
TARGETS = {
    ("summary", "resnet34"): (1.25, 60e6),
    ("--help",): (0.3, None),
    ("list",): (0.3, None),
}
"""Commands, with the ratio of time and the bytes over the baseline's that they may take."""


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: time and peak memory of each command and of the baseline, in alternating runs."""
    rows = []
    for arguments, (time_target, memory_target) in TARGETS.items():
        progress(f"cnninspect {' '.join(arguments)}")
        pairs = [(time_process([COMMAND, *arguments]), time_process(BASELINE))
                 for _ in range(max(4 * repeats, 5))]  # fmt: skip
        pairs = pairs[1:]  # the first pair may still fill the disk cache
        rows.append(row(f"`cnninspect {' '.join(arguments)}`", pairs, time_target, memory_target))
    header = [
        "",
        "s",
        "`import torch`, s",
        "ratio",
        "target",
        "MB",
        "over `import torch`",
        "target",
    ]
    return table(header, rows)


def row(
    title: str,
    pairs: list[tuple[Run, Run]],
    time_target: float | None,
    memory_target: float | None,
) -> list[str]:
    """One command's cells, from runs of it and of the baseline in turn."""
    ours, theirs = (statistics.median(run.seconds for run in runs) for runs in zip(*pairs))
    ratio = statistics.median(a.seconds / b.seconds for a, b in pairs)
    memory = statistics.median(a.peak_bytes for a, _ in pairs)
    over = statistics.median(a.peak_bytes - b.peak_bytes for a, b in pairs)
    return [
        title, f"{ours:.2f}", f"{theirs:.2f}", f"{ratio:.2f}",
        f"≤ {time_target}" if time_target else "",
        f"{memory / 1e6:.0f}", f"{over / 1e6:+.0f}",
        f"≤ {memory_target / 1e6:.0f}" if memory_target else "",
    ]  # fmt: skip
