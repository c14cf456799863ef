"""The answer of `cnninspect export`: a file, and how well it does what the network does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report
from cnninspect.records.tensors import NamedTensor
from cnninspect.records.traces import Trace


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What a person may choose for an export."""

    opset: int | None = None
    """Version of ONNX's operators; None: the exporter's own."""
    dynamic: tuple[str, ...] = ()
    """Axes that are left open: `batch`, `height`, `width`, `sequence`, or `x:2=frames`."""
    dtype: str | None = None
    """What weights and inputs are converted to; None: as the network has them."""
    weights: Path | None = None
    """A file of weights; None: those of the network's own initialisation."""
    batch: int = 1
    """Batch of the example that the exporter looks at; it stays where it is not left open."""
    seed: int = 0
    """Of the initialisation and of every random input."""
    exporter: str = "dynamo"
    """`dynamo` or `torchscript`."""
    verify: bool = True
    """Whether the file is run and compared with the network."""
    keep_traces: bool = False
    """Whether stack traces with paths of this machine stay in the file."""
    force: bool = False
    """Whether a file that is there already is overwritten."""


@dataclass(frozen=True, slots=True)
class OpenSize:
    """A size that the file leaves open."""

    name: str
    """What the file calls it."""
    tensor: str
    """The input or output that has it."""
    axis: int
    """Which axis of that, from 0."""


@dataclass(frozen=True, slots=True)
class Verification:
    """One run of the file and of the network with the same random inputs."""

    batch: int
    sizes: dict[str, int]
    """Every size that the file leaves open."""
    max_abs_error: float
    """Largest difference of any element of any output."""
    max_rel_error: float
    """The same as a part of the largest element of that output."""
    tolerance: float
    """What `max_rel_error` may be."""
    ok: bool


@dataclass(frozen=True, slots=True)
class LayerMismatch:
    """The first layer whose output is not that of the network."""

    path: str
    type: str
    max_abs_error: float
    max_rel_error: float


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


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that was made, in place if it is right."""

    network: Trace
    """What the network does."""
    graph: Trace
    """What the file does, with the same input."""
    sha256: str
    bytes: int
    data_bytes: int
    """Of the weights beside it; 0 where they are in it."""
    opset: int
    ir_version: int
    open_sizes: tuple[OpenSize, ...]
    verification: tuple[Verification, ...]
    not_verified: str
    """Why nothing was run; empty if something was."""
    mismatch: LayerMismatch | None
    """The first layer that differs."""
    zeros: tuple[str, ...]
    """Full names of parameters that are all zero, which an exporter may leave out."""
    notes: tuple[str, ...]


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
    notes: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether nothing that was compared differs."""
        return self.mismatch is None and all(run.ok for run in self.verification)
