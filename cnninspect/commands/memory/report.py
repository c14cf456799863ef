"""The answer of `cnninspect memory --fit`: the largest batch that a memory holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.training_memory import Memory
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class BatchPeak:
    """The peak at one batch size, with each optimiser."""

    batch: int
    peak_bytes: tuple[int, ...]
    """By optimiser, in the order of `BatchFit.optimizers`."""


@dataclass(frozen=True, slots=True)
class BatchFit(Report):
    """The largest batch that a memory holds, confirmed by a trace at it and at the next one."""

    schema: ClassVar[str] = "cnninspect.memory-fit/1"
    rendering: ClassVar[str] = "cnninspect.commands.memory.fit_rendering"

    model: ModelInfo
    limit_bytes: int
    """What may be used."""
    batch: int
    """The largest batch whose peak is within it."""
    next_peak_bytes: int
    """The peak at one more."""
    memory: Memory
    """What that batch needs."""
    optimizers: tuple[str, ...]
    """Those in the table; a single empty name for inference."""
    table: tuple[BatchPeak, ...]
    """Batch sizes in powers of two up to the answer, and the answer."""
    traces: int
    """Traces that it took."""
