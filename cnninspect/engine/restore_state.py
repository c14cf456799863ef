"""Leaves a module, and the process, as they were found.

A forward pass may cache tensors in attributes, count calls, draw random numbers or materialise
lazy layers.  None of that may stay behind in a module that belongs to somebody.
"""

from __future__ import annotations

import copy
import gc
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.kinds import SCRIPT, UNINITIALISED, ByClass
from cnninspect.engine.module_tree import Structure


def _copied_as(kind: type) -> Any:
    copies = {dict: dict, set: set, list: list, deque: list}
    return next((copy for base, copy in copies.items() if issubclass(kind, base)), None)


COPIED_AS = ByClass(_copied_as)
"""What the content of a container is copied as; None for no container.

By the real class: a proxy may claim that of something that is gone, and a subclass may have a
`copy` that goes deeper."""


@contextmanager
def unchanged(structure: Structure) -> Iterator[None]:
    """Put back every attribute of these modules: training flags, buffers, caches, hooks.

    Also whether their tensors are trained, and even the version counters of those, by which
    autograd tells whether one was changed.
    """
    modules = structure.distinct_modules()
    held = [v for m in modules for v in vars(m).values() if COPIED_AS[type(v)]]
    filled = list(filter(None, held))
    kept = [COPIED_AS[type(container)](container) for container in (*map(vars, modules), *filled)]
    tensors = tuple(
        [t for t in structure.tensors if not UNINITIALISED[t.__class__] and not t.is_inference()]
    )
    versions = tuple([tensor._version for tensor in tensors])
    were_trained = [tensor.requires_grad for tensor in structure.tensors]
    scripts = [(m, m.training) for m in modules if SCRIPT[m.__class__] and hasattr(m, "training")]
    try:
        yield
    finally:
        were_filled = set(map(id, filled))
        for container in filter(None, held):
            if id(container) not in were_filled:
                container.clear()
        now = (*map(vars, modules), *filled)
        if not _same_items(now, kept):
            for container, content in zip(now, kept):
                if not _same_items((container,), (content,)):
                    _refill(container, content)
        for script, was_training in scripts:  # TorchScript keeps the flag for itself
            script.training = was_training
        if [tensor.requires_grad for tensor in structure.tensors] != were_trained:
            for tensor, was_trained in zip(structure.tensors, were_trained):
                if tensor.is_leaf:
                    tensor.requires_grad = was_trained
        torch._C._autograd._unsafe_set_version_counter(tensors, versions)


@contextmanager
def unchanged_data() -> Iterator[dict[int, tuple[Tensor, Tensor]]]:
    """Put back the data of the tensors that are noted with it, by their `id`."""
    replaced: dict[int, tuple[Tensor, Tensor]] = {}
    try:
        yield replaced
    finally:
        for tensor, data in replaced.values():
            tensor.data = data


@contextmanager
def unchanged_values(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Put back what these tensors hold, for a run that really computes."""
    kept = [(tensor, tensor.data, tensor.detach().clone()) for tensor in tensors]
    try:
        yield
    finally:
        for tensor, data, value in kept:
            with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                tensor.data = data
                tensor.copy_(value)


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
        if UNINITIALISED[tensor.__class__]:
            fresh: Any = type(tensor)
            memo[id(tensor)] = fresh(device="meta", dtype=tensor.dtype)
        else:
            memo[id(tensor)] = tensor
    return copy.deepcopy(model, memo)


def _same_items(containers: Sequence[Any], contents: Sequence[Any]) -> bool:
    """Whether they hold the very same objects; comparing values could compare tensors."""
    if list(map(len, containers)) != list(map(len, contents)):
        return False
    return all(map(is_, _items(containers), _items(contents)))


def _items(containers: Sequence[Any]) -> list[Any]:
    items: list[Any] = []
    for container in containers:
        items += container
        if isinstance(container, dict):
            items += container.values()
    return items


def _refill(container: Any, content: Any) -> None:
    container.clear()
    if isinstance(container, (dict, set)):
        container.update(content)
    else:
        container.extend(content)
