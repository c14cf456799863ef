"""How a network is written as an ONNX file, and what is measured of the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnninspect.records.traces import Trace


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What may be chosen for an export."""

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
    quantize: str | None = None
    """`int8`: weights become integers of 8 bits; None: they stay."""
    calibrate: str | None = None
    """Images to find the ranges of activations with: `digits`, or a folder with a folder for each
    class; None: ranges are found while the file runs."""
    data: str | None = None
    """Labelled images to compare accuracy on; None: those of `calibrate` that were not used."""
    strict: bool = False
    """Whether a difference of counts that nobody can explain is an error."""


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
class Kinship:
    """What the values of a tensor say of where they come from, or of where they went."""

    name: str
    """A parameter that the file lacks, or a tensor that only the file has."""
    how: str
    """Of a parameter: `same` (another tensor has its values), `form` (in another order of axes or
    another shape), `cut` (only a part of it is stored), `joined` (it is part of another), `zeros`.
    Of a tensor of the file: `of` a parameter, or of a `buffer`."""
    other: str = ""
    """The tensor on the other side."""


@dataclass(frozen=True, slots=True)
class QuantizedLayer:
    """A layer with weights or multiply-accumulates, and whether it works on integers now."""

    path: str
    type: str
    operator: str
    """ONNX's operator, as it was: `Conv`, `Gemm`."""
    macs: int
    parameters: int
    """Elements of the weights that the operator takes."""
    is_int8: bool
    reason: str = ""
    """Why it stayed as it was; empty where nobody knows, or where it did not stay."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the largest output is that of the label, before and after."""

    data: str
    """`digits`, or a folder's name."""
    images: int
    before: float
    after: float
    agreement: float
    """How often both files give the same class, right or wrong."""


@dataclass(frozen=True, slots=True)
class Quantization:
    """An ONNX file before and after its weights became integers."""

    method: str
    """`dynamic`: scales of activations are found while it runs; `static`: from images, before."""
    calibration: str
    """`digits`, or a folder's name; empty if dynamic."""
    calibration_images: int
    bytes_before: int
    bytes_after: int
    """Of the whole file, and of the weights beside it."""
    layers: tuple[QuantizedLayer, ...]
    compared_on: str
    """What both files were run on."""
    max_abs_error: float
    """The largest difference of any element of any output."""
    max_rel_error: float
    """The same as a part of the largest element of that output."""
    rms_rel_error: float
    """Root mean square of the differences as a part of that of the outputs."""
    accuracy: Accuracy | None
    parameters: int | None
    """Of the file, read back as a model; None where it could not be read."""
    macs: int | None
    """The same of its multiply-accumulates."""

    @property
    def int8_macs(self) -> int:
        """MACs of the layers that work on integers."""
        return sum(layer.macs for layer in self.layers if layer.is_int8)


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
    notes: tuple[str, ...]
    weights: str = ""
    """Where the weights come from: `random, seed 0`, or a file's name and digest."""
    kinships: tuple[Kinship, ...] = ()
    """Of tensors that are on one side only."""
    quantization: Quantization | None = None
