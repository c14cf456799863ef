"""The answers of `cnninspect diff`: two networks, or a network and a file of weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.summary import Summary, Uncounted
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report, plain
from cnninspect.records.traces import Trace


@dataclass(frozen=True, slots=True)
class ParameterShape:
    """A parameter of a layer."""

    name: str
    """Name within its layer."""
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What two networks are compared by: one layer by itself, without those under it."""

    path: str
    """Names from the model down, joined by dots; `""` is the model itself."""
    type: str
    output_shapes: tuple[tuple[int, ...], ...]
    """Shapes of the tensors that its first call returned."""
    tensors: tuple[ParameterShape, ...]
    """Its own parameters, shared ones included."""
    parameters: int
    """Elements of its own parameters, shared ones counted where they were met first."""
    macs: int
    """Its own multiply-accumulates."""


@dataclass(frozen=True, slots=True)
class Change:
    """A layer that is not as it was, or one with everything under it that came or went."""

    kind: str
    """`added`, `removed`, `renamed` or `changed`."""
    old: LayerFacts | None
    """The layer as it was; None: there was none."""
    new: LayerFacts | None
    """The layer as it is; None: there is none."""
    what: tuple[str, ...]
    """Of a changed layer, what differs: `type`, `tensors`, `output`, `macs`."""
    layers: int
    """Layers that this stands for, those under it included."""
    parameters: int
    """Parameters more than before."""
    macs: int
    """Multiply-accumulates more than before."""


@dataclass(frozen=True, slots=True)
class WholeNetwork:
    """One side of a difference."""

    model: ModelInfo
    layers: int
    parameters: int
    macs: int
    uncounted: tuple[Uncounted, ...] = ()
    """Operations without a formula: where there are some, the MACs are a lower bound."""
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was traced."""


@dataclass(frozen=True, slots=True)
class Difference(Report):
    """Which layers were added, removed, renamed and changed, and what that costs."""

    schema: ClassVar[str] = "cnninspect.diff/1"
    rendering: ClassVar[str] = "cnninspect.commands.diff.rendering"

    old: WholeNetwork
    new: WholeNetwork
    same: int
    """Layers that are as they were."""
    changes: tuple[Change, ...]
    """In the order of the new network, removed layers where they were."""

    @property
    def is_empty(self) -> bool:
        """Whether the two are alike, layer by layer."""
        return not self.changes


@dataclass(frozen=True, slots=True)
class OddTensor:
    """A tensor that is on one side only."""

    name: str
    shape: tuple[int, ...]
    reason: str
    """Why, if that can be told; else empty."""
    group: str = ""
    """A pattern for the names of all that are there for that reason: `model_ema.*`."""


@dataclass(frozen=True, slots=True)
class MisshapenTensor:
    """A tensor of both sides, with different shapes."""

    name: str
    old: tuple[int, ...]
    new: tuple[int, ...]
    reason: str
    """Why, if that can be told; else empty."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """A prefix by which all names of one side differ from those of the other."""

    old: str
    """What stands before a name on the old side; may be empty."""
    new: str
    """What stands before it on the new side; may be empty."""
    tensors: int
    """How many names match with it."""
    reason: str
    """Where such a prefix comes from; empty if that is not known."""


@dataclass(frozen=True, slots=True)
class TensorDifference(Report):
    """How the tensors of a network and of a file of weights, or of two files, match."""

    schema: ClassVar[str] = "cnninspect.diff-tensors/1"
    rendering: ClassVar[str] = "cnninspect.commands.diff.tensors_rendering"

    old: str
    """Reference of the network or file."""
    new: str
    """Reference of the network or file."""
    matched: int
    """Tensors of the same name and shape, prefixes aside."""
    renaming: Renaming | None
    """The prefix that has to go or come; None: names are alike."""
    missing: tuple[OddTensor, ...]
    """In the old one, not in the new one."""
    unexpected: tuple[OddTensor, ...]
    """In the new one, not in the old one."""
    misshapen: tuple[MisshapenTensor, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every tensor found its like under its own name."""
        odd = self.missing or self.unexpected or self.misshapen or self.renaming
        return not odd


def facts_of(trace: Trace, summary: Summary) -> tuple[LayerFacts, ...]:
    """Every layer by itself, parents before children; `summary` is that of the same trace."""
    own = {layer.path: layer.own for layer in summary.layers}
    return tuple(
        LayerFacts(
            path=layer.path,
            type=layer.type,
            output_shapes=tuple(spec.shape for spec in layer.outputs),
            tensors=tuple(ParameterShape(p.name, p.spec.shape) for p in layer.parameters),
            parameters=own[layer.path].parameters,
            macs=own[layer.path].macs,
        )
        for layer in trace.layers
    )


def structural_hash(layers: Iterable[LayerFacts]) -> str:
    """A hash that is the same for networks that are alike, layer by layer, on any machine."""
    lines = "\n".join(json.dumps(plain(layer), separators=(",", ":")) for layer in layers)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
