"""Finds fake tensors that outlive their run, and who keeps them.

Every tensor that a run makes is known by a weak reference.  When the run is over and what its
modules hold is put back, none should be alive; one that is has an owner, which is put back too, or
else named in an error: silence would leave a network that computes nonsense.
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from torch import Tensor

from cnninspect.engine.layouts import MADE, MARK
from cnninspect.engine.restore_state import COPIED_AS, put_back
from cnninspect.errors import StateLeft

MOST_LEVELS = 6
"""How far the owners of owners are looked for."""
PASSING = (types.FrameType, types.TracebackType, types.GeneratorType, BaseException)
"""What keeps things only as long as a function runs, or somebody looks at how it failed."""
CACHE = type(lru_cache(lambda: None))


class Leftovers:
    """The tensors that a run makes from now on."""

    def __init__(self) -> None:
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
