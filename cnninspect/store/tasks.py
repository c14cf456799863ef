"""What to measure: a reference with its inputs and settings."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Union

from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.metrics.summary import Totals
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


@dataclass(frozen=True, slots=True)
class PointTask:
    """A point of a design space to be measured: few figures, at many points."""

    reference: str
    inputs: tuple[InputRequest, ...] | None = None
    batch: int = 1
    mode: str = "eval"
    figures: tuple[str, ...] = ()
    """Figures that cost time, of `COSTLY`, beside those that are always told."""
    device: str | None = None
    """The datasheet that least times are told by."""


@dataclass(frozen=True, slots=True)
class Point:
    """What is known of one network of a design space."""

    reference: str
    totals: Totals
    depth: int
    """Weighted layers on the longest way."""
    fingerprint: str
    """The same for points whose settings make the same network."""
    uncounted: tuple[str, ...] = ()
    """Operations without a formula: where there are some, its work is a lower bound."""
    receptive_field: int | None = None
    """Of the output, its largest side; None: not asked for, or not to be told."""
    memory: int | None = None
    """Bytes of the peak of a step of training with SGD."""
    least_time: float | None = None
    """Seconds on the device of the datasheet."""
    latency: float | None = None
    """Seconds of a forward pass on this machine, the median."""


COSTLY = ("receptive_field", "memory", "least_time", "latency")
"""Figures of points that are worked out only when they are asked for."""
AnyTask = Union[Task, PointTask]
AnyOutcome = Union[Figures, Unmeasured, Point]
_TASKS = {"Task": Task, "PointTask": PointTask}
_OUTCOMES = {"Figures": Figures, "Unmeasured": Unmeasured, "Point": Point}


def written_task(task: AnyTask) -> str:
    """A task as one line of JSON."""
    return json.dumps({type(task).__name__: plain(task)})


def read_task(line: str) -> AnyTask:
    """The task in a line of JSON."""
    ((kind, data),) = json.loads(line).items()
    task: AnyTask = rebuilt(_TASKS[kind], data)
    return task


def written_outcome(outcome: AnyOutcome) -> str:
    """What came of a task as one line of JSON."""
    return json.dumps({type(outcome).__name__: plain(outcome)}, separators=(",", ":"))


def read_outcome(line: str) -> Any:
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
    return rebuilt(_OUTCOMES[kind], data)
