"""The summary of a trace: each layer's shapes, parameters and MACs, and the totals, as records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.records.machine import Bandwidth
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor
from cnninspect.records.reports import Report
from cnninspect.records.traces import Parameter, Trace, level_of


@dataclass(frozen=True, slots=True)
class Counts:
    """What a layer has and does, either by itself (own) or with everything under it (total)."""

    parameters: int = 0
    """Elements of parameters, each shared one counted once."""
    trainable_parameters: int = 0
    """Those of them that receive gradients."""
    parameter_bytes: int = 0
    """Bytes of the parameters."""
    macs: int = 0
    """Multiply-accumulates, over all calls."""
    activations: int = 0
    """Elements written by convolutions, matrix products, attention and recurrent gates."""
    activation_bytes: int = 0
    """Bytes of those."""
    convention: int = 0
    """What the report's convention counts; equal to `macs` under the convention of that name."""

    @property
    def flops(self) -> int:
        """Two for each multiply-accumulate."""
        return 2 * self.macs

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.parameters + other.parameters,
            self.trainable_parameters + other.trainable_parameters,
            self.parameter_bytes + other.parameter_bytes,
            self.macs + other.macs,
            self.activations + other.activations,
            self.activation_bytes + other.activation_bytes,
            self.convention + other.convention,
        )


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
class Whole:
    """What is told of a network as a whole."""

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


@dataclass(frozen=True, slots=True)
class MatrixForm:
    """The matrix product that a convolution becomes once its input is unfolded (im2col).

    One group's weights, `rows` × `inner`, times the unfolded input, `inner` × `columns`, in each
    of `groups` groups and for each image of the batch.
    """

    rows: int
    """Output channels of one group."""
    inner: int
    """Input channels of one group × kernel positions."""
    columns: int
    """Output positions of one image."""
    groups: int
    """Groups."""
    batch: int
    """Images."""
    unfolded_bytes: int
    """Bytes of the unfolded input of the whole batch."""


@dataclass(frozen=True, slots=True)
class BackwardMacs:
    """Multiply-accumulates of the backward pass, traced rather than guessed."""

    own: int
    """Of this layer alone."""
    total: int
    """With everything under it."""


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One row: a layer and what it costs."""

    path: str
    """Names from the model down, joined by dots; `""` is the model itself."""
    type: str
    """Class name."""
    level: int
    """Number of names in the path."""
    calls: int
    """How often it ran."""
    input_shapes: tuple[tuple[int, ...], ...]
    """Shapes of the tensors given to its first call."""
    output_shapes: tuple[tuple[int, ...], ...]
    """Shapes of the tensors that its first call returned."""
    own: Counts
    """This layer's alone."""
    total: Counts
    """With everything under it."""
    parameters: tuple[Parameter, ...] = ()
    """Its own parameters, shared ones included."""
    kernel: tuple[int, ...] | None = None
    """Window of its convolution or pooling, by dimension."""
    stride: tuple[int, ...] | None = None
    """Step of that window."""
    receptive_field: tuple[int, ...] | None = None
    """Input positions that one element of its output depends on, by dimension, padding counted."""
    matrix: MatrixForm | None = None
    """Its convolution as a matrix product."""
    backward: BackwardMacs | None = None
    """Work of the backward pass, where it was asked for."""
    roofline: LayerRoofline | None = None
    """Least time on a device, where one was named."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole network."""

    parameters: int
    trainable_parameters: int
    buffers: int
    """Elements of buffers."""
    parameter_bytes: int
    macs: int
    flops: int
    """Two for each multiply-accumulate."""
    activations: int
    activation_bytes: int
    layers: int
    """Modules, the model itself left out."""
    active_parameters: int | None = None
    """Of a mixture of experts: all but those of the experts that a token is not sent to."""


@dataclass(frozen=True, slots=True)
class StoredAs:
    """The parameters of one type."""

    dtype: str
    parameters: int
    """Elements: of packed weights, the numbers that they stand for."""
    parameter_bytes: int
    """Bytes that they take as they are stored."""


@dataclass(frozen=True, slots=True)
class ConventionTotal:
    """The same network counted by somebody's rules."""

    name: str
    total: int
    source: str
    """Where the rules are written down."""
    unit: str = "MACs"
    """What its authors call the number."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """How the trace was obtained."""

    build: str
    """`meta`, `real` or `file`."""
    run: str
    """`abstract`, `real` or `graph`; `none` for a file of weights."""
    calls: int
    """Operations that ran."""
    operations: int
    """Distinct ones among them."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, trace: Trace) -> EngineInfo:
        """How this trace was obtained."""
        how = trace.how
        return cls(how.build, how.run, len(trace.calls), len(trace.operations), how.notes)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many calls each state of the cost table met."""

    calls: int
    counted: int
    free: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Uncounted:
    """An operation that is not counted."""

    op: str
    calls: int
    layers: tuple[str, ...]
    lacks_shape: bool = False
    """Whether it has a formula, and only the shape of an input is not known."""
    reason: str = ""
    """Why nothing is known of it, where it first ran."""


@dataclass(frozen=True, slots=True)
class Published:
    """A number in print for this very model and input."""

    quantity: str
    """`macs` or `parameters`."""
    value: float
    """As printed."""
    printed: str
    """As printed, with its unit: `3.664 GMACs`."""
    source: str
    """Who printed it."""
    matches: bool
    """Whether ours rounds to it."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A parameter that is another layer's as well, and is counted there."""

    name: str
    """Its full name: `lm_head.weight`."""
    counted_as: str
    """The full name under which it was met first."""


