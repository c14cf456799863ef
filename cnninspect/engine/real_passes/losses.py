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
from cnninspect.records.operations import shape_text

MAIN = ("logits", "out", "last_hidden_state")
"""Names under which models give their main output among others."""
AUXILIARY = "aux"
"""How names of auxiliary outputs begin, which are trained as the main one is."""
IMAGE_CHANNELS = (1, 3)
"""Grey and colour: what a network without an image at its input makes images of."""


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
    auxiliary = [t for name, t in found.items() if name != main and name.startswith(AUXILIARY)]
    return (found[main], *auxiliary)


def chosen_loss(asked: str, output: Tensor, inputs: Sequence[Tensor] = ()) -> str:
    """The loss that `auto` stands for with this output of these inputs; else what was asked.

    An image that comes out in the shape of one that went in is a reconstruction, whose channels
    are no classes, and so is a picture made of something else.
    """
    if asked != "auto":
        return asked
    has_classes = output.dim() > 1 and classes_of(output) > 1
    return "cross-entropy" if has_classes and not _is_picture(output, inputs) else "mse"


def _is_picture(output: Tensor, inputs: Sequence[Tensor]) -> bool:
    if output.dim() < 4:
        return False
    pictures = [t for t in inputs if t.dim() == output.dim() and max(t.shape[2:]) > 1]
    if pictures:
        return any(t.shape == output.shape for t in pictures)
    return bool(inputs) and output.shape[1] in IMAGE_CHANNELS


def loss_of(
    outputs: Sequence[Tensor],
    labels: Tensor | None,
    loss: str,
    *,
    noise: torch.Generator,
    aux_weight: float = 1.0,
) -> Tensor:
    """The loss of outputs of any shape, averaged over the batch.

    Of several outputs the first is the main one; the losses of the others are added, each times
    `aux_weight`.  Source of what is missing: where `labels` is None, classes are drawn uniformly,
    targets from the standard normal distribution, and for `bce` from 0 and 1.

    Raises:
        BadOption: there are too few classes for cross-entropy.
        LabelOutOfRange: a label names a class that the output has not.
    """
    total = torch.zeros((), device=outputs[0].device)
    for number, output in enumerate(outputs):
        # In single precision at least, so that small differences between classes survive.
        precise = output if output.dtype == torch.float64 else output.float()
        if loss == "sum":
            part = precise.sum()
        elif loss == "mse":
            part = F.mse_loss(precise, _values(precise, labels, noise))
        elif loss == "bce":
            part = F.binary_cross_entropy_with_logits(precise, _chances(precise, labels, noise))
        else:
            part = _cross_entropy(precise, labels, noise)
        total = total + (part * aux_weight if number else part)
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
        shape = shape_text(output.shape)
        raise BadOption(
            "--loss", "cross-entropy", f"mse or sum: an output of {shape} is no class scores"
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


def _chances(output: Tensor, labels: Tensor | None, noise: torch.Generator) -> Tensor:
    """How likely each output should be, from 0 to 1: as given, or 1 where a label names its class.

    Raises:
        LabelOutOfRange: a label of two classes is neither 0 nor 1.
    """
    if labels is None:
        return torch.randint(2, output.shape, generator=noise).to(output)
    values = _values(output, labels, noise)
    outside = values[(values < 0) | (values > 1)]
    if len(outside):
        raise LabelOutOfRange(int(outside[0]), 2)
    return values


def _spread(labels: Tensor, output: Tensor, count: int) -> Tensor:
    """One label for each row of scores: where an image has one, all its positions share it."""
    flat = labels.reshape(-1).long()
    if len(flat) == count:
        return flat
    if count % len(flat) or len(flat) != output.shape[0]:
        raise BadOption(
            "targets", shape_text(labels.shape), f"one for each of {count} rows of scores"
        )
    return flat.repeat_interleave(count // len(flat))
