"""A recorder: the operations that dispatch shows while a function runs on real tensors."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cnninspect.records.operations import Operation, TensorSpec


def record(function: Callable[[], Any]) -> list[Operation]:
    with _Recorder() as recorder:
        function()
    return recorder.operations


def operation_of(func: Any, args: Any, kwargs: Any, out: Any) -> Operation:
    schema = func._schema
    named = {}
    for position, argument in enumerate(schema.arguments):
        if position < len(args):
            named[argument.name] = _plain(args[position])
        elif argument.name in kwargs:
            named[argument.name] = _plain(kwargs[argument.name])
        elif argument.has_default_value():
            named[argument.name] = _plain(argument.default_value)
    outputs = out if isinstance(out, (list, tuple)) else [out]
    return Operation(
        f"{func.namespace}.{schema.name.split('::')[1]}",
        tuple(named.items()),
        tuple(_plain(o) for o in outputs if isinstance(o, torch.Tensor)),
    )


def _plain(value: Any) -> Any:
    """Tensors as specs, lists as tuples, everything that is not a plain value as text."""
    if isinstance(value, torch.Tensor):
        return TensorSpec(tuple(value.shape), str(value.dtype).removeprefix("torch."))
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    return value if isinstance(value, (int, float, str, type(None))) else str(value)


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.namespace != "prim":
            self.operations.append(operation_of(func, args, kwargs or {}, out))
        return out
