"""What became of faults: the table by package, and why some cannot be told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mutants import Mutant


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault."""

    mutant: Mutant
    state: str
    """`killed`, `survived`, or `explained`: it makes no difference, and why is written down."""
    told: str
    """By which test, after how many, or why."""
    seconds: float = 0.0

    def text(self) -> str:
        """File, line, what changed and what was tried."""
        mutant = self.mutant
        place = f"{mutant.path}:{mutant.line} {mutant.function} ({mutant.operator})"
        return f"{self.state}: {place}, {self.told}\n  - {mutant.was}\n  + {mutant.becomes}"


@dataclass(frozen=True, slots=True)
class Explained:
    """Why some faults make no difference, by their content."""

    reasons: dict[tuple[str, str, str], str]

    @classmethod
    def read(cls, file: Path) -> Explained:
        """What is written down: a list of `{function, was, becomes, reason}`."""
        entries = json.loads(file.read_text())
        return cls({(e["function"], e["was"], e["becomes"]): e["reason"] for e in entries})

    def reason(self, mutant: Mutant) -> str | None:
        """Why this one cannot be told from the original, if somebody has said so."""
        return self.reasons.get((mutant.function, mutant.was, mutant.becomes))


def package_of(path: str) -> str:
    """The line of the table that a file belongs to."""
    parts = path.split("/")
    if parts[1] != "commands":
        return parts[1]
    return "commands: analyses" if is_analysis(parts) else "commands: the rest"


def is_analysis(parts: Sequence[str]) -> bool:
    """Whether a file of a command says what the answer is, not how it is asked or drawn."""
    rest = (
        "command.py",
        "rendering.py",
        "options.py",
        "output.py",
        "application.py",
        "__init__.py",
    )
    return len(parts) > 3 and parts[-1] not in rest and "measuring" not in parts[3]


def table(outcomes: Sequence[Outcome], *, seed: int) -> str:
    """How many faults of each package the tests kill, in Markdown."""
    rows = [
        "| package | faults | killed | no difference | survive | rate |",
        "| :-- | --: | --: | --: | --: | --: |",
    ]
    packages = sorted({package_of(outcome.mutant.path) for outcome in outcomes})
    for package in [*packages, "all"]:
        own = [o for o in outcomes if package in ("all", package_of(o.mutant.path))]
        killed, explained, survived = (
            sum(o.state == state for o in own) for state in ("killed", "explained", "survived")
        )
        share = f"{100 * killed / (killed + survived):.0f} %" if killed + survived else "—"
        name = package if package == "all" else f"`{package}`"
        rows.append(f"| {name} | {len(own)} | {killed} | {explained} | {survived} | {share} |")
    return "\n".join(
        [*rows, "", f"Seed {seed}; {len(outcomes)} faults, each on a line of its own."]
    )
