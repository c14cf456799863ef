"""The answer of `cnninspect train`: how models learnt, epoch by epoch, on what they saw and not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.records.models import ModelInfo
from cnninspect.records.passes import DEVICES, DTYPES, OPTIMIZERS, DataUsed, ParameterStep
from cnninspect.records.reports import Report

SCHEDULES = ("constant", "step", "cosine")
AUGMENTATIONS = ("flip", "shift")
GOOD, UNDERFITTING, OVERFITTING, UNDECIDED = "good fit", "underfitting", "overfitting", "undecided"
COMPLETED, EARLY, NOT_FINITE = "completed", "stopped early", "not finite"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How it is trained.

    Raises:
        UnknownChoice: a word is not among those allowed.
        BadOption: a number cannot be used.
    """

    data: str = "digits"
    """`digits`, a folder with a folder of images for each class, or a .npz file of x and y."""
    epochs: int = 10
    batch: int = 64
    optimizer: str = "adam"
    lr: float | None = None
    """Learning rate at the start; None: the optimizer's own."""
    schedule: str = "constant"
    """`step` divides it by ten after half and three quarters of the epochs, `cosine` lets it fall
    to 0 along half a cosine."""
    weight_decay: float = 0.0
    """Factor of the squared weights' gradient (L2); with adamw, of the weights themselves."""
    l1: float = 0.0
    """Factor of the absolute weights, biases and normalisations left out."""
    label_smoothing: float = 0.0
    augment: tuple[str, ...] = ()
    """`flip`: mirrored by chance; `shift`: moved by up to an eighth of the size."""
    freeze: tuple[str, ...] = ()
    """Patterns of layers that are not trained."""
    unfreeze: tuple[str, ...] = ()
    """Patterns of layers that are trained after all."""
    weights: str | None = None
    """A file of weights to start from."""
    init: str = "default"
    """How weights are drawn, as for gradients."""
    seed: int = 0
    """Of weights, order and augmentation."""
    held_out: float = 0.2
    """Share of each class that is kept back, unless the data say it."""
    patience: int | None = None
    """Epochs without a lower held-out loss after which it stops; the best weights are kept."""
    device: str = "cpu"
    dtype: str = "float32"
    """Of weights and data."""
    amp: bool = False
    """Whether it computes in bfloat16 where that is safe."""
    by_parameter: bool = False
    """Whether the steps of each parameter tensor are looked at: the first of all, and the last of
    each epoch."""

    def __post_init__(self) -> None:
        for option, value, known in (
            ("--optimizer", self.optimizer, tuple(OPTIMIZERS)),
            ("--schedule", self.schedule, SCHEDULES),
            ("--device", self.device, DEVICES),
            ("--dtype", self.dtype, DTYPES),
            *(("--augment", name, AUGMENTATIONS) for name in self.augment),
        ):
            if value not in known:
                raise UnknownChoice(option, value, known)
        for option, number, least in (
            ("--epochs", self.epochs, 1),
            ("--batch", self.batch, 2),
            ("--seed", self.seed, 0),
            ("--patience", 1 if self.patience is None else self.patience, 1),
        ):
            if number < least:
                raise BadOption(option, number, f"{least} or more")
        for option, share, most in (
            ("--weight-decay", self.weight_decay, float("inf")),
            ("--l1", self.l1, float("inf")),
            ("--label-smoothing", self.label_smoothing, 1.0),
        ):
            if not 0 <= share < most:
                limit = "0 or more" if most == float("inf") else "from 0 to below 1"
                raise BadOption(option, share, limit)
        if not 0 < self.held_out < 1:
            raise BadOption("--held-out", self.held_out, "between 0 and 1")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise BadOption("--lr", self.lr, "above 0")

    @property
    def learning_rate(self) -> float:
        """That which was given, or the optimizer's own."""
        return OPTIMIZERS[self.optimizer] if self.lr is None else self.lr


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one time through the data came to."""

    epoch: int
    """From 1."""
    loss: float
    """Mean over the examples that it was trained on, as they came: the weights changed meanwhile.
    Penalties on weights are no part of it."""
    accuracy: float
    held_out_loss: float
    """Mean over the examples kept back, after the epoch."""
    held_out_accuracy: float
    gradient_norm: float
    """L2 norm over all parameters, mean over the steps."""
    weight_norm: float
    """L2 norm of all parameters, after the epoch."""
    weight_l1: float
    """Sum of their absolute values."""
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether it learnt too little, too much of what does not carry over, or well."""

    verdict: str
    """`good fit`, `underfitting`, `overfitting`, or `undecided` after a single epoch."""
    since_epoch: int | None
    """Of overfitting, the last epoch before it."""
    gap: float
    """Accuracy on what it was trained on less that on what was kept back, at the end."""
    reason: str
    """What the verdict comes from, in words."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why and where training ended."""

    reason: str
    """`completed`, `stopped early`, or `not finite`."""
    epoch: int
    """The last one that was begun."""
    step: int = 0
    """Updates made up to then."""
    layer: str = ""
    """Of what is not finite: the first layer whose output is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """One model and what became of it."""

    model: ModelInfo
    parameters: int
    trained_parameters: int
    depth: int
    """Weighted layers on the longest way through it."""
    epochs: tuple[Epoch, ...]
    fit: Fit
    stop: Stop
    kept_epoch: int
    """The epoch whose weights were kept: the last, or the best where it may stop early."""
    weights: str | None = None
    """The file that they were written to."""
    steps: tuple[ParameterStep, ...] = ()
    """What the optimizer did to each parameter tensor, where that was asked for."""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Degradation:
    """A deeper and a shallower network of one family (He et al. 2015, arXiv:1512.03385, Fig. 1)."""

    shallower: str
    deeper: str
    shallower_accuracy: float
    """On what it was trained on, at the end."""
    deeper_accuracy: float
    is_seen: bool
    """Whether the deeper one fits worse what it was trained on."""


@dataclass(frozen=True, slots=True)
class Training(Report):
    """How models learnt."""

    schema: ClassVar[str] = "cnninspect.train/1"
    rendering: ClassVar[str] = "cnninspect.commands.train.rendering"

    settings: TrainingSettings
    data: DataUsed
    trained_examples: int
    held_out_examples: int
    models: tuple[TrainedModel, ...]
    degradation: tuple[Degradation, ...] = ()
    """Of each family with several depths, neighbours in depth."""
