"""How a network is timed, and what a clock said of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.records.models import MODES
from cnninspect.records.passes import DEVICES, OPTIMIZERS

BACKENDS = ("torch", "torch.compile", "onnxruntime")
"""What may run a network."""
DTYPES = ("float32", "float64", "float16", "bfloat16")
"""What the weights may be converted to."""
AMP = "bfloat16"
"""What autocast computes in."""
UNSTEADY = 0.2
"""Quartiles that lie farther apart than such a share of the median are not to be trusted."""
LEAST_RUNS = 5
"""Fewer have no quartiles worth the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSettings:
    """What is run, on what, and for how long.

    Raises:
        UnknownChoice: a word is not among those allowed.
        BadOption: a number cannot be used, or two options do not go together.
    """

    batch: int = 1
    """Examples in a batch."""
    mode: str = "eval"
    """`eval`: forward without gradients; `train`: forward, backward and the optimizer's step."""
    backend: str = "torch"
    """One of `BACKENDS`."""
    device: str = "cpu"
    """Where it is computed; `auto` is the fastest that there is."""
    dtype: str | None = None
    """Of the weights and of floating-point inputs; None: as the model is built."""
    amp: bool = False
    """Whether autocast computes in bfloat16."""
    channels_last: bool = False
    """Whether images and kernels lie in memory with their channels last."""
    threads: int | None = None
    """Threads that compute on the CPU; None: as many as PyTorch takes by itself."""
    seconds: float = 3.0
    """How long it is timed, at least."""
    runs: int = LEAST_RUNS
    """How often it is run, at least."""
    weights: str | None = None
    """A file of weights to load."""
    optimizer: str = "sgd"
    """What makes the step in training."""

    def __post_init__(self) -> None:
        for option, value, known in (
            ("--mode", self.mode, MODES),
            ("--backend", self.backend, BACKENDS),
            ("--device", self.device, DEVICES),
            ("--dtype", self.dtype, DTYPES),
            ("--optimizer", self.optimizer, tuple(OPTIMIZERS)),
        ):
            if value is not None and value not in known:
                raise UnknownChoice(option, value, known)
        for option, number in (
            ("--batch", self.batch), ("--threads", self.threads or 1), ("--runs", self.runs),
        ):  # fmt: skip
            if number < 1:
                raise BadOption(option, number, "1 or more")
        if self.threads == 0:
            raise BadOption("--threads", 0, "1 or more")
        if not 0 < self.seconds < float("inf"):
            raise BadOption("--seconds", self.seconds, "above 0")
        if self.amp and self.dtype not in (None, "float32"):
            raise BadOption("--amp", f"with --dtype {self.dtype}", "used with weights in float32")
        if self.backend == "onnxruntime":
            self._check_runtime()

    def _check_runtime(self) -> None:
        """See that nothing is asked of onnxruntime that it does not do."""
        for option, given in (
            ("--mode train", self.mode == "train"),
            ("--amp", self.amp),
            ("--channels-last", self.channels_last),
        ):
            if given:
                raise BadOption(option, "with --backend onnxruntime", "used with --backend torch")

    def on(self, **changes: object) -> TimeSettings:
        """The same with another batch or backend."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Spread:
    """The times of many runs of one thing, in seconds for one run."""

    median_s: float
    lower_s: float
    """The first quartile."""
    upper_s: float
    """The third quartile."""
    least_s: float
    """The fastest."""
    runs: int
    """Runs in all."""
    samples: int
    """Times that were taken: each is the mean of as many runs as the clock needs."""

    @property
    def iqr_s(self) -> float:
        """The interquartile range."""
        return self.upper_s - self.lower_s


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one run of a whole batch takes on this machine."""

    median_s: float
    iqr_s: float
    """The interquartile range: how far to trust it."""
    runs: int
    batch: int
    backend: str
    device: str
    threads: int

    @property
    def is_unsteady(self) -> bool:
        """Whether its quartiles lie too far apart to trust it."""
        return self.iqr_s > UNSTEADY * self.median_s


@dataclass(frozen=True, slots=True)
class Phases:
    """The parts of one run, in seconds."""

    forward_s: float
    backward_s: float = 0.0
    optimizer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class OperationTime:
    """All calls of one operator in one run."""

    name: str
    """As the backend calls it."""
    calls: int
    seconds: float
    """Of these calls alone, without what they call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What a clock said of one network."""

    spread: Spread
    """Of whole runs, with nothing installed in the network."""
    own: dict[str, float] | None = None
    """Seconds of each layer alone, by path, so scaled that together they are the median; None: its
    layers cannot be watched.  The optimizer's step is in none of them."""
    phases: Phases | None = None
    """The parts of the median, where layers were watched."""
    overhead: float | None = None
    """How much longer a run takes while layers are watched, as a share of the median."""
    operations: tuple[OperationTime, ...] = ()
    """The slowest first, scaled to the median; empty unless they were asked for."""
    threads: int = 1
    """Threads that computed."""
    device: str = "cpu"
    device_name: str = ""
    """Of an accelerator, its name."""
    compile_s: float | None = None
    """How long compiling took."""
    notes: tuple[str, ...] = ()
