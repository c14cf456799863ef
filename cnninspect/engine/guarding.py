"""Leaves a module, and the process, as they were found.

A forward pass may cache tensors in attributes, count calls, draw random numbers or materialise
lazy layers.  None of that may stay behind in a module that belongs to somebody.
"""

from __future__ import annotations

import copy
import gc
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import is_
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.structure import is_uninitialised


class _Containers(dict[type, bool]):
    """Whether a class is one of containers that can be put back; each class is asked once."""

    def __missing__(self, kind: type) -> bool:
        answer = self[kind] = issubclass(kind, (list, dict, set))
        return answer


IS_CONTAINER = _Containers()


@contextmanager
def unchanged(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Put back every attribute of these modules: training flags, buffers, caches, hooks.

    Even the version counters of their tensors, by which autograd tells whether one was changed.
    """
    kept = [(module, *_attributes_of(module)) for module in modules]
    tensors = tuple(t for module, _, _ in kept for t in _tensors_of(module))
    versions = tuple(tensor._version for tensor in tensors)
    try:
        yield
    finally:
        for module, attributes, contents in kept:
            _restore(module, attributes, contents)
        torch._C._autograd._unsafe_set_version_counter(tensors, versions)


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


@contextmanager
def paused_garbage_collection() -> Iterator[None]:
    """Keep Python from looking for garbage: a trace makes many small objects and few cycles.

    What it made then counts as old, so that not all of it is looked through at once afterwards.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():  # else what somebody froze would thaw as well
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def set_mode(modules: Iterable[nn.Module], mode: str) -> None:
    """Set the training flags without calling `train()`, which a module may have overridden."""
    wanted = mode == "train"
    for module in modules:
        if getattr(module, "training", wanted) is not wanted:  # frozen TorchScript has no such flag
            module.training = wanted


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


def copy_of_lazy(model: nn.Module) -> nn.Module:
    """A copy that may materialise: it shares all weights that exist, and has its own lazy ones."""
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        if is_uninitialised(tensor):
            fresh: Any = type(tensor)
            memo[id(tensor)] = fresh(device="meta", dtype=tensor.dtype)
        else:
            memo[id(tensor)] = tensor
    return copy.deepcopy(model, memo)


def _attributes_of(module: nn.Module) -> tuple[dict[str, Any], list[tuple[Any, Any]]]:
    """The attributes of a module, and a copy of the content of each filled container among them."""
    attributes = vars(module).copy()
    return attributes, [(value, value.copy()) for value in _filled(attributes)]


def _filled(attributes: dict[str, Any]) -> list[Any]:
    return [value for value in attributes.values() if IS_CONTAINER[value.__class__] and value]


def _tensors_of(module: nn.Module) -> list[Tensor]:
    tensors = (*module._parameters.values(), *module._buffers.values())
    held = [t for t in tensors if t is not None and not is_uninitialised(t)]
    return [t for t in held if not t.is_inference()]


def _restore(
    module: nn.Module, attributes: dict[str, Any], contents: list[tuple[Any, Any]]
) -> None:
    for container, content in contents:
        if not _same_items(container, content):
            _refill(container, content)
    filled = _filled(attributes)
    if len(filled) != len(contents):  # they were empty
        kept = {id(container) for container, _ in contents}
        for container in filled:
            if id(container) not in kept:
                container.clear()
    current = vars(module)
    if len(current) != len(attributes) or not _same_items(current, attributes):
        _refill(current, attributes)


def _same_items(container: Any, content: Any) -> bool:
    """Whether they hold the very same objects; comparing values could compare tensors."""
    if len(container) != len(content):
        return False
    if isinstance(container, dict):
        values = all(map(is_, container.values(), content.values()))
        return values and all(map(is_, container, content))
    return all(map(is_, container, content))


def _refill(container: Any, content: Any) -> None:
    if isinstance(container, list):
        container[:] = content
    else:
        container.clear()
        container.update(content)
