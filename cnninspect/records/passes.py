"""How gradients are measured, and what one forward and backward pass gave."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.records.models import MODES

WAKING_UPDATES = 3
"""Updates after which a layer without gradient at the start must have one, or it is dead.  A branch
that starts at 0 needs one, a branch within a branch two."""


@dataclass(frozen=True, slots=True)
class WeightedLayer:
    """A layer that multiplies by weights: a convolution, a linear or recurrent layer, a look-up."""

    path: str
    """Names from the model down."""
    type: str
    """Class name."""
    parameters: tuple[str, ...]
    """Full names of its parameters."""


@dataclass(frozen=True, slots=True)
class Norms:
    """The sizes of a layer's tensors: L2 norms, and root mean squares of their elements.

    None where there is no such tensor: a frozen layer's gradient, the gradient at an output
    that nothing trainable lies under.
    """

    activation_norm: float | None = None
    """Of its output; of several, the first; over all calls of the layer."""
    activation_rms: float | None = None
    activation_gradient_norm: float | None = None
    """Of the loss's gradient at that output."""
    activation_gradient_rms: float | None = None
    activation_gradient_zeros: float | None = None
    """Share of that gradient's elements that are exactly 0."""
    gradient_norm: float | None = None
    """Of the gradients of all its trainable parameters together."""
    gradient_rms: float | None = None
    gradient_zeros: float | None = None
    """Share of their elements that are exactly 0."""
    parameter_norm: float | None = None
    """Of its parameters themselves, frozen ones included."""


@dataclass(frozen=True, slots=True)
class LayerPass:
    """One layer in one pass."""

    path: str
    type: str
    calls: int
    """How often it ran in this pass."""
    parameters: int
    """Elements of its parameters."""
    trainable: int
    """Those of them that receive gradients."""
    norms: Norms


@dataclass(frozen=True, slots=True)
class StatePass:
    """The gradient at one state of a recurrent layer, step by step, in one pass."""

    path: str
    """Path of the recurrent module."""
    layer: int
    """Which of its stacked layers, from 0."""
    is_backward: bool
    """Whether it reads from the end."""
    state: str
    """`hidden` or `cell`."""
    norms: tuple[float, ...]
    """L2 norm of the loss's gradient at the state after each time step, in the order of time."""


@dataclass(frozen=True, slots=True)
class GradientPass:
    """One forward and backward pass of a model."""

    seed: int
    batch: int
    """Number of the batch, from 0."""
    step: int
    """Updates made before it."""
    loss: float
    layers: tuple[LayerPass, ...]
    """In the order of execution."""
    states: tuple[StatePass, ...] = ()
    gradient_norm: float = 0.0
    """Of the gradients of all trainable parameters together."""
    woken: tuple[str, ...] = ()
    """Layers without any gradient in this first pass that have one after a few updates."""


@dataclass(frozen=True, slots=True)
class PathGradient:
    """The gradient along paths that go through so many residual branches, and else by shortcuts."""

    branches: int
    """How many branches a path goes through."""
    blocks: int
    """Residual blocks in all: there are (blocks over branches) such paths."""
    sampled: int
    """Paths that were measured."""
    norm: float
    """Mean over these of the L2 norm of the gradient at the input of the first block."""
    whole: float
    """The norm of the whole gradient there, along all paths together."""


@dataclass(frozen=True, slots=True)
class ParameterStep:
    """The step that an optimizer made for one parameter tensor."""

    name: str
    """Full name of the parameter."""
    step: int
    """Which update, from 1."""
    gradient_rms: float
    """Root mean square of its gradient."""
    change_rms: float
    """Root mean square of the change that was made."""
    rate: float
    """Effective learning rate, the median over its elements: what the gradient, or the optimizer's
    running mean of it, is multiplied with.  That is lr for sgd, lr/(√Σg² + ε) for AdaGrad, and with
    a running mean of g² in the place of the sum for RMSProp and, corrected for its start, Adam."""
    low: float
    """Lower quartile of the elements' rates."""
    high: float
    """Upper quartile."""


