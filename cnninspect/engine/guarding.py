"""Leaves a module, and the process, as they were found.

A forward pass may cache tensors in attributes, count calls, draw random numbers or materialise
lazy layers.  None of that may stay behind in a module that belongs to somebody.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedTensorMixin

CONTAINERS = (list, dict, set)


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Put back every attribute of every module: training flags, buffers, caches, hooks."""
    kept = [(module, _attributes_of(module)) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes in kept:
            _restore(module, attributes)


@contextmanager
def unchanged_buffers(model: nn.Module) -> Iterator[None]:
    """Put back the values of every buffer, for a run that really computes."""
    kept = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)


@contextmanager
def unchanged_random_state() -> Iterator[None]:
    """Put back the state of the random generators of PyTorch, Python and NumPy."""
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy_random = sys.modules.get("numpy.random")
    numpy_state = numpy_random.get_state() if numpy_random else None
    try:
        yield
    finally:
        torch.set_rng_state(torch_state)
        random.setstate(python_state)
        if numpy_random is not None:
            numpy_random.set_state(numpy_state)


def set_mode(model: nn.Module, mode: str) -> None:
    """Set the training flags without calling `train()`, which a module may have overridden."""
    for module in model.modules():
        module.training = mode == "train"


def without_wrappers(model: nn.Module) -> nn.Module:
    """The module inside `torch.compile` and `DataParallel` wrappers."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(
            model, (nn.DataParallel, nn.parallel.DistributedDataParallel)
        ):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def is_lazy(model: nn.Module) -> bool:
    """Whether some parameters get their shape in the first forward pass."""
    return any(_is_uninitialised(t) for t in (*model.parameters(), *model.buffers()))


def copy_of_lazy(model: nn.Module) -> nn.Module:
    """A copy that may materialise: it shares all weights that exist, and has its own lazy ones."""
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        if _is_uninitialised(tensor):
            fresh: Any = type(tensor)
            memo[id(tensor)] = fresh(device="meta", dtype=tensor.dtype)
        else:
            memo[id(tensor)] = tensor
    return copy.deepcopy(model, memo)


def _is_uninitialised(tensor: Tensor) -> bool:
    return isinstance(tensor, UninitializedTensorMixin)


def _attributes_of(module: nn.Module) -> dict[str, tuple[Any, Any]]:
    """Each attribute with a copy of its content, where it is a container."""
    return {
        name: (value, value.copy() if isinstance(value, CONTAINERS) else None)
        for name, value in vars(module).items()
    }


def _restore(module: nn.Module, attributes: dict[str, tuple[Any, Any]]) -> None:
    current = vars(module)
    for name in current.keys() - attributes.keys():
        del current[name]
    for name, (value, content) in attributes.items():
        if content is not None and not _same_items(value, content):
            _refill(value, content)
        current[name] = value


def _same_items(container: Any, content: Any) -> bool:
    """Whether they hold the very same objects; comparing values could compare tensors."""
    if len(container) != len(content):
        return False
    if isinstance(container, dict):
        return all(a is b and container[a] is content[b] for a, b in zip(container, content))
    return all(a is b for a, b in zip(container, content))


def _refill(container: Any, content: Any) -> None:
    if isinstance(container, list):
        container[:] = content
    else:
        container.clear()
        container.update(content)
