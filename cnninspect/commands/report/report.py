"""The answer of `cnninspect report`: what is known of some models, for one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.commands.compare.report import Comparison
from cnninspect.commands.gradients.report import GradientProfile
from cnninspect.commands.scale.report import Scaling
from cnninspect.metrics.dataflow import Graph
from cnninspect.metrics.summary import Summary
from cnninspect.metrics.training_memory import Memory
from cnninspect.records.reports import Report

PARTS = ("gradients", "memory", "roofline", "scale")
"""What is measured only when it is asked for."""


@dataclass(frozen=True, slots=True)
class Formula:
    """How a layer's multiply-accumulates come about."""

    path: str
    text: str
    """The law with the numbers put into it, as `explain` has it."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """One model."""

    summary: Summary
    """With the least times of its layers on the device of the report."""
    formulas: tuple[Formula, ...]
    """Of the layers that count something themselves."""
    graphs: tuple[Graph, ...]
    """The whole network and the insides that one can go to."""
    memory: Memory | None = None
    """Of a step of training, where it was asked for."""
    scaling: Scaling | None = None
    """Over the resolution, where it was asked for."""
    notes: tuple[str, ...] = ()
    """What was asked for and could not be had, and why."""


@dataclass(frozen=True, slots=True)
class Overview(Report):
    """Models with all that one page shows of them."""

    schema: ClassVar[str] = "cnninspect.report/1"
    rendering: ClassVar[str] = "cnninspect.commands.report.rendering"

    models: tuple[Portrait, ...]
    parts: tuple[str, ...]
    """Which of `PARTS` were asked for."""
    device: str
    """What the least times are for."""
    comparison: Comparison | None = None
    """Where there is more than one model."""
    gradients: GradientProfile | None = None
    """Where they were asked for."""
    notes: tuple[str, ...] = ()
