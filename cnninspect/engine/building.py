"""Builds a model: without memory for its weights if that works, else with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn import init
from torch.utils._python_dispatch import TorchDispatchMode

from cnninspect.engine.fake_mode import Abstraction
from cnninspect.engine.layouts import spec_of
from cnninspect.engine.module_tree import Structure, without_wrappers
from cnninspect.errors import BuildFailed, CnnInspectError, RunFailed, first_line
from cnninspect.records.models import LoadedModel

FILLERS = frozenset(
    f"aten.{name}_"
    for name in (
        "normal", "uniform", "bernoulli", "random", "exponential", "log_normal", "cauchy",
        "geometric",
    )
)  # fmt: skip
"""Operators that fill a tensor with random numbers."""
TRUNCATED = "_no_grad_trunc_normal_"
"""The function of `torch.nn.init` that draws from a normal distribution between bounds."""


@dataclass(frozen=True, slots=True)
class Built:
    """A model that is ready to run."""

    structure: Structure
    """The model, out of its wrappers."""
    rung: str
    """`meta` or `real`."""
    notes: tuple[str, ...] = ()
    """Why not on a higher rung."""


def build(loaded: LoadedModel) -> Built:
    """Build a model on the highest rung that works.

    Raises:
        BuildFailed: it works on none.
    """
    if loaded.live:
        return _take(loaded)
    try:
        with Abstraction():
            module = loaded.build()
    except CnnInspectError:
        raise
    except Exception as problem:  # whatever a constructor raises, a real build may do without
        reason = first_line(problem)
        with Unfilled():
            structure = Structure(build_really(loaded))
        return Built(structure, "real", (f"built with real weights, because {reason}",))
    return Built(Structure(_module_of(loaded, module)), "meta")


def build_really(loaded: LoadedModel) -> nn.Module:
    """Build a model with memory for its weights.

    Raises:
        BuildFailed: its constructor raises, or returns something else than a module.
    """
    try:
        module = loaded.build()
    except CnnInspectError:
        raise
    except Exception as problem:
        raise BuildFailed(loaded.info.reference, first_line(problem)) from problem
    return _module_of(loaded, module)


def check_memory(structure: Structure, reason: str) -> None:
    """See that the weights of a model fit into this machine's memory, before they are allocated.

    Raises:
        RunFailed: they do not; `reason` says what they would be needed for.
    """
    if not hasattr(os, "sysconf"):  # Windows does not say
        return
    needed = sum(spec_of(tensor).nbytes for tensor in structure.tensors)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise RunFailed(
            f"{reason}; its weights take {needed:,} bytes and this machine has {memory:,}",
            hint="a smaller one of its kind, by the settings after @, may fit",
        )


class Unfilled(TorchDispatchMode):
    """Leaves weights as the allocator gave them: never touched, they take no memory."""

    def __enter__(self) -> Unfilled:
        # It draws until every value lies within its bounds, and no draw would change any.
        self._drawing = getattr(init, TRUNCATED, None)
        if self._drawing is not None:
            setattr(init, TRUNCATED, lambda tensor, *_args, **_options: tensor)
        super().__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        if self._drawing is not None:
            setattr(init, TRUNCATED, self._drawing)
        super().__exit__(*problem)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name.replace("::", ".") in FILLERS:
            return args[0]
        return func(*args, **(kwargs or {}))


def _take(loaded: LoadedModel) -> Built:
    structure = Structure(without_wrappers(loaded.build()))
    is_abstract = all(tensor.is_meta for tensor in structure.tensors)
    return Built(structure, "meta" if is_abstract else "real")


def _what(made: Any) -> str:
    return "nothing (None)" if made is None else f"something of the type {type(made).__name__}"


def _module_of(loaded: LoadedModel, made: Any) -> nn.Module:
    if not isinstance(made, nn.Module):
        raise BuildFailed(
            loaded.info.reference,
            f"it made {_what(made)}, not a torch.nn.Module",
            "name a class or a function that returns a module",
        )
    return without_wrappers(made)
