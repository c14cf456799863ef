"""The answers of `cnninspect compare` and `cnninspect find`: models side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report
from cnninspect.records.summary import (
    ConventionTotal,
    Counts,
    Coverage,
    EngineInfo,
    Published,
    Totals,
    Uncounted,
)
from cnninspect.records.tensors import NamedTensor

WEIGHTS_ONLY = "none"
"""How a file of weights was run: not at all, so that nothing is known of its work."""
DTYPES = ("float32", "float16", "bfloat16", "int8", "int4")
"""Dtypes that weights are commonly stored in."""


@dataclass(frozen=True, slots=True)
class StageFigures:
    """The layers that work at one size of map."""

    name: str
    """Side of the map as a share of the input's, `1/4`; `head` after the last map, `not run` for
    layers that were never called."""
    layers: int
    """Layers with multiply-accumulates."""
    counts: Counts
    """What all its layers have and do."""


@dataclass(frozen=True, slots=True)
class BytesAs:
    """What the parameters take in memory if they are stored in another dtype."""

    dtype: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What is published of trained weights of this very network at this very input size."""

    top1: float
    """Per cent of ImageNet-1K's validation images for which the first answer is right."""
    top5: float | None
    """Per cent for which it is among the first five."""
    weights: str
    """The weights: `IMAGENET1K_V2`."""
    source: str
    """Who says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One model: what a summary holds, without its layers, and what is told of it as a whole."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    outputs: tuple[NamedTensor, ...]
    engine: EngineInfo
    mode: str
    """`eval` or `train`."""
    totals: Totals
    convention: ConventionTotal
    coverage: Coverage
    uncounted: tuple[Uncounted, ...]
    published: tuple[Published, ...]
    depth: int
    """Weighted layers on the longest way from an input to an output."""
    weighted_layers: int
    """Weighted layers in all."""
    receptive_field: tuple[int, ...] | None
    """Of the last layer for which it can be told, by dimension."""
    gradient_paths: int
    """Ways that a gradient can take from the outputs to the inputs."""
    bytes_as: tuple[BytesAs, ...]
    """Bytes of the parameters in common dtypes; those that are not floating-point stay."""
    stages: tuple[StageFigures, ...]
    """By size of map, in the order in which the network first reaches each."""
    accuracy: Accuracy | None = None

    @property
    def has_work(self) -> bool:
        """Whether anything was run: a file of weights has parameters, and no MACs to be told."""
        return self.engine.run != WEIGHTS_ONLY


@dataclass(frozen=True, slots=True)
class Ratios:
    """A model's figures divided by those of the baseline; None where that has 0."""

    parameters: float | None
    macs: float | None
    activations: float | None
    parameter_bytes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel(Figures):
    """A model with how it stands to the baseline and to the limits."""

    ratios: Ratios | None
    """None where the baseline is not known."""
    fits: bool | None
    """Whether it keeps every limit; None where there is none, or where operations without a
    formula leave it open."""
    exceeded: tuple[str, ...] = ()
    """The limits that it does not keep: `max_macs`."""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A model that failed, with the reason."""

    reference: str
    error: str
    """What went wrong, in a sentence."""
    hint: str
    kind: str
    """Class of the error."""


@dataclass(frozen=True, slots=True)
class LimitText:
    """A limit as it was typed, and what it comes to."""

    name: str
    """`max_macs`."""
    text: str
    """As it was typed: `4G`."""
    limit: int
    """The number; a share is one of the baseline's."""


@dataclass(frozen=True, slots=True)
class Comparison(Report):
    """Models side by side."""

    schema: ClassVar[str] = "cnninspect.compare/1"

    baseline: str | None
    """Reference of the model that ratios are to; None where it failed."""
    limits: tuple[LimitText, ...]
    models: tuple[ComparedModel, ...]
    failed: tuple[Unmeasured, ...]
    notes: tuple[str, ...] = ()
    """What a reader should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel(ComparedModel):
    """A model that keeps every limit."""

    frontier: bool
    """Whether no other one that was found is as good in everything and better in something."""


@dataclass(frozen=True, slots=True)
class Finding(Report):
    """Every architecture that keeps the limits, the frontier first."""

    schema: ClassVar[str] = "cnninspect.find/1"

    sources: tuple[str, ...]
    pattern: str
    """What names had to match."""
    searched: int
    """Architectures that were measured."""
    axes: tuple[str, ...]
    """What the frontier is of: `parameters`, `macs`, `accuracy`."""
    baseline: str | None
    limits: tuple[LimitText, ...]
    models: tuple[FoundModel, ...]
    """Those on the frontier first, each group by MACs."""
    failed: tuple[Unmeasured, ...]
    """Architectures that could not be measured."""
    open: tuple[str, ...]
    """Those left out since operations without a formula leave it open whether they fit."""
    notes: tuple[str, ...] = ()
    """What a reader should know."""
