"""Copies of a network that a training step may change: without memory for the weights, or real."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.building import Built, build_really
from cnninspect.engine.stand_ins import abstract_twin
from cnninspect.records.models import LoadedModel


def abstract_copy(model: nn.Module, *, is_live: bool, dtype: str | None = None) -> nn.Module:
    """The model with abstract parameters and float buffers, of another dtype if one is named.

    A live module is copied, its tensors left out of the copy; one that was just built is changed.
    """
    wanted: torch.dtype | None = getattr(torch, dtype) if dtype else None
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype.is_floating_point or isinstance(tensor, nn.Parameter):
            memo[id(tensor)] = _abstract_like(tensor, wanted)
    if is_live:
        return copy.deepcopy(model, memo)
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            tensors.update({name: memo.get(id(tensor), tensor) for name, tensor in tensors.items()})
    return model


def real_copy(loaded: LoadedModel, built: Built, *, dtype: str | None = None) -> nn.Module:
    """The model with weights: a copy of a live one, or built with its own initialisation."""
    if loaded.live:
        model = copy.deepcopy(built.structure.model)
    else:
        torch.manual_seed(0)
        model = build_really(loaded)
    return model.to(getattr(torch, dtype)) if dtype else model


def _abstract_like(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    twin = abstract_twin(tensor.detach())
    if dtype is not None and tensor.dtype.is_floating_point:
        twin = twin.to(dtype)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(twin, requires_grad=tensor.requires_grad)
    return twin
