"""Part `budgets`: many models at once, and the same question again, against `import torch`."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from figures import note
from processes import call_in_process, time_process
from startup import BASELINE, COMMAND
from tables import table

JOBS = ("--jobs", "2")
LARGEST = 60
TARGET = 1.0
"""Time of the second run, in that of `import torch`."""


def names_of(source: str) -> list[str]:
    """In a process of its own: every name of a source."""
    from cnninspect.sources.registry import entries

    return [entry.name for entry in entries((source,))]


def largest() -> list[str]:
    """The largest networks of the zoo, by their parameters."""
    from cnninspect.zoo.catalogue import entries

    known = sorted(entries(), key=lambda entry: -(entry.parameters or 0))
    return [entry.name for entry in known[:LARGEST]]


@contextmanager
def empty_cache() -> Iterator[None]:
    """Nothing is remembered from before, and what is goes away afterwards."""
    before = os.environ.get("CNNINSPECT_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNNINSPECT_CACHE"] = folder
        try:
            yield
        finally:
            os.environ.pop("CNNINSPECT_CACHE")
            if before is not None:
                os.environ["CNNINSPECT_CACHE"] = before


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: models in a second; then the second run and the baseline, in alternating runs."""
    compared = largest()
    found = sum(len(call_in_process("budgets:names_of", source=s)) for s in ("torchvision", "timm"))
    questions = (
        (
            f"`compare` the {len(compared)} largest of the zoo",
            len(compared),
            ("compare", *compared),
        ),
        (
            f"`find` in torchvision and timm, {found:,} models",
            found,
            ("find", "--source", "torchvision,timm", "--max-params", "6M", "--max-macs", "1G"),
        ),
    )
    rows = [row(*question, repeats=repeats, progress=progress) for question in questions]
    header = [
        "",
        "first run, s",
        "models/s",
        "second run, s",
        "`import torch`, s",
        "ratio",
        "target",
    ]
    return table(header, rows)


def row(
    title: str,
    models: int,
    arguments: tuple[str, ...],
    *,
    repeats: int,
    progress: Callable[[str], None],
) -> list[str]:
    """One question's cells."""
    with empty_cache():
        progress(f"cnninspect {arguments[0]}: {models} models, none of them remembered")
        first = time_process([COMMAND, *arguments, *JOBS]).seconds
        progress(f"cnninspect {arguments[0]}: the same again")
        pairs = [
            (time_process([COMMAND, *arguments]).seconds, time_process(BASELINE).seconds)
            for _ in range(max(4 * repeats, 5))
        ][1:]
    ours, theirs = (statistics.median(times) for times in zip(*pairs))
    name = title.replace("`", "")
    note(f"{name}: first run", [first], unit="s")
    ratio = note(f"{name}: again / import torch", (a / b for a, b in pairs), most=TARGET)
    return [
        title,
        f"{first:.1f}",
        f"{models / first:.1f}",
        f"{ours:.2f}",
        f"{theirs:.2f}",
        f"{ratio:.2f}",
        f"≤ {TARGET}",
    ]
