"""Part `startup`: whole commands, from their start to their end, against `import torch`.

Two baselines: the plain import, and one with the garbage collector set as `cnninspect` sets it,
which is what its own part can be measured against.  Times are those of the processor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from figures import note
from processes import Run, time_process
from tables import table

BASELINE = (sys.executable, "-c", "import torch")
QUIET = (
    sys.executable,
    "-c",
    "import gc; gc.set_threshold(100_000, 50, 100); import torch; gc.freeze()",
)
"""The same with the collector as in `cnninspect/__main__.py`."""
COMMAND = str(Path(sys.executable).with_name("cnninspect"))
TARGETS = {
    ("summary", "resnet34", "--fresh"): (1.25, 60e6),
    ("--help",): (0.3, None),
    ("list",): (0.3, None),
}
"""Commands, with the ratio of time and the bytes over the baseline's that they may take."""


LIKE_FOR_LIKE = 1.25
"""What `summary resnet34` may take of the baseline with the same setting of the collector."""


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: time and peak memory of each command and of both baselines, in turn."""
    rows = []
    for arguments, (time_target, memory_target) in TARGETS.items():
        title = f"cnninspect {' '.join(arguments)}"
        progress(title)
        runs = [
            tuple(time_process(command) for command in ([COMMAND, *arguments], BASELINE, QUIET))
            for _ in range(max(4 * repeats, 5))
        ][1:]  # the first ones may still fill the disk cache
        quiet_target = LIKE_FOR_LIKE if memory_target else None
        plain = row(f"`{title}`", [run[:2] for run in runs], time_target, memory_target)
        seconds = note(
            f"{title}: import torch with the same garbage collection",
            (run[2].processor_seconds for run in runs),
            unit="s",
        )
        like = note(
            f"{title} / import with the same garbage collection",
            (run[0].processor_seconds / run[2].processor_seconds for run in runs),
            most=quiet_target,
        )
        quiet = [f"{seconds:.2f}", f"{like:.2f}", f"≤ {quiet_target}" if quiet_target else ""]
        rows.append([*plain[:5], *quiet, *plain[5:]])
    header = [
        "", "s", "`import torch`, s", "ratio", "target", "with the same collection, s", "ratio",
        "target", "MB", "over `import torch`", "target",
    ]  # fmt: skip
    return table(header, rows)


def row(
    title: str,
    pairs: Sequence[tuple[Run, ...]],
    time_target: float | None,
    memory_target: float | None,
) -> list[str]:
    """One command's cells, from runs of it and of the baseline in turn."""
    name = title.strip("`")
    ours = note(f"{name}: seconds", (a.processor_seconds for a, _ in pairs), unit="s")
    theirs = note(f"{name}: import torch", (b.processor_seconds for _, b in pairs), unit="s")
    ratio = note(
        f"{name} / import torch",
        (a.processor_seconds / b.processor_seconds for a, b in pairs),
        most=time_target,
    )
    memory = note(f"{name}: memory", (a.peak_bytes for a, _ in pairs), unit="bytes")
    over = note(
        f"{name}: memory over import torch",
        (a.peak_bytes - b.peak_bytes for a, b in pairs),
        unit="bytes",
        most=memory_target,
    )
    return [
        title, f"{ours:.2f}", f"{theirs:.2f}", f"{ratio:.2f}",
        f"≤ {time_target}" if time_target else "",
        f"{memory / 1e6:.0f}", f"{over / 1e6:+.0f}",
        f"≤ {memory_target / 1e6:.0f}" if memory_target else "",
    ]  # fmt: skip
