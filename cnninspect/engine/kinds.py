"""Which classes are of a kind, asked once for each class: of every argument, it must be quick."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter


class Kind(dict[type, bool]):
    """Whether a class is one of these or derives from one: `KIND[type(value)]`."""

    def __init__(self, *classes: type) -> None:
        super().__init__()
        self.classes = classes

    def __missing__(self, kind: type) -> bool:
        answer = self[kind] = issubclass(kind, self.classes)
        return answer


NUMBERS = frozenset((bool, float, complex))
"""Numbers that equal an integer, though an operator gives something else for them."""
TENSOR = Kind(Tensor)
UNINITIALISED = Kind(UninitializedParameter, UninitializedBuffer)
"""Tensors that a lazy layer has yet to give a shape."""
SCRIPT = Kind(torch.jit.ScriptModule)
