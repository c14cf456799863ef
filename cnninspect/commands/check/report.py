"""What a network is allowed, and the answer of `cnninspect check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.difference import Difference, LayerFacts
from cnninspect.metrics.figures import Unmeasured
from cnninspect.metrics.limits import Bound, Limit
from cnninspect.metrics.summary import Totals
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that a budget says, and where."""

    text: str
    """As it was written: a layer type, a model, a share."""
    line: int | None = None
    """The line of the budget file."""


@dataclass(frozen=True, slots=True)
class LayerRule:
    """Limits on the layers that a pattern fits."""

    pattern: str
    """As in a shell, for paths: `layer4.*`."""
    limits: tuple[Limit, ...]
    each: bool = False
    """Whether each of them must keep the limits by itself; else all of them together."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """How much more than the baseline something may be."""

    quantity: str
    """A name of `QUANTITIES`."""
    bound: Bound
    """A share of the baseline's."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class PeakLimit:
    """How much memory a step may need at its peak."""

    bound: Bound
    line: int | None = None
    """The line of the budget file that sets it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one model is allowed."""

    limits: tuple[Limit, ...] = ()
    layers: tuple[LayerRule, ...] = ()
    forbidden: tuple[Rule, ...] = ()
    """Patterns for the types of layers that must not occur."""
    coverage: Bound | None = None
    """The least share of calls whose cost is known; None: all, where work is limited."""
    coverage_line: int | None = None
    baseline: Rule | None = None
    """A reference, or a file that `check --write-lock` wrote."""
    growth: tuple[Growth, ...] = ()
    memory: PeakLimit | None = None
    """The most that a step may need at its peak."""
    memory_of: str | None = None
    """What kind of step: `training` or `inference`; None: training."""
    optimizer: str | None = None
    """That of a training step; None: `sgd`."""
    inputs: tuple[str, ...] = ()
    """Shapes as after `--input`; empty: the model's own."""
    batch: int | None = None
    """None: 1."""
    mode: str | None = None
    """None: `eval`."""
    dtype: str | None = None
    """That bytes are counted in; None: as built."""
    device_spec: str | None = None
    """What `max_bound` is a least time on."""

    @property
    def checks_something(self) -> bool:
        """Whether there is anything that could fail."""
        of_network = self.limits or self.layers or self.forbidden or self.coverage or self.growth
        return bool(of_network or self.memory)


@dataclass(frozen=True, slots=True)
class BudgetFile:
    """The content of a budget file."""

    path: str
    general: Budget
    """What holds for every model."""
    models: tuple[tuple[str, Budget], ...]
    """Reference and budget of each model named, with what holds for every one put in."""


@dataclass(frozen=True, slots=True)
class CheckedLimit:
    """One limit with what it is held against."""

    model: str
    """Reference of the model."""
    name: str
    """As in a budget file: `max_macs`, `forbid`, `min_coverage`, `max_growth`; `locked`."""
    subject: str
    """What is limited, as a user reads it: `MACs`, `layers of type Dropout`."""
    layers: str
    """The pattern for the layers that it is about; empty: the whole network."""
    limit: float
    """The most or the least that it may be."""
    value: float
    """What it is."""
    ok: bool
    unit: str
    """`bytes`, `s` for seconds, `%` or empty, for counts."""
    text: str
    """The limit as it was written: `60%`."""
    reason: str
    """Why it is not kept, or what the limit is a share of; empty where the numbers say it all."""
    line: int | None
    """The line of the budget file that sets it."""


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A model that was held against its budget."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    mode: str
    totals: Totals
    structure: str
    """A hash over its layers: paths, types, shapes, parameters and MACs."""
    ok: bool


@dataclass(frozen=True, slots=True)
class BudgetCheck(Report):
    """Which limits are kept."""

    schema: ClassVar[str] = "cnninspect.check/1"
    rendering: ClassVar[str] = "cnninspect.commands.check.rendering"

    ok: bool
    """Whether all are, and every model could be measured."""
    limits: tuple[CheckedLimit, ...]
    models: tuple[CheckedModel, ...]
    failed: tuple[Unmeasured, ...]
    """Models that could not be measured."""
    differences: tuple[Difference, ...]
    """With `--locked`: what moved."""
    budget: str | None
    """The budget file."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockedModel:
    """A model as it was when its numbers were written down."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    mode: str
    totals: Totals
    structure: str
    """A hash over its layers."""
    layers: tuple[LayerFacts, ...]
