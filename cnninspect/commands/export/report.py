"""The answer of `cnninspect export`: a file, and how well it does what the network does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.records.exports import LayerMismatch, OpenSize, Quantization, Verification
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The same quantity in the network and in the file."""

    torch: int
    onnx: int


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Why the two are not the same."""

    quantity: str
    """`parameters` or `macs`."""
    change: int
    """How much more the file has for this reason; less where it is negative."""
    reason: str
    """A few words; empty where nobody knows."""
    layers: tuple[str, ...] = ()
    """Where."""
    remark: str = ""
    """What else is known there, which explains nothing by itself."""


@dataclass(frozen=True, slots=True)
class ExportReport(Report):
    """An ONNX file, and how well it does what the network does."""

    schema: ClassVar[str] = "cnninspect.export/1"
    rendering: ClassVar[str] = "cnninspect.commands.export.rendering"

    model: ModelInfo
    file: str
    sha256: str
    bytes: int
    data_file: str | None
    """Where the weights are, if they are too large for one file."""
    data_bytes: int
    exporter: str
    opset: int
    ir_version: int
    inputs: tuple[NamedTensor, ...]
    """With the sizes of the example."""
    outputs: tuple[NamedTensor, ...]
    open_sizes: tuple[OpenSize, ...]
    verification: tuple[Verification, ...]
    not_verified: str
    """Why it was not run, or not in every way; empty if it was."""
    parameters: Reconciled
    macs: Reconciled
    differences: tuple[Discrepancy, ...]
    """What makes up the differences of the two."""
    mismatch: LayerMismatch | None = None
    """Where the two first part, if they do."""
    weights: str = ""
    """Where the weights come from: `random, seed 0`, or a file's name and digest."""
    quantization: Quantization | None = None
    """What became of weights that were turned into integers; the rest is about the file before."""
    notes: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether nothing that was compared differs."""
        return self.mismatch is None and all(run.ok for run in self.verification)

    @property
    def unexplained(self) -> tuple[Discrepancy, ...]:
        """The differences of counts that nobody can explain."""
        return tuple(difference for difference in self.differences if not difference.reason)
