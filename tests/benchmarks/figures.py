"""The raw figures of a run: kept as lines of JSON, held against their targets, drawn over time.

A part tells each figure with `note` while it makes its tables.  Each line of
docs/benchmark/figures.jsonl is one run of one part: date, commit, machine, and what was measured,
sample by sample.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import machine

FOLDER = Path(__file__).parents[2] / "docs" / "benchmark"
FILE, PLOT = FOLDER / "figures.jsonl", FOLDER / "history.svg"
DIGITS = 5
"""Of a sample, that are kept."""


@dataclass(frozen=True)
class Figure:
    """One number of a part."""

    name: str
    unit: str
    value: float
    """The median of the samples."""
    samples: tuple[float, ...]
    most: float | None
    """What it may be at most, if there is a target."""

    @property
    def is_missed(self) -> bool:
        """Whether it is over its target."""
        return self.most is not None and self.value > self.most


_noted: list[Figure] = []


def note(
    name: str, samples: Iterable[float], *, unit: str = "ratio", most: float | None = None
) -> float:
    """The median of the samples, which are kept under that name with the target."""
    found = tuple(samples)
    value = statistics.median(found)
    rounded = tuple(float(f"{sample:.{DIGITS}g}") for sample in found)
    _noted.append(Figure(name, unit, float(f"{value:.{DIGITS}g}"), rounded, most))
    return value


def taken() -> tuple[Figure, ...]:
    """What was noted since the last time."""
    found = tuple(_noted)
    _noted.clear()
    return found


def record(part: str, figures: Sequence[Figure]) -> dict[str, Any]:
    """A line of the file."""
    return {
        "part": part,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine.facts(),
        "figures": [asdict(figure) for figure in figures],
    }


def commit() -> str:
    """What was measured: the commit, with a plus sign where files differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=FOLDER.parent, capture_output=True, text=True
        )  # fmt: skip
        return done.stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + "+" * bool(git("status", "--porcelain"))


def append(line: dict[str, Any], file: Path = FILE) -> None:
    """Puts a run at the end of the file."""
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as lines:
        lines.write(json.dumps(line) + "\n")


def runs(file: Path = FILE) -> list[dict[str, Any]]:
    """All runs, the oldest first."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def last(file: Path = FILE) -> dict[str, tuple[dict[str, Any], list[Figure]]]:
    """The last run of each part, and its figures."""
    found = {}
    for run in runs(file):
        figures = [Figure(**{**each, "samples": tuple(each["samples"])}) for each in run["figures"]]
        found[run["part"]] = run, figures
    return found


def check(file: Path = FILE) -> tuple[str, bool]:
    """What the last run of each part says of its targets, and whether any is missed."""
    lines, is_missed = [], False
    for part, (run, figures) in sorted(last(file).items()):
        for figure in figures:
            if figure.most is not None:
                is_missed |= figure.is_missed
                state = "MISSED" if figure.is_missed else "met"
                lines.append(
                    f"{state:7}{part}: {figure.name}  {figure.value:g} ≤ {figure.most:g}"
                    f" {figure.unit}  ({run['date'][:10]}, {run['commit']})"
                )
    return "\n".join(lines) or "nothing was measured yet", is_missed


def plot(file: Path = FILE, picture: Path = PLOT) -> None:
    """Draws every figure that has a target, as a part of it, over the dates of the runs."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    lines: dict[str, list[tuple[datetime, float]]] = {}
    for run in runs(file):
        for each in run["figures"]:
            if each["most"]:
                points = lines.setdefault(f"{run['part']}: {each['name']}", [])
                points.append((datetime.fromisoformat(run["date"]), each["value"] / each["most"]))
    plt.rcParams["svg.hashsalt"] = "cnninspect"
    figure, axes = plt.subplots(figsize=(10, 1.5 + 0.22 * len(lines)), layout="constrained")
    for row, (_, points) in enumerate(sorted(lines.items(), reverse=True)):
        *older, newest = [value for _, value in sorted(points)]
        axes.plot(older, [row] * len(older), "o", color="0.75", markersize=4)
        axes.plot(newest, row, "o", color="tab:red" if newest > 1 else "tab:blue", markersize=6)
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set_yticks(range(len(lines)), sorted(lines, reverse=True), fontsize=8)
    axes.set_xlim(left=0)
    axes.set_xlabel("part of the target (grey: earlier runs; blue or red: the last one)")
    axes.grid(axis="x", color="0.9")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    picture.parent.mkdir(exist_ok=True)
    figure.savefig(picture, metadata={"Date": None})
    plt.close(figure)
