"""Runs PyTorch operators for real, and records what ran: the lower rung of the ladder."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from cnninspect.engine.operators import operation_of, operator_of
from cnninspect.engine.recording import Recorder, tensors_in
from cnninspect.records.operations import Operation


class Computation(TorchDispatchMode):
    """Lets every operator compute, and records it."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self._operations: dict[Operation, Operation] = {}
        """Each distinct operation, to share one record among equal calls."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operator imports the compiler, which takes a second

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operator = operator_of(func)
        result = func(*args, **kwargs)
        if operator.is_bookkeeping:
            return result
        operation = operation_of(operator, args, kwargs, result)
        operation = self._operations.setdefault(operation, operation)
        self.recorder.note(operator, operation, list(tensors_in((args, kwargs))), result)
        self.recorder.note_written([args[i] for i in operator.writes if i < len(args)])
        return result
