"""What autograd's graph tells before the backward pass."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd.function import BackwardCFunction


def holds_functions_in_python(loss: Tensor) -> bool:
    """Whether the graph of a loss has nodes that are written in Python.

    These may run a backward pass of their own, as reentrant checkpointing does, which hands a
    parameter that several of them use its gradient in as many parts.
    """
    waiting: list[Any] = [loss.grad_fn]
    met = set(waiting)
    while waiting:
        node = waiting.pop()
        if isinstance(node, BackwardCFunction):
            return True
        after = {each for each, _ in node.next_functions if each is not None}
        waiting += after - met
        met |= after
    return False


def is_part(tensor: Tensor) -> bool:
    """Whether a tensor is a view of something that has other elements too, or no gradient."""
    base = tensor._base
    return base is not None and (base.grad_fn is None or base.numel() != tensor.numel())
