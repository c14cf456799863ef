"""The answer of `cnninspect time`: how long networks take here, and how long they must."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.figures import Unmeasured
from cnninspect.metrics.summary import Device
from cnninspect.records.machine import Bandwidth
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor
from cnninspect.records.reports import Report
from cnninspect.records.timings import OperationTime, Phases


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What it was measured on."""

    processor: str
    """Its name; of an accelerator, where that computed."""
    device: str
    """`cpu`, `cuda` or `mps`."""
    threads: int
    """That computed; 1 on an accelerator."""
    cores: int
    """That this process may use."""
    gflops: dict[str, float]
    """10^9 FLOPs a second by dtype, as calibrated; empty: it was not."""
    gb_per_s: float | None
    """Bandwidth of its memory in 10^9 bytes a second, as calibrated."""
    caches: tuple[Bandwidth, ...] = ()
    """Bandwidth by what is worked on."""
    calibrated: str = ""
    """The day; empty: it was not."""
    system: str = ""
    python: str = ""
    onnxruntime: str | None = None
    """Its version; None: it is not installed."""
    load: float | None = None
    """Processes that wanted to run in the minute before, on average."""
    gigahertz: float | None = None
    """The processor's frequency when it was over, where the system says it."""
    most_gigahertz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTiming:
    """One layer: how long it takes, and how long it must."""

    path: str
    """Names from the model down, joined by dots; `""` is the model itself."""
    type: str
    level: int
    calls: int
    own_s: float | None
    """Of this layer alone; None: it could not be watched."""
    total_s: float | None
    """With everything under it."""
    own_bound_s: float | None
    """The least time of its own calls; None: there is no device to hold them against."""
    bound_s: float | None
    """The least time with everything under it."""
    efficiency: float | None
    """The least time as a share of the measured one, with everything under it."""
    bound: str
    """What limits it: `compute` or `memory`; empty where it does nothing."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The parts of the measured time, which together are 1."""

    compute: float
    """The least time of calls that computing limits."""
    memory: float
    """The least time of calls that moving bytes limits."""
    overhead: float
    """The rest: kernels below the peak, and what calling them takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedModel:
    """One network with one batch in one backend."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    backend: str
    """`torch`, `torch.compile` or `onnxruntime`."""
    mode: str
    """`eval` or `train`."""
    batch: int
    dtype: str
    """What it computes in."""
    threads: int
    device: str
    options: tuple[str, ...]
    """What else was asked for: `amp`, `channels-last`, an optimizer."""
    macs: int
    median_s: float
    """For one run of a whole batch."""
    iqr_s: float
    """The interquartile range."""
    lower_s: float
    upper_s: float
    least_s: float
    runs: int
    samples_per_s: float
    bound_s: float | None
    """The least time on the device of `spec`, call by call; None: there is none to hold it against.
    It says what is possible at best, and nothing of what a run will take."""
    efficiency: float | None
    spec: Device | None
    """What the least times are of."""
    shares: Shares | None
    gains: tuple[str, ...]
    """The layers that take longest beyond their least time."""
    phases: Phases | None
    """Forward, backward, the optimizer's step."""
    overhead: float | None
    """How much longer a run took while layers were watched, as a share."""
    compile_s: float | None
    layers: tuple[LayerTiming, ...]
    operations: tuple[OperationTime, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeReport(Report):
    """Networks timed on this machine, and what this machine can do at best."""

    schema: ClassVar[str] = "cnninspect.time/1"
    rendering: ClassVar[str] = "cnninspect.commands.timing.rendering"

    machine: Machine
    models: tuple[TimedModel, ...]
    failed: tuple[Unmeasured, ...] = ()
    notes: tuple[str, ...] = ()