@dataclass(frozen=True, slots=True)
class Summary(Report):
    """A network layer by layer, and its totals."""

    schema: ClassVar[str] = "cnninspect.summary/1"
    rendering: ClassVar[str] = "cnninspect.commands.summary.rendering"

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    outputs: tuple[NamedTensor, ...]
    engine: EngineInfo
    mode: str
    """`eval` or `train`."""
    totals: Totals
    convention: ConventionTotal
    coverage: Coverage
    layers: tuple[LayerSummary, ...]
    """The model itself first, then every layer, parents before children."""
    uncounted: tuple[Uncounted, ...] = ()
    published: tuple[Published, ...] = ()
    device: Device | None = None
    """The device of the rooflines, if one was named."""
    stored: tuple[StoredAs, ...] = ()
    """Its parameters by type, as they are stored: the most bytes first."""
    shared: tuple[Shared, ...] = ()
    """Parameters that several layers own, each counted in the first alone."""
    whole: Whole | None = None
    """Figures of the whole network, where they were worked out: they take as long as all else."""


def limit_level(summary: Summary, level: int) -> Summary:
    """The same summary down to `level` names; what is hidden is added to its shown ancestor."""
    hidden: dict[str, Counts] = {}
    for layer in summary.layers:
        if layer.level > level:
            ancestor = ".".join(layer.path.split(".")[:level])
            hidden[ancestor] = hidden.get(ancestor, Counts()) + layer.own
    shown = tuple(
        _gathered(layer, hidden[layer.path]) if layer.path in hidden else layer
        for layer in summary.layers
        if level_of(layer.path) <= level
    )
    return replace(summary, layers=shown)


def _gathered(layer: LayerSummary, hidden: Counts) -> LayerSummary:
    """A layer that stands for everything under it as well."""
    backward, roofline = layer.backward, layer.roofline
    return replace(
        layer,
        own=layer.own + hidden,
        backward=backward and BackwardMacs(backward.total, backward.total),
        roofline=roofline and LayerRoofline(roofline.total, roofline.total),
    )


@dataclass(frozen=True, slots=True)
class Roofline:
    """The least time that work takes on a device: it computes, or it moves bytes.

    Source: Williams, Waterman, Patterson 2009, Roofline, Communications of the ACM 52(4).
    """

    flops: int = 0
    """Two for each multiply-accumulate."""
    moved_bytes: int = 0
    """Bytes that its calls read and write, each tensor of a call once."""
    compute_seconds: float = 0.0
    """At the device's peak rate."""
    memory_seconds: float = 0.0
    """At the device's bandwidth."""
    seconds: float = 0.0
    """The larger of both, call by call: what a run that fuses no calls takes at least."""

    def __add__(self, other: Roofline) -> Roofline:
        return Roofline(
            self.flops + other.flops,
            self.moved_bytes + other.moved_bytes,
            self.compute_seconds + other.compute_seconds,
            self.memory_seconds + other.memory_seconds,
            self.seconds + other.seconds,
        )

    @property
    def intensity(self) -> float:
        """FLOPs for each byte that is moved."""
        return self.flops / self.moved_bytes if self.moved_bytes else 0.0

    @property
    def bound(self) -> str:
        """What limits it: `compute` or `memory`."""
        return "compute" if self.compute_seconds > self.memory_seconds else "memory"


@dataclass(frozen=True, slots=True)
class LayerRoofline:
    """The least time of a layer's work."""

    own: Roofline
    """Of this layer alone."""
    total: Roofline
    """With everything under it."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a roofline is drawn for."""

    name: str
    dtype: str
    """What is computed in."""
    flops_per_second: float
    """Peak rate for that dtype, without sparsity."""
    bytes_per_second: float
    """Bandwidth of its memory."""
    source: str
    """Who says so."""
    assumed: bool = False
    """Whether every floating-point tensor is taken to be of that dtype, whatever it was."""
    caches: tuple[Bandwidth, ...] = ()
    """Bandwidth by what is worked on, smallest first, where that was measured."""

    def bandwidth_for(self, moved: int) -> float:
        """The most bytes a second for a call that moves so many: what fits a cache is faster.

        Source: Ilic, Pratas, Sousa 2014, Cache-aware Roofline Model, IEEE CAL 13(1).
        """
        larger = [
            c.bytes_per_second
            for i, c in enumerate(self.caches)
            if i + 1 == len(self.caches) or self.caches[i + 1].bytes > moved
        ]
        return max([self.bytes_per_second, *larger])
