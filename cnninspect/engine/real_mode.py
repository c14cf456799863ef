"""Runs PyTorch operators for real, and records what ran: the lower rung of the ladder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from cnninspect.engine.kinds import UNINITIALISED
from cnninspect.engine.layouts import spec_of
from cnninspect.engine.operators import operation_of, operator_of, plain_argument
from cnninspect.engine.recording import Recorder, storage_of, tensors_in
from cnninspect.records.operations import Operation

HIGHER_ORDER = {"flex_attention": ("query", "key", "value")}
"""Names of the first arguments of operators that take functions, which have no schema."""


class Computation(TorchDispatchMode):
    """Lets every operator compute, and records it.

    What is written into the tensors of `owned` is undone in the end: they are copied just before.
    """

    def __init__(self, recorder: Recorder, owned: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.recorder = recorder
        self._owned: dict[int, list[Tensor]] = {}
        """Those that were not written into yet, by their storage."""
        for tensor in owned:
            if tensor.layout is torch.strided and not UNINITIALISED[tensor.__class__]:
                self._owned.setdefault(storage_of(tensor), []).append(tensor)
        self._written: list[tuple[Tensor, Tensor]] = []
        """The others, and what they held."""
        self._operations: dict[Operation, Operation] = {}
        """Each distinct operation, to share one record among equal calls."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operator imports the compiler, which takes a second

    supports_higher_order_operators = True
    """So that operators which take functions come here too."""

    def __exit__(self, *problem: Any) -> None:
        super().__exit__(*problem)
        for tensor, value in self._written:
            with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                tensor.copy_(value)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):
            return self._whole(func, args, kwargs)
        operator = operator_of(func)
        targets = operator.targets(args, kwargs)
        for target in targets if self._owned else ():
            for tensor in self._owned.pop(storage_of(target), ()):
                self._written.append((tensor, tensor.detach().clone()))
        result = func(*args, **kwargs)
        if operator.is_bookkeeping:
            return result
        operation = operation_of(operator, args, kwargs, result)
        operation = self._operations.setdefault(operation, operation)
        self.recorder.note(operator, operation, list(tensors_in((args, kwargs))), result)
        self.recorder.note_written(targets)
        return result

    def _whole(self, func: HigherOrderOperator, args: Any, kwargs: Any) -> Any:
        """Run an operator that takes functions, and record it as one call, whatever those do."""
        result = func(*args, **kwargs)
        named = dict(zip(HIGHER_ORDER.get(func.name(), ()), args)) | kwargs
        operation = Operation(
            f"higher_order.{func.name()}",
            tuple((name, plain_argument(value)) for name, value in named.items()),
            tuple(spec_of(tensor) for tensor in tensors_in(result)),
        )
        index = self.recorder.record(operation, list(tensors_in((args, kwargs))))
        self.recorder.mark(result, index)
        return result
