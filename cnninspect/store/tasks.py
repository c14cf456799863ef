"""What to measure: a reference with its inputs and settings."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Union

from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.records.models import InputRequest
from cnninspect.records.reports import plain, rebuilt

Outcome = Union[Figures, Unmeasured]
"""What comes of a task."""


@dataclass(frozen=True, slots=True)
class Task:
    """A model to be measured."""

    reference: str
    inputs: tuple[InputRequest, ...] | None = None
    """None: the model's own default."""
    batch: int = 1
    mode: str = "eval"
    convention: str = "macs"

    def of(self, reference: str) -> Task:
        """The same for another model."""
        return replace(self, reference=reference)


def written_task(task: Task) -> str:
    """A task as one line of JSON."""
    return json.dumps(plain(task))


def read_task(line: str) -> Task:
    """The task in a line of JSON."""
    task: Task = rebuilt(Task, json.loads(line))
    return task


def written_outcome(outcome: Outcome) -> str:
    """What came of a task as one line of JSON."""
    return json.dumps({type(outcome).__name__: plain(outcome)}, separators=(",", ":"))


def read_outcome(line: str) -> Outcome:
    """What came of a task, from its line of JSON.

    Raises:
        TypeError, KeyError, ValueError: the line is damaged, or from another version.
    """
    try:
        content = json.loads(line)
    except RecursionError as problem:
        raise ValueError("it is nested too deeply") from problem
    if not isinstance(content, dict):
        raise TypeError(f"an outcome is not made of a {type(content).__name__}")
    ((kind, data),) = content.items()
    outcome: Outcome = rebuilt({"Figures": Figures, "Unmeasured": Unmeasured}[kind], data)
    return outcome
