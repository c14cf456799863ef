"""Which classes are of a kind, asked once for each class: of every argument, it must be quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

Answer = TypeVar("Answer")

MOST_CLASSES = 1000
"""Classes that an answer is kept for.  Some models make new ones all the time."""


class ByClass(dict[type, Answer]):
    """What to answer for each class, asked once: `BY_CLASS[type(value)]`."""

    def __init__(self, ask: Callable[[type], Answer]) -> None:
        super().__init__()
        self.ask = ask

    def __missing__(self, kind: type) -> Answer:
        if len(self) >= MOST_CLASSES:
            self.clear()
        answer = self[kind] = self.ask(kind)
        return answer


def _derives_from(*classes: type) -> ByClass[bool]:
    return ByClass(lambda kind: issubclass(kind, classes))


NUMBERS = frozenset((bool, int, float, complex))
"""They may equal one another, or the number of a layout, where an operator tells them apart."""
TENSOR = _derives_from(Tensor)
UNINITIALISED = _derives_from(UninitializedParameter, UninitializedBuffer)
"""Tensors that a lazy layer has yet to give a shape."""
SCRIPT = _derives_from(torch.jit.ScriptModule)
