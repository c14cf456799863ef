"""Builds a model: without memory for its weights if that works, else with it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn import init

from cnninspect.engine.devices import Devices, Placement, is_missing_device, pretended
from cnninspect.engine.diagnosis import is_hopeless, with_line
from cnninspect.engine.fake_mode import Abstraction
from cnninspect.engine.free_memory import memory_limit
from cnninspect.engine.layouts import META, spec_of
from cnninspect.engine.module_tree import Structure, without_wrappers
from cnninspect.engine.torch_private import TorchDispatchMode
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
    devices: Devices
    """Where its tensors are shown."""
    notes: tuple[str, ...] = ()
    """Why not on a higher rung."""


def build(loaded: LoadedModel, device: str | None = None) -> Built:
    """Build a model on the highest rung that works, shown on a device.

    Where nobody asks for one, that is where a live module is, else where its code says.

    Raises:
        BuildFailed: it works on none.
    """
    if loaded.live:
        return _take(loaded, device)
    devices = Devices(device)
    try:
        module = _built_on_meta(loaded, devices)
    except CnnInspectError:
        raise
    except Exception as problem:  # whatever a constructor raises, a real build may do without
        if is_hopeless(problem):
            raise BuildFailed(loaded.info.reference, with_line(problem)) from problem
        reason = f"built with real weights, because {first_line(problem)}"
        try:
            with Unfilled():
                structure = Structure(build_really(loaded, devices))
        except CnnInspectError as second:
            if first_line(problem) not in str(second):
                second.follow(reason)
            raise
        return Built(structure, "real", devices, (reason,))
    return Built(Structure(_module_of(loaded, module)), "meta", devices)


def _built_on_meta(loaded: LoadedModel, devices: Devices) -> Any:
    """What the constructor makes without memory for weights."""
    if not devices.is_asked:
        try:
            with Abstraction():
                return loaded.build()
        except Exception as problem:
            if not is_missing_device(problem):
                raise
    with pretended(devices), Placement(devices), Abstraction():
        return loaded.build()


def build_really(loaded: LoadedModel, devices: Devices | None = None) -> nn.Module:
    """Build a model with memory for its weights.

    Raises:
        BuildFailed: its constructor raises, or returns something else than a module.
    """
    devices = devices or Devices()
    try:
        if devices.shown.type == "cpu" and not devices.is_asked:
            module = loaded.build()
        else:
            with pretended(devices), Placement(devices):
                module = loaded.build()
    except CnnInspectError:
        raise
    except Exception as problem:
        raise BuildFailed(loaded.info.reference, with_line(problem)) from problem
    return _module_of(loaded, module)


def let_train(structure: Structure) -> Structure:
    """Let a model that was built set its training flags, if it has a way of its own to do so.

    Some keep parts of theirs in testing mode.
    """
    kinds: set[type[nn.Module]] = set(map(type, structure.modules.values()))
    if all(kind.train is nn.Module.train for kind in kinds):
        return structure
    with suppress(Exception):  # whatever it raises, it keeps the flags that it was built with
        structure.model.train()
    return Structure(structure.model)


def check_memory(structure: Structure, reason: str) -> None:
    """See that the weights of a model fit into memory, before they are allocated.

    Raises:
        RunFailed: they do not; `reason` says what they would be needed for.
    """
    memory = memory_limit()
    needed = sum(spec_of(tensor).nbytes for tensor in structure.tensors)
    if memory is not None and needed > memory:
        raise RunFailed(
            f"{reason}; its weights take {needed:,} bytes and there are {memory:,}",
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


def _take(loaded: LoadedModel, device: str | None) -> Built:
    structure = Structure(without_wrappers(loaded.build()))
    place = next((t.device for t in structure.tensors if t.device != META), None)
    return Built(structure, "real" if place else "meta", Devices(device, real=place))


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
