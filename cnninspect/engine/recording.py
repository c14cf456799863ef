"""Writes down what runs: each call with its layer and where its inputs come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import get_ident
from typing import Any
from weakref import ref

from torch import Tensor
from torch.nn import Parameter

from cnninspect.engine.layouts import MADE, MARK, layout_of
from cnninspect.engine.operators import Operator
from cnninspect.records.operations import Call, Operation

SHARED = "_cnninspect_shared"
"""Attribute of a tensor that shares its memory with another one made during the trace."""


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

    def layers_in(self, thread: int) -> list[str]:
        """Paths of the modules that are running in a thread."""
        return (
            self.layers_elsewhere.get(thread, self.layers) if self.layers_elsewhere else self.layers
        )

    def record(self, operation: Operation, tensors: list[Tensor]) -> int:
        """Note a call on these tensors; returns its index."""
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
            elif self._writers:
                inputs.append(max(mark[0], self._writers.get(storage_of(tensor), mark[0])))
            else:
                inputs.append(mark[0])
        layer = (self.layers_in(get_ident()) if self.layers_elsewhere else self.layers)[-1]
        self.calls.append(Call(index, layer, operation, tuple(inputs), tuple(parameters)))
        return index

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
                if SHARED in target.__dict__:
                    self._writers[storage_of(target)] = index


def tensors_in(value: Any) -> Iterable[Tensor]:
    """Every tensor in nested tuples, lists, dictionaries and dataclasses."""
    return (value,) if isinstance(value, Tensor) else _tensors_within(value)


def _tensors_within(value: Any) -> Iterator[Tensor]:
    if isinstance(value, (tuple, list, set, frozenset)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for name in value.__dataclass_fields__:
            yield from tensors_in(getattr(value, name, None))


def storage_of(tensor: Tensor) -> int:
    """What tells the memory of one tensor from that of another, while both live."""
    return tensor.untyped_storage()._cdata