LOSSES = ("auto", "cross-entropy", "mse", "bce", "sum", "last", "every")
JUDGED = ("last", "every")
"""Losses that say at which time steps a network is judged; which loss it is, goes by its output."""
INITIALISATIONS = ("default", "kaiming", "xavier", "orthogonal", "lecun")
"""Schemes without a number; `normal:STD` has one."""
OPTIMIZERS = {
    "sgd": 0.1, "momentum": 0.1, "adagrad": 0.01, "rmsprop": 0.01, "adam": 0.001, "adamw": 0.001,
}  # fmt: skip
"""Learning rate by optimizer where none is given: for sgd with and without momentum that of
He et al. 2015, section 3.4; else PyTorch's."""
DEVICES = ("cpu", "cuda", "mps", "auto")
DTYPES = ("float32", "bfloat16", "float64")
AXES = ("depth", "time")
MOST_POINTS = 10
"""Steps of training that are measured unless `every` says otherwise, the first left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSettings:
    """What is run, how often, and from which start.

    Raises:
        UnknownChoice: a word is not among those allowed.
        BadOption: a number cannot be used.
    """

    batch: int = 8
    """Examples in a batch."""
    seeds: int = 1
    """Independent starts: other weights, data and noise each time."""
    seed: int = 0
    """The first of them; the others follow."""
    batches: int = 1
    """Batches of data from each start."""
    loss: str = "auto"
    """`auto` is cross-entropy where the output has two classes or more, else mse.  Over time, a
    network that is judged at every step is judged at the last one only, unless this is `every`."""
    aux_weight: float = 0.3
    """What the losses of auxiliary outputs are multiplied with.  Source: Szegedy et al. 2015,
    arXiv:1409.4842, section 5."""
    init: str = "default"
    """How weights are drawn: the model's own way, or a scheme for all weighted layers."""
    weights: str | None = None
    """A file of weights to load; then only data and noise differ between seeds."""
    freeze: tuple[str, ...] = ()
    """Patterns of layers or parameters that are not trained."""
    unfreeze: tuple[str, ...] = ()
    """Patterns of those that are trained after all."""
    mode: str = "train"
    """Whether batch norm and dropout act as in training or as in testing."""
    device: str | None = None
    """Where it is computed; `auto` is the fastest that there is, None where a model is already."""
    dtype: str | None = None
    """In which precision; None: that of the model's weights."""
    data: str = "random"
    """`random`, `digits`, or a folder with a folder of images for each class."""
    steps: int = 0
    """Steps of training after the first measurement."""
    every: int | None = None
    """Of these, every so many are measured; None: about ten in all."""
    optimizer: str = "sgd"
    """What makes the steps."""
    lr: float | None = None
    """Learning rate; None: the optimizer's own."""
    over: str = "depth"
    """`time`: at every time step of the recurrent layers, too."""

    def __post_init__(self) -> None:
        for option, value, known in (
            ("--loss", self.loss, LOSSES),
            ("--mode", self.mode, MODES),
            ("--device", self.device, DEVICES),
            ("--dtype", self.dtype, DTYPES),
            ("--optimizer", self.optimizer, tuple(OPTIMIZERS)),
            ("--over", self.over, AXES),
        ):
            if value is not None and value not in known:
                raise UnknownChoice(option, value, known)
        if self.standard_deviation is None and self.init not in INITIALISATIONS:
            raise UnknownChoice("--init", self.init, (*INITIALISATIONS, "normal:STD"))
        for option, number, least in (
            ("--batch", self.batch, 1),
            ("--seeds", self.seeds, 1),
            ("--seed", self.seed, 0),
            ("--batches", self.batches, 1),
            ("--steps", self.steps, 0),
            ("--every", self.every or 1, 1),
        ):
            if number < least:
                raise BadOption(option, number, f"{least} or more")
        if self.every == 0:
            raise BadOption("--every", 0, "1 or more")
        if not self.steps:
            for option, given in (("--every", self.every), ("--lr", self.lr)):
                if given is not None:
                    raise BadOption(option, given, "used with --steps")
        if self.loss in JUDGED and self.over != "time":
            raise BadOption("--loss", self.loss, "used with --over time")
        if not 0 <= self.aux_weight < float("inf"):
            raise BadOption("--aux-weight", self.aux_weight, "0 or more")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise BadOption("--lr", self.lr, "above 0")

    @property
    def standard_deviation(self) -> float | None:
        """STD of `normal:STD`; None for the other schemes.

        Raises:
            BadOption: it is not a number above 0.
        """
        scheme, colon, number = self.init.partition(":")
        if scheme != "normal" or not colon:
            return None
        try:
            deviation = float(number)
        except ValueError:
            deviation = -1.0
        if not 0 < deviation < float("inf"):
            raise BadOption("--init", self.init, "normal:STD with a number above 0")
        return deviation

    @property
    def criterion(self) -> str:
        """The loss itself, wherever it is taken."""
        return "auto" if self.loss in JUDGED else self.loss

    @property
    def judges_last(self) -> bool:
        """Whether only the last time step is judged."""
        return self.over == "time" and self.loss != "every"

    @property
    def learning_rate(self) -> float:
        """That which was given, or the optimizer's own."""
        return OPTIMIZERS[self.optimizer] if self.lr is None else self.lr

    @property
    def measured_steps(self) -> tuple[int, ...]:
        """Numbers of the steps that are measured: 0 is the start, before any update."""
        every = self.every or max(1, self.steps // MOST_POINTS)
        return tuple(sorted({*range(0, self.steps + 1, every), self.steps}))


@dataclass(frozen=True, slots=True)
class DataUsed:
    """What the batches were taken from."""

    name: str
    """`random`, `digits`, a folder's name, or `given`."""
    images: int | None = None
    """How many there are; None: as many as one likes."""
    classes: tuple[str, ...] = field(default=())
    """Names of the classes, where they have any."""
    skipped: int = 0
    """Files among those met that could not be read as images."""
