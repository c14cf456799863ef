"""Looks into the objects that PyTorch's quantised layers keep their weights in.

Such an object is packed for a kernel and is neither a parameter nor a buffer, but it can be
unpacked: a weight of 8-bit integers, and a bias of floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.kinds import ByClass
from cnninspect.engine.layouts import spec_of
from cnninspect.engine.torch_private import _disable_current_modes
from cnninspect.records.layers import Parameter
from cnninspect.records.tensors import TensorSpec

MAY_HOLD = ByClass(
    lambda kind: any(
        base.__module__.startswith(("torch.ao.", "torch.nn.quant")) for base in kind.__mro__
    )
)
"""Whether modules of a class may hold packed weights: those of PyTorch's quantisation do."""


def packed_parameters(module: nn.Module) -> tuple[Parameter, ...]:
    """What a module keeps packed, as parameters that are not trained."""
    if not MAY_HOLD[type(module)]:
        return ()
    found = [value for value in vars(module).values() if isinstance(value, torch.ScriptObject)]
    tensors = [item for packed in found for item in unpacked(packed)]
    names = [name for name, _ in tensors]
    return tuple(
        Parameter(name if names.count(name) == 1 else f"{name}_{i}", spec_of(tensor), False)
        for i, (name, tensor) in enumerate(tensors)
    )


def packed_specs(packed: torch.ScriptObject) -> tuple[TensorSpec, ...]:
    """Shape and dtype of the weights that an object keeps packed; without the biases."""
    return tuple(spec_of(tensor) for name, tensor in unpacked(packed) if name == "weight")


def unpacked(packed: Any) -> list[tuple[str, Tensor]]:
    """The tensors of a packed object, each called `weight` or `bias`; none of other objects."""
    with _disable_current_modes(), torch.no_grad():
        try:
            return list(_tensors(packed.unpack()))
        except (AttributeError, RuntimeError, TypeError):
            pass
        try:
            return list(_tensors(packed.__getstate__()))
        except (AttributeError, RuntimeError, TypeError):
            return []


def _tensors(state: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(state, Tensor):
        yield ("weight" if state.dim() > 1 else "bias"), state
    elif isinstance(state, torch.ScriptObject):
        yield from unpacked(state)
    elif isinstance(state, (list, tuple)):
        for item in state:
            yield from _tensors(item)
