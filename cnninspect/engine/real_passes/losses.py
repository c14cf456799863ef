"""What is differentiated: one number made of a model's output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cnninspect.engine.bind_inputs import named
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import BadOption, CannotTrain, LabelOutOfRange

MAIN = ("logits", "out", "last_hidden_state")
"""Names under which models give their main output among others."""
AUXILIARY = "aux"
"""How names of auxiliary outputs begin, which are trained as the main one is."""


def trained_outputs(outputs: Any, model: str) -> tuple[Tensor, ...]:
    """The tensors of a model's result that its loss is made of.

    The main one by its name, else the first that can be differentiated, and auxiliary ones.

    Raises:
        CannotTrain: there is none.
    """
    tensors = list(tensors_in(outputs))
    names = [tensor.name for tensor in named("", outputs)]
    found = {n: t for n, t in zip(names, tensors) if t.dtype.is_floating_point and t.requires_grad}
    if not found:
        kinds = ", ".join(dict.fromkeys(str(t.dtype).removeprefix("torch.") for t in tensors))
        problem = (
            f"its output ({kinds}) does not depend on its parameters in a way that can be "
            "differentiated"
            if tensors
            else "its output holds no tensor"
        )
        raise CannotTrain(model, problem, "a loss needs floating-point outputs, not detached")
    main = next((name for name in MAIN if name in found), next(iter(found)))
    return tuple(t for name, t in found.items() if name == main or name.startswith(AUXILIARY))


def chosen_loss(asked: str, output: Tensor) -> str:
    """The loss that `auto` stands for with this output; else what was asked."""
    if asked != "auto":
        return asked
    return "cross-entropy" if output.dim() > 1 and classes_of(output) > 1 else "mse"


def loss_of(
    outputs: Sequence[Tensor], labels: Tensor | None, loss: str, noise: torch.Generator
) -> Tensor:
    """The loss of outputs of any shape, averaged over the batch; of several, their sum.

    Source of what is missing: where `labels` is None, classes are drawn uniformly and targets
    from the standard normal distribution.

    Raises:
        BadOption: there are too few classes for cross-entropy.
        LabelOutOfRange: a label names a class that the output has not.
    """
    total = torch.zeros((), device=outputs[0].device)
    for output in outputs:
        # In single precision at least, so that small differences between classes survive.
        precise = output if output.dtype == torch.float64 else output.float()
        if loss == "sum":
            total = total + precise.sum()
        elif loss == "mse":
            total = total + F.mse_loss(precise, _values(precise, labels, noise))
        else:
            total = total + _cross_entropy(precise, labels, noise)
    return total


def classes_of(output: Tensor) -> int:
    """How many classes an output tells apart.

    In two or three dimensions the last one holds them, (N, C) or (N, steps, C); in more the second,
    (N, C, H, W).
    """
    return output.shape[1] if output.dim() > 3 else output.shape[-1]


def _cross_entropy(output: Tensor, labels: Tensor | None, noise: torch.Generator) -> Tensor:
    classes = classes_of(output) if output.dim() > 1 else 0
    if classes < 2:
        shape = "×".join(map(str, output.shape))
        raise BadOption(
            "--loss", "cross-entropy", f"mse or sum: an output of {shape} tells no classes apart"
        )
    scores = output if output.dim() < 3 else output.movedim(1 if output.dim() > 3 else -1, -1)
    scores = scores.reshape(-1, classes)
    if labels is None:
        drawn = torch.randint(classes, (len(scores),), generator=noise)
    else:
        drawn = _spread(labels, output, len(scores))
        outside = drawn[(drawn < 0) | (drawn >= classes)]
        if len(outside):
            raise LabelOutOfRange(int(outside[0]), classes)
    return F.cross_entropy(scores, drawn.to(scores.device))


def _values(output: Tensor, labels: Tensor | None, noise: torch.Generator) -> Tensor:
    """What the output should be: as given, or 1 for the class that a label names, else 0."""
    if labels is None:
        return torch.randn(output.shape, generator=noise).to(output)
    if labels.shape == output.shape:
        return labels.to(output)
    classes = classes_of(output) if output.dim() > 1 else 1
    if classes > 1 and not labels.dtype.is_floating_point:
        outside = labels[(labels < 0) | (labels >= classes)]
        if len(outside):
            raise LabelOutOfRange(int(outside[0]), classes)
        if output.dim() == 2:
            return F.one_hot(labels, classes).to(output)
    return labels.reshape(-1, *[1] * (output.dim() - 1)).to(output).expand_as(output)


def _spread(labels: Tensor, output: Tensor, count: int) -> Tensor:
    """One label for each row of scores: where an image has one, all its positions share it."""
    flat = labels.reshape(-1).long()
    if len(flat) == count:
        return flat
    if count % len(flat) or len(flat) != output.shape[0]:
        raise BadOption(
            "targets", "×".join(map(str, labels.shape)), f"one for each of {count} rows of scores"
        )
    return flat.repeat_interleave(count // len(flat))
