"""What to measure: a reference with its inputs and settings, or a part of a command's work."""

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
    verdict: str | None = None
    """On its gradients, by real passes; None: not asked for."""
    gradient_orders: float | None = None
    """By how many orders of magnitude the gradient changes from top to bottom, as the verdict goes
    by it; below 0 a loss."""


@dataclass(frozen=True, slots=True)
class PartTask:
    """A part of a command's work: a function of this package that takes and gives plain data.

    It is named as text, since what is remembered and measured knows nothing of the commands.
    """

    reference: str
    """The model that it is about, and its first argument."""
    function: str
    """Where it is: `cnninspect.commands.audit.measuring:tool_answer`."""
    arguments: Any = None
    """The others, by name, as JSON has them."""


@dataclass(frozen=True, slots=True)
class PartDone:
    """What comes of a part of a command's work."""

    content: Any
    """Plain data."""


COSTLY = ("receptive_field", "memory", "least_time", "latency", "verdict")
"""Figures of points that are worked out only when they are asked for."""
AnyTask = Union[Task, PointTask, PartTask]
AnyOutcome = Union[Figures, Unmeasured, Point, PartDone]
_TASKS = {kind.__name__: kind for kind in (Task, PointTask, PartTask)}
_OUTCOMES = {kind.__name__: kind for kind in (Figures, Unmeasured, Point, PartDone)}


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
