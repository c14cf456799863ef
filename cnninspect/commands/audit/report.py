"""The answer of `cnninspect audit`: one network by independent counters, and why they differ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from cnninspect.metrics.summary import EngineInfo, Uncounted
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class ToolPart:
    """What another tool counts for one operator in one layer by itself."""

    path: str
    """Path of the layer."""
    op: str
    """The operator, as the tool calls it."""
    count: int
    """In the unit of the tool's total."""


@dataclass(frozen=True, slots=True)
class Overlooked:
    """An operator that ran and that the tool has no rule for."""

    op: str
    """Namespace and operator."""
    calls: int
    macs: int
    """Multiply-accumulates of all those calls."""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """Another tool, run on a network."""

    name: str
    """What it is called after `--counter`."""
    version: str
    """The installed version of its package; empty where it is missing."""
    device: str
    """`meta` or `cpu`: what it was run on; empty where it was not."""
    total: int | None
    """Its count as multiply-accumulates; None where it did not give one."""
    problem: str = ""
    """Why it did not."""
    parts: tuple[ToolPart, ...] = ()
    """Its count by layer and operator, if it tells."""
    overlooked: tuple[Overlooked, ...] = ()
    """What it passed over, where that was watched."""
    look_alikes: tuple[str, ...] = ()
    """Layers whose class has the name of one of `torch.nn` and is another one."""


class CounterKind(Enum):
    """Where a number of the audit is from."""

    TOOL = "tool"
    """Another tool, really run."""
    RULES = "rules"
    """A tool's or a paper's written rules, applied to our trace."""
    GRAPH = "graph"
    """The graph of an exported file, read and counted by itself."""
    PUBLISHED = "published"
    """A number in print."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A part of a difference, with what it comes from."""

    what: str
    """The kind of operation or layer: `batch norm`."""
    text: str
    """In words: `adds 2 for each element`."""
    amount: int
    """Their count less ours."""
    calls: int
    """Calls of operations that it is about."""
    is_gap: bool
    """Whether multiply-accumulates are left out or miscounted, not just something else added."""


@dataclass(frozen=True, slots=True)
class AuditedCounter:
    """One counter: its number, and why it is not ours."""

    name: str
    """What one types after `--counter`: `fvcore`."""
    kind: CounterKind
    """Where its number is from."""
    about: str
    """Version and how it was run, or where the number stands."""
    unit: str
    """What its authors call the number; a total in FLOPs of 2 for each MAC is halved."""
    total: int | None
    """None where there is none."""
    difference: int | None = None
    """Their total less ours."""
    percent: float | None = None
    """That difference in per cent of ours; None where ours is 0."""
    reasons: tuple[Reason, ...] = ()
    """What the difference is made of, the largest part first."""
    unexplained: int = 0
    """What is left of the difference after the reasons."""
    unexplained_in: tuple[str, ...] = ()
    """Layers that it lies in, as far as the tool tells."""
    caution: str = ""
    """Where the number is not what one would think."""
    problem: str = ""
    """Why there is no total."""


@dataclass(frozen=True, slots=True)
class LayerCount:
    """What one counter has for a layer by itself."""

    counter: str
    """Its name."""
    count: int


@dataclass(frozen=True, slots=True)
class AuditedLayer:
    """A layer by itself, by every counter that tells."""

    path: str
    """`""` is the model itself."""
    type: str
    """Class name."""
    macs: int
    """Ours, without the layers under it."""
    counts: tuple[LayerCount, ...]
    """The others'."""


@dataclass(frozen=True, slots=True)
class Audit(Report):
    """A network's work by independent counters and by other people's rules."""

    schema: ClassVar[str] = "cnninspect.audit/1"
    rendering: ClassVar[str] = "cnninspect.commands.audit.rendering"

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    engine: EngineInfo
    mode: str
    """`eval` or `train`."""
    macs: int
    """Ours, that all others are compared with."""
    counters: tuple[AuditedCounter, ...]
    """Tools that were run first, then rules, then graphs and numbers in print."""
    layers: tuple[AuditedLayer, ...] = ()
    """Only where they were asked for."""
    uncounted: tuple[Uncounted, ...] = ()
    """Operations without a formula, so that ours is a lower bound."""

    @property
    def unexplained(self) -> tuple[AuditedCounter, ...]:
        """The counters whose difference the reasons do not add up to."""
        return tuple(counter for counter in self.counters if counter.unexplained)
