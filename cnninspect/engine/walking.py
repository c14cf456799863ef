"""Finds the tensors in whatever a network returns, with the names under which they are held.

Containers are walked as everywhere in PyTorch; so are objects: named tuples, dataclasses, attrs,
namespaces, distributions, and any other instance whose attributes are tensors.  What is run only
when it is used (generators, `map`, coroutines) is run first, by `finished`.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

LAZY = (types.GeneratorType, map, filter, zip, enumerate)
"""What gives its items when it is asked for them."""
PLAIN = (str, bytes, int, float, complex, bool, type(None), type, nn.Module)
"""What is not looked into."""
MOST_DEEP = 20


def tensors_in(value: Any) -> Iterable[Tensor]:
    """Every tensor in a nested value, in order."""
    return (value,) if isinstance(value, Tensor) else _within(value, frozenset(), 0)


def _within(value: Any, above: frozenset[int], depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif not isinstance(value, PLAIN) and id(value) not in above and depth < MOST_DEEP:
        above = above | {id(value)}
        for _, item in parts_of(value):
            yield from _within(item, above, depth + 1)


def walked(prefix: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a nested value with its name: keys, attributes and positions, with dots."""
    return _walked(prefix, value, frozenset(), 0)


def _walked(
    prefix: str, value: Any, above: frozenset[int], depth: int
) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield prefix, value
    elif not isinstance(value, PLAIN) and id(value) not in above and depth < MOST_DEEP:
        above = above | {id(value)}
        for key, item in parts_of(value):
            yield from _walked(f"{prefix}.{key}" if prefix else str(key), item, above, depth + 1)


def parts_of(value: Any) -> Iterable[tuple[Any, Any]]:
    """What a container or an object holds, by key, position or attribute; nothing if plain."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value))
    if isinstance(value, (list, tuple, set, frozenset)) or type(value).__name__ == "deque":
        return list(enumerate(value))
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return [(name, getattr(value, name, None)) for name in fields]
    return _attributes(value)


def _attributes(value: Any) -> list[tuple[str, Any]]:
    """The attributes of an instance of a class written in Python, without the private ones."""
    if isinstance(value, (types.ModuleType, types.FunctionType, types.MethodType)):
        return []
    if type(value).__name__.endswith("Cache"):  # what is kept for the next call is no answer
        return []
    names = list(getattr(value, "__dict__", ()) or ())
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return [
        (name, getattr(value, name, None))
        for name in dict.fromkeys(names)
        if not name.startswith("_")
    ]


def finished(value: Any) -> Any:
    """The value with everything run that was to run only when used.

    A generator becomes the list of its items, a coroutine what it returns; dictionaries, lists and
    tuples are looked into.
    """
    if isinstance(value, LAZY):
        return [finished(item) for item in value]
    if isinstance(value, types.CoroutineType):
        return finished(_awaited(value))
    if type(value) is dict:
        return {key: finished(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(finished(item) for item in value)
    return value


def _awaited(coroutine: Any) -> Any:
    """What a coroutine returns that waits for nothing outside of this program.

    Raises:
        RuntimeError: it waits for something that only an event loop can give.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("forward is a coroutine that waits for an event loop")
