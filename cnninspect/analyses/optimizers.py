"""What an optimiser keeps for every parameter between steps."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.errors import UnknownChoice
from cnninspect.records.tensors import BITS


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimiser of `torch.optim`, by the state that it keeps."""

    tensors: int
    """Tensors of the parameter's shape and dtype."""
    has_step: bool = False
    """Whether it also counts steps, in one float32 for each parameter tensor."""
    temporaries: int = 0
    """Tensors of the shape and dtype of every parameter that its step makes and drops; those of
    all parameters live together, since on GPUs PyTorch updates them together (`foreach`)."""
    source: str = ""
    """The state's names in PyTorch."""


OPTIMIZERS = {
    "sgd": Optimizer(0, source="torch.optim.SGD without momentum"),
    "momentum": Optimizer(1, source="torch.optim.SGD, momentum_buffer"),
    "adagrad": Optimizer(
        1, has_step=True, temporaries=2, source="torch.optim.Adagrad, sum and step"
    ),
    "rmsprop": Optimizer(
        1, has_step=True, temporaries=1, source="torch.optim.RMSprop, square_avg and step"
    ),
    "adam": Optimizer(
        2, has_step=True, temporaries=1, source="torch.optim.Adam, exp_avg, exp_avg_sq and step"
    ),
    "adamw": Optimizer(2, has_step=True, temporaries=1, source="torch.optim.AdamW, as Adam"),
}
"""By the name that one types."""

STEP_BYTES = BITS["float32"] // 8


def find_optimizer(name: str) -> Optimizer:
    """The optimiser of that name.

    Raises:
        UnknownChoice: there is none.
    """
    if name not in OPTIMIZERS:
        raise UnknownChoice("--optimizer", name, OPTIMIZERS)
    return OPTIMIZERS[name]


def state_bytes(optimizer: Optimizer, parameter_bytes: int, tensors: int = 1) -> int:
    """Bytes that an optimiser keeps for so many trainable parameters of so many bytes."""
    return optimizer.tensors * parameter_bytes + STEP_BYTES * tensors * optimizer.has_step
