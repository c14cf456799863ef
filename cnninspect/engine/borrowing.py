"""Borrows a live network for a run and gives it back with nothing of the run left in it.

Every tensor that a run makes is known by a weak reference; what is alive afterwards has an owner,
which is found and mended, or named in an error.
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.layouts import (
    MADE,
    MARK,
    META,
    SCRIPT,
    UNINITIALISED,
    forget_layouts,
)
from cnninspect.engine.module_tree import Structure
from cnninspect.engine.other_threads import Bystanders
from cnninspect.engine.process_state import Ledger
from cnninspect.engine.restore_state import COPIED_AS, HeldState, code_state, put_back
from cnninspect.errors import StateLeft

MOST_LEVELS = 6
"""How far the owners of owners are looked for."""
PASSING = (types.FrameType, types.TracebackType, types.GeneratorType, BaseException)
"""What keeps things only as long as a function runs, or somebody looks at how it failed."""
CACHE = type(lru_cache(lambda: None))


class Leftovers:
    """The tensors that a run makes from now on."""

    def __init__(self) -> None:
        forget_layouts()
        self._start = len(MADE)

    def alive(self) -> list[Tensor]:
        """Those that are alive, no longer marked as made by a run."""
        found = [tensor for made in MADE[self._start :] if (tensor := made()) is not None]
        for tensor in found:
            owned: Any = tensor
            owned._fix_weakref()  # PyTorch does not know of it, and may let go of what is in it
            tensor.__dict__.pop(MARK, None)
        return found

    def clear(self, put_back_more: Callable[[], object]) -> None:
        """See that none is left, with the help of what puts back more than modules hold.

        After a failure, its report keeps what the functions held that failed: then nobody else is
        looked for.

        Raises:
            StateLeft: something that the run could not know of keeps some.
        """
        self.look(put_back_more)
        if sys.exc_info()[1] is not None:
            del MADE[self._start :]
            return
        if self.alive():
            _clear_caches(self.alive())
        owners = _evict(self.alive())
        del MADE[self._start :]
        if owners:
            raise StateLeft(owners)

    def look(self, put_back_more: Callable[[], object]) -> None:
        """Put more back than modules hold, if some are left."""
        if self.alive():
            gc.collect(0)  # cycles of what the run made: it kept Python from looking for them
        if self.alive():
            put_back_more()
            gc.collect(0)


def _clear_caches(tensors: list[Tensor]) -> None:
    """Empty every `lru_cache` that keeps one of them, or what they are in."""
    level: list[Any] = tensors
    seen: set[int] = set()
    for _ in range(MOST_LEVELS):
        seen |= {id(level), *map(id, level)}
        level = [each for each in _referrers(level) if id(each) not in seen]
        for cache in level:
            if type(cache) is CACHE:
                cache.cache_clear()
        level = [each for each in level if not isinstance(each, (CACHE, types.ModuleType, type))]
        if not level:
            break


def _evict(tensors: list[Tensor]) -> list[str]:
    """Take tensors out of the containers that keep them; returns whose those are."""
    owners: list[str] = []
    wanted = set(map(id, tensors))
    for container in _referrers(tensors) if tensors else ():
        owner = _owner_of(container)
        if owner is None or container is tensors:
            continue
        owners.append(owner)
        kind = COPIED_AS[type(container)]
        if kind is dict:
            kept = {key: v for key, v in container.items() if id(v) not in wanted}
            put_back(container, kept)
        elif kind is not None:
            put_back(container, kind(v for v in container if id(v) not in wanted))
    return list(dict.fromkeys(owners))


def _referrers(values: list[Any]) -> list[Any]:
    """What refers to them, but for functions that run and these lists themselves."""
    found = gc.get_referrers(*values)
    return [each for each in found if each is not values and not isinstance(each, PASSING)]


def _owner_of(container: Any) -> str | None:
    """Who a container belongs to, in words; None if only a function that runs, or failed."""
    level: list[Any] = [container]
    seen: set[int] = set()
    for _ in range(MOST_LEVELS):
        seen |= {id(level), *map(id, level)}
        level = [each for each in _referrers(level) if id(each) not in seen]
        for holder in level:
            name = _name_of(holder)
            if name is not None:
                return name
        if not level:
            break
    return None


def _name_of(holder: Any) -> str | None:
    """What people call something that lives as long as the process; None for anything else."""
    if isinstance(holder, types.ModuleType):
        return f"the module {holder.__name__}"
    if isinstance(holder, type):
        return f"the class {holder.__module__}.{holder.__qualname__}"
    if isinstance(holder, CACHE):
        return f"the cache of {holder.__module__}.{holder.__qualname__}"
    if isinstance(holder, dict) and isinstance(name := holder.get("__name__"), str):
        module = sys.modules.get(name)
        return f"the module {name}" if module is not None and vars(module) is holder else None
    return None


class Borrowed:
    """A network that is given back as it was when the ledger is closed.

    One that `is_live` may be used by other threads, which then wait.
    """

    def __init__(
        self, ledger: Ledger, model: nn.Module | Structure, *given: Any, is_live: bool = False
    ) -> None:
        self.structure = Structure(model) if isinstance(model, nn.Module) else model
        """The network as it is now, with the tensors that were put into it."""
        self.ledger = ledger
        self._states: list[HeldState] = []
        self._code: HeldState | None = None
        self._is_code_changed = False
        self._substitutes: list[Tensor] = []
        self._flags: list[tuple[nn.Module, bool]] = []
        """Training flags of modules that only the code reaches."""
        others = Bystanders(ledger) if is_live else None
        others_train = others is not None and bool(others.threads)
        if others is not None and others_train:
            found = HeldState((), modules=self.structure.distinct_modules(), others_train=True)
            code = code_state(found)
            others.keep_out([*found.modules, *code.modules], [*found.tensors, *code.tensors])
            self.structure = Structure(self.structure.model, self.structure.resting)
        self._leftovers = Leftovers()
        ledger.undo(lambda: self._leftovers.clear(self._restore_code))
        ledger.undo(self.restore)
        modules = self.structure.distinct_modules()
        held = HeldState((), modules=modules, others_train=others_train)
        self._states = [held, HeldState(given, beyond=held)]
        self._code = code_state(held)
        if self.structure.is_lazy():
            self.substitute(fresh_lazy)

    @property
    def modules(self) -> list[nn.Module]:
        """Every module that the network can reach, registered or not."""
        code = self._code.modules if self._code else []
        return [*self._states[0].modules, *code]

    def restore(self) -> None:
        """Put back everything that belongs to the network."""
        for tensor in self._substitutes:
            tensor.grad = None  # else it would seem that somebody keeps it
        for state in self._states:
            state.restore()
        for module, flag in self._flags:
            _set_flag(module, flag)
        if self._is_code_changed or self._holds_what_was_made():
            self._restore_code()

    def renew(self, mode: str) -> None:
        """Put back everything that a run that failed has left, and be ready for another one."""
        self.restore()
        self._leftovers.look(self._restore_code)
        self.structure = Structure(self.structure.model, self.structure.resting)
        if self.structure.is_lazy():
            self.substitute(fresh_lazy)
        self.set_mode(mode)

    def set_mode(self, mode: str) -> None:
        """Set the training flags, also of modules that are registered nowhere."""
        wanted = mode == "train"
        code = self._code.modules if self._code else []
        self._flags += [(m, m.training) for m in code if hasattr(m, "training")]
        for module in self.modules:
            _set_flag(module, wanted)

    def keep_values(self) -> None:
        """Note what is in the tensors that are no parameters, for a run that really computes.

        Such a run keeps what it is seen to write over; this is for what writes unseen.
        """
        for state in (*self._states, *([self._code] if self._code else [])):
            state.keep_values()

    def substitute(self, other: Callable[[Tensor], Tensor | None]) -> None:
        """Put other tensors in place of the network's own; None keeps one."""
        instead: dict[int, Tensor] = {}
        code = self._code.tensors if self._code else []
        for tensor in [*self._states[0].tensors, *code]:
            replacement = other(tensor)
            if replacement is not None and replacement is not tensor:
                instead[id(tensor)] = replacement
        self._substitutes += instead.values()
        self._states[0].replace(instead)
        if self._code is not None:
            was_changed, self._is_code_changed = self._is_code_changed, True
            self._is_code_changed = self._code.replace(instead) or was_changed
        self.structure = Structure(self.structure.model, self.structure.resting)

    def _holds_what_was_made(self) -> bool:
        """Whether the code keeps a tensor that was worked out from the substitutes of others."""
        return bool(self._substitutes) and self._code is not None and self._code.has_new_tensors()

    def _restore_code(self) -> None:
        if self._code is not None:
            self._code.restore()


def train_flags(model: nn.Module, *, is_training: bool) -> None:
    """Set the training flags by the network's own `train`, or past a `__setattr__` that refuses."""
    try:
        model.train(is_training)
    except AttributeError:
        for module in nn.Module.modules(model):
            _set_flag(module, is_training)


def _set_flag(module: nn.Module, flag: bool) -> None:
    """Set a training flag, not by `train()`, nor by a `__setattr__` of the module's own."""
    if SCRIPT[type(module)]:
        if getattr(module, "training", flag) is not flag:  # frozen ones have none
            module.training = flag
    elif vars(module).get("training", flag) is not flag:
        vars(module)["training"] = flag


def fresh_lazy(tensor: Tensor, device: torch.device = META) -> Tensor | None:
    """A parameter that is still to get its shape in place of another one."""
    if not UNINITIALISED[type(tensor)]:
        return None
    fresh: Any = type(tensor)
    made: Tensor = fresh(device=device, dtype=tensor.dtype)
    return made
