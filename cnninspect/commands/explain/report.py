"""The answer of `cnninspect explain`: where one layer's numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.summary import LayerSummary, Uncounted
from cnninspect.records.costs import CostState
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report
from cnninspect.records.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class ExplainedOperation:
    """A kind of work that ran in the layer or under it, with its cost."""

    op: str
    """Namespace and operator: `aten.convolution`."""
    layer: str
    """Path of the layer that it ran in."""
    calls: int
    """How often."""
    state: CostState
    """Counted, free or unknown."""
    macs: int
    """Over all calls; 0 unless counted."""
    reason: str = ""
    """The law that counted it, in words or symbols, or why it is free."""
    formula: str = ""
    """The law with the numbers put into it: `1 · 56 · 56 · 64 · 64 · 3 · 3 = 115,605,504`."""


@dataclass(frozen=True, slots=True)
class ExplainedTensor:
    """A parameter or a buffer of the layer itself."""

    name: str
    """Name within the layer: `weight`."""
    shape: tuple[int, ...]
    dtype: str
    numel: int
    """Number of elements."""
    trainable: bool
    """Whether it receives gradients; never for a buffer."""
    shared_with: str | None = None
    """Full name under which the same tensor was met first, if it was; it is counted there."""


@dataclass(frozen=True, slots=True)
class Explanation(Report):
    """One layer's numbers, with what each comes from."""

    schema: ClassVar[str] = "cnninspect.explain/1"
    rendering: ClassVar[str] = "cnninspect.commands.explain.rendering"

    model: ModelInfo
    layer: LayerSummary
    """The layer, as it stands in the summary."""
    inputs: tuple[TensorSpec, ...]
    """The tensors given to its first call."""
    outputs: tuple[TensorSpec, ...]
    """The tensors that its first call returned."""
    operations: tuple[ExplainedOperation, ...]
    """What ran in it and under it, in the order of the first call."""
    parameters: tuple[ExplainedTensor, ...]
    """What it owns itself, not what its children own."""
    buffers: tuple[ExplainedTensor, ...]
    """What it owns itself, not what its children own."""
    model_parameters: int
    """Parameters of the whole model."""
    model_macs: int
    """MACs of the whole model."""
    uncounted: tuple[Uncounted, ...] = ()
    """Operations of the whole model without a formula: where there are some, its MACs are a lower
    bound."""
