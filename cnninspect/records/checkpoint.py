"""What a file of weights holds, and how its weights fit a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cnninspect.records.operations import TensorSpec
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a checkpoint, without its values."""

    name: str
    """Keys from the top of the file down, joined by dots; `""` for a lone tensor."""
    spec: TensorSpec
    """Shape and dtype."""
    nbytes: int
    """Bytes that its elements take."""
    storage: str
    """Where its bytes lie: an entry of the archive or a file; `""` if the file holds none."""
    offset: int
    """Bytes before its first element in that storage."""
    stride: tuple[int, ...]
    """Elements to step over for the next index, by dimension."""
    shares_with: str | None = None
    """Name of the first tensor whose span of bytes overlaps this one's, if it is another."""


@dataclass(frozen=True, slots=True)
class PickledGlobal:
    """A function or class that a pickle asks for by name.  Reading a checkpoint looks up none."""

    name: str
    """Module and attribute, joined by a dot."""
    allowed: bool
    """Whether PyTorch's `weights_only` loading knows it; loading the others may run any code."""


@dataclass(frozen=True, slots=True)
class Checkpoint(Report):
    """The table of a file of weights, read without running anything that it holds."""

    schema: ClassVar[str] = "cnninspect.checkpoint/1"
    rendering: ClassVar[str] = "cnninspect.commands.summary.weights_rendering"

    reference: str
    """The file, as it was typed."""
    format: str
    """`safetensors`, `pytorch zip` or `pytorch legacy`."""
    tensors: tuple[StoredTensor, ...]
    """Every tensor, in the order of the file."""
    globals: tuple[PickledGlobal, ...] = ()
    """What a pickle asks for, in the order of its first mention."""
    metadata: tuple[tuple[str, str], ...] = ()
    """Other values of the file, as text."""
    file_bytes: int = 0
    """Size of the file, or of all the files of an index."""
    notes: tuple[str, ...] = ()
    """What a reader should know."""

    @property
    def elements(self) -> int:
        """Elements of all tensors, those that share their bytes counted once."""
        return sum(t.spec.numel for t in self.tensors if t.shares_with is None)

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors, those that share their bytes counted once."""
        return sum(t.nbytes for t in self.tensors if t.shares_with is None)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, with its totals."""
        totals = {
            "tensors": len(self.tensors),
            "elements": self.elements,
            "tensor_bytes": self.tensor_bytes,
        }
        return Report.to_dict(self) | {"totals": totals}


@dataclass(frozen=True, slots=True)
class Misshaped:
    """A tensor whose shape in the file is not that of the network."""

    name: str
    stored: tuple[int, ...]
    """Its shape in the file."""
    wanted: tuple[int, ...]
    """Its shape in the network."""


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """How the weights of a file fit a network."""

    path: str
    """The file."""
    loaded: int
    """Tensors of the file that are in the network now."""
    missing: tuple[str, ...] = ()
    """In the network, not in the file."""
    unexpected: tuple[str, ...] = ()
    """In the file, not in the network."""
    misshaped: tuple[Misshaped, ...] = ()
    """In both, with different shapes."""
    notes: tuple[str, ...] = ()
    """What was done to make the names fit."""

    @property
    def fits(self) -> bool:
        """Whether every tensor found its place."""
        return not (self.missing or self.unexpected or self.misshaped)
