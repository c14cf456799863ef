"""The answer of `cnninspect check`: which limits are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.comparison import Unmeasured
from cnninspect.records.difference import Difference, LayerFacts
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report
from cnninspect.records.summary import Totals
from cnninspect.records.tensors import NamedTensor


@dataclass(frozen=True, slots=True)
class CheckedLimit:
    """One limit with what it is held against."""

    model: str
    """Reference of the model."""
    name: str
    """As in a budget file: `max_macs`, `forbid`, `min_coverage`, `max_growth`; `locked`."""
    subject: str
    """What is limited, as a person reads it: `MACs`, `layers of type Dropout`."""
    layers: str
    """The pattern for the layers that it is about; empty: the whole network."""
    limit: float
    """The most or the least that it may be."""
    value: float
    """What it is."""
    ok: bool
    unit: str
    """`bytes`, `%` or empty, for counts."""
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
