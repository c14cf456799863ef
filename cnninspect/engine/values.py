"""Operators on abstract tensors whose result's shape depends on real values beside them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class ValueNeeded(RuntimeError):
    """The network asked for a value that depends on weights or floating-point inputs."""

    def __init__(self, operator: str) -> None:
        super().__init__(f"{operator} asks for a value that depends on weights or float inputs")
        self.operator = operator


def with_known_indices(indices: Any) -> Any:
    """Indices with each real boolean mask turned into the integers it stands for.

    `x[mask]` has as many rows as `mask` has true entries, which a real mask tells.
    """
    known: list[Any] = []
    for index in indices:
        if isinstance(index, Tensor) and index.dtype == torch.bool and not index.is_meta:
            known.extend(index.nonzero().unbind(1))
        else:
            known.append(index)
    return known


def known_outcome(name: str, args: list[Any]) -> Any:
    """The abstract result of an operator whose shape the real ones of its tensors tell, or None."""
    if name == "aten.masked_select":
        return _masked_select(*args)
    if name == "aten._pack_padded_sequence":
        return _pack_padded_sequence(*args)
    return None


def _masked_select(x: Tensor, mask: Tensor) -> Tensor | None:
    if mask.is_meta:
        return None
    chosen = int(mask.expand(torch.broadcast_shapes(x.shape, mask.shape)).sum())
    return torch.empty(chosen, dtype=x.dtype, device="meta")


def _pack_padded_sequence(
    x: Tensor, lengths: Tensor, _batch_first: bool
) -> tuple[Tensor, Tensor] | None:
    """All steps that are not padding, in one batch, and the batch size of each step."""
    if lengths.is_meta:
        return None
    steps = int(lengths.max()) if lengths.numel() else 0
    sizes = torch.stack([(lengths > step).sum() for step in range(steps)])
    data = torch.empty((int(lengths.sum()), *x.shape[2:]), dtype=x.dtype, device="meta")
    return data, sizes
