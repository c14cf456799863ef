"""Runs PyTorch operators for real, and records what ran: the lower rung of the ladder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.fake_tensors import learns_a_shape
from cnninspect.engine.layouts import spec_of
from cnninspect.engine.operators import Operator, operation_of, operator_of, plain_argument
from cnninspect.engine.recording import Recorder, storage_of, tensors_in
from cnninspect.engine.torch_private import (
    HigherOrderOperator,
    TorchDispatchMode,
    is_traceable_wrapper_subclass_type,
)
from cnninspect.records.operations import Operation

WRITTEN_UNSAID = {
    f"aten.{name}": ("running_mean", "running_var")
    for name in (
        "native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm", "batch_norm_update_stats",
    )
}  # fmt: skip
"""Arguments of operators that write into them, without a word of it in their schemas."""
PLAIN = frozenset((Tensor, torch.nn.Parameter, torch.nn.Buffer))
HIGHER_ORDER = {"flex_attention": ("query", "key", "value")}
"""Names of the first arguments of operators that take functions, which have no schema."""


def memory_of(tensor: Tensor) -> int:
    """What tells the memory of one tensor from that of another, also where it has no strides."""
    return storage_of(tensor) if tensor.layout is torch.strided else id(tensor)


def _written_unsaid(operator: Operator, args: Any, kwargs: Any) -> list[Tensor]:
    names = WRITTEN_UNSAID.get(operator.name, ())
    positions = [operator.argument_names.index(name) for name in names]
    found = [operator.given_at(position, args, kwargs) for position in positions]
    return [target for target in found if isinstance(target, Tensor)]


class Computation(TorchDispatchMode):
    """Lets every operator compute, and records it.

    What it writes into tensors that were there before is undone in the end: such a tensor is copied
    just before.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self._made: set[int] = set()
        """Storages that were made meanwhile.  One of them that is gone may leave its address to
        another such, but to none that was there before."""
        self._written: dict[int, tuple[Tensor, Tensor]] = {}
        """Tensors that were there before and are written into, by storage, and what they held."""
        self._operations: dict[Operation, Operation] = {}
        """Each distinct operation, to share one record among equal calls."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operator imports the compiler, which takes a second

    supports_higher_order_operators = True
    """So that operators which take functions come here too."""

    def undo(self) -> None:
        """Give the tensors that were there before the values that they had."""
        for tensor, value in self._written.values():
            with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                tensor.copy_(value)

    def _keep(self, target: Tensor) -> None:
        """Copy all of the memory that a tensor has a part in, before that is written into."""
        is_plain = target.layout is torch.strided and type(target) in PLAIN
        key = memory_of(target)
        if key in self._made or key in self._written:
            return
        with torch.no_grad():
            whole = target.detach()
            if is_plain and not whole.is_meta:
                whole = torch.empty(0, dtype=target.dtype, device=target.device)
                whole.set_(target.untyped_storage())
            self._written[key] = whole, whole.clone()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if learns_a_shape(types):
            return func(*args, **kwargs)
        if isinstance(func, HigherOrderOperator):
            return self._whole(func, args, kwargs)
        if any(is_traceable_wrapper_subclass_type(kind) for kind in types):
            return NotImplemented  # a wrapper then says itself what it is made of
        operator = operator_of(func)
        targets = operator.targets(args, kwargs)
        for target in (*targets, *_written_unsaid(operator, args, kwargs)):
            self._keep(target)
        result = func(*args, **kwargs)
        if None in operator.return_targets and not operator.is_view:
            self._made.update(map(memory_of, tensors_in(result)))
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
