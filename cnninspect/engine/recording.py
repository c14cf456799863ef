"""Writes down what runs: each call with its layer and where its inputs come from.

Finds the tensors in whatever a network takes or returns, with the names under which they are held.
Containers are walked as everywhere in PyTorch; so are objects: named tuples, dataclasses, attrs,
namespaces, distributions, and any other instance whose attributes are tensors.  What is run only
when it is used (generators, `map`, coroutines) is run first, by `finished`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from cnninspect.costs import cost_of
from cnninspect.engine.layouts import MADE, MARK, layout_of
from cnninspect.engine.operators import Operator
from cnninspect.engine.torch_private import _disable_current_modes
from cnninspect.records.operations import Call, Operation
from cnninspect.records.traces import Dropout, Routing

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


SHARED = "_cnninspect_shared"
"""Attribute of a tensor that shares its memory with another one made during the trace."""
ASSUMED = "_cnninspect_assumed"
"""Attribute of a tensor whose values are assumed: what chose them, how many, and of how many."""


class ValueNeeded(RuntimeError):
    """The network asked for a value that depends on weights or floating-point inputs."""

    def __init__(self, operator: str) -> None:
        super().__init__(f"{operator} asks for a value that depends on weights or float inputs")
        self.operator = operator


class Whole:
    """Several backward calls that are recorded as one, once it is known as which."""

    __slots__ = ("operation",)

    def __init__(self) -> None:
        self.operation: Operation | None = None


class Recorder:
    """The calls of one run, and the stack of modules that are running."""

    def __init__(self, names: dict[int, str]) -> None:
        self.names = names
        """Full names of parameters and buffers by `id`; the caller keeps them alive."""
        self.calls: list[Call] = []
        self.layers: list[str] = [""]
        """Paths of the modules that are running, outermost first."""
        self.unregistered: dict[int, Tensor] = {}
        """Parameters that were read and that no registered module owns, by `id`."""
        self.layers_elsewhere: dict[int, list[str]] = {}
        """The same in other threads of the run."""
        self._writers: dict[int, int] = {}
        """Last call that wrote to a storage which several tensors share, by storage."""
        self._written: list[Any] = []
        """Those storages, kept alive, so that no other one gets the same key."""
        self.refused: ValueNeeded | None = None
        """The first question that could not be answered; the network may have caught it."""
        self.gave_arrays = False
        """Whether the network has arrays of NumPy without values."""
        self.assumed: dict[str, None] = {}
        """What the answers rest on that the network got for values which nobody knows."""
        self.routings: dict[tuple[str, int, int], None] = {}
        """Each choice of some of several: layer, of how many, how many."""
        self.dropouts: list[Dropout] = []
        """Every call of dropout, in order."""
        self._stand_for: list[Tensor] = []
        """Fake tensors in the place of some of those names, kept alive for their `id`."""
        self._is_paused = False
        self._backward: Whole | None = None

    def refuse(self, question: str) -> ValueNeeded:
        """The error to raise for a question that cannot be answered."""
        problem = ValueNeeded(question)
        self.refused = self.refused or problem
        return problem

    def note_assumed(self, tensor: Tensor) -> None:
        """Note that the network asked for values which are assumed."""
        name, chosen, count = tensor.__dict__[ASSUMED]
        self.assumed[f"{name} is taken to choose each of {count} in turn ({chosen} at a time)"] = (
            None
        )

    def note_routing(self, *, experts: int, chosen: int) -> None:
        """Note that the layer which is running chooses some of several."""
        self.routings[self.layers[-1], experts, chosen] = None

    def note_dropout(self, tensor: Tensor, p: float) -> None:
        """Note that a tensor goes through dropout."""
        origin = tensor.__dict__[MARK][0] if MARK in tensor.__dict__ else None
        layer = self.layers_in(get_ident())[-1]
        self.dropouts.append(Dropout(layer, len(self.calls), origin, p))

    def routed(self) -> tuple[Routing, ...]:
        """Those choices, in order."""
        return tuple(Routing(*routing) for routing in self.routings)

    @contextmanager
    def paused(self, backward: Whole | None = None) -> Iterator[None]:
        """Write down none of the calls that are made meanwhile.

        All of their backward calls are written down as that of a `backward`, if it is given.
        """
        before = self._is_paused, self._backward
        self._is_paused, self._backward = True, backward
        try:
            yield
        finally:
            self._is_paused, self._backward = before

    def dearest(self, runs: Iterable[Callable[[], Any]]) -> Any:
        """What the dearest of several runs returns, with its calls alone written down."""
        start = len(self.calls)
        best: tuple[int, list[Call], Any] | None = None
        for run in runs:
            result = run()
            calls = self.calls[start:]
            del self.calls[start:]
            macs = sum(cost_of(call.operation).cost.macs for call in calls)
            if best is None or macs > best[0]:
                best = macs, calls, result
        assert best is not None
        self.calls += best[1]
        return best[2]

    def fake_of(self, tensor: Tensor) -> Tensor:
        """A fake tensor in the place of a real one, that comes from where that one does."""
        if tensor.is_meta:
            return tensor
        with _disable_current_modes():
            fake = torch.empty_strided(
                tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta"
            )
        mark, name = tensor.__dict__.get(MARK), self.names.get(id(tensor))
        if mark is not None:
            fake.__dict__[MARK] = (mark[0], layout_of(fake))
            MADE.append(ref(fake))
        elif name is not None:
            self.names[id(fake)] = name
            self._stand_for.append(fake)
        return fake

    def layers_in(self, thread: int) -> list[str]:
        """Paths of the modules that are running in a thread."""
        return (
            self.layers_elsewhere.get(thread, self.layers) if self.layers_elsewhere else self.layers
        )

    def record(self, operation: Operation, tensors: list[Tensor]) -> int:
        """Note a call on these tensors; returns its index."""
        if self._is_paused:
            return self._last_of(tensors)
        index = len(self.calls)
        inputs, parameters = [], []
        for tensor in tensors:
            mark = tensor.__dict__.get(MARK)
            if mark is None:
                name = self.names.get(id(tensor))
                if name is not None:
                    parameters.append(name)
                elif isinstance(tensor, Parameter):
                    self.unregistered[id(tensor)] = tensor
            elif self._writers and SHARED in tensor.__dict__:
                inputs.append(max(mark[0], self._writers.get(storage_of(tensor), mark[0])))
            else:
                inputs.append(mark[0])
        layer = (self.layers_in(get_ident()) if self.layers_elsewhere else self.layers)[-1]
        self.calls.append(Call(index, layer, operation, tuple(inputs), tuple(parameters)))
        return index

    def _last_of(self, tensors: list[Tensor]) -> int:
        """The call that the latest of these tensors comes from."""
        marks = [t.__dict__[MARK][0] for t in tensors if MARK in t.__dict__]
        return max(marks, default=len(self.calls) - 1)

    def note(
        self, operator: Operator, operation: Operation, given: list[Tensor], result: Any
    ) -> None:
        """Record a call of an operator on `given`, and mark the tensors that it made.

        Those that it changed are for `note_written`: one that was there before keeps no mark.
        """
        index = self.record(operation, given)
        if None in operator.return_targets:
            self.mark(result, index)
        if operator.is_view:
            self.mark_shared(given[0], result)

    def mark(self, result: Any, index: int) -> None:
        """Note that these tensors were made by call `index`."""
        for tensor in tensors_in(result):
            tensor.__dict__[MARK] = (index, layout_of(tensor))
            MADE.append(ref(tensor))

    def mark_shared(self, source: Tensor, result: Any) -> None:
        """Note that these tensors share their memory with `source`."""
        if MARK in source.__dict__:
            source.__dict__[SHARED] = True
        for tensor in tensors_in(result):
            tensor.__dict__[SHARED] = True

    def note_written(self, targets: list[Tensor]) -> None:
        """Note that the last call changed these tensors in place."""
        index = len(self.calls) - 1
        for target in targets:
            if MARK in target.__dict__:
                target.__dict__[MARK] = (index, layout_of(target))
                if SHARED in target.__dict__ and target.layout is torch.strided:
                    self._written.append(target.untyped_storage())
                    self._writers[storage_of(target)] = index


def storage_of(tensor: Tensor) -> int:
    """What tells the memory of one tensor from that of another, while both live.

    What is not laid out in strides has no storage of its own, and stands for itself.
    """
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        return -id(tensor)
