"""Runs PyTorch operators without computing: abstract tensors have a shape and no memory.

Whatever depends on weights or on floating-point inputs is abstract: a tensor on PyTorch's meta
device.  Small integers and booleans stay real, and so do small floating-point tensors of known
value, so that code which looks at token ids, masks or schedules runs as it always does: this is
partial evaluation.  An operation that mixes both kinds turns its real tensors abstract first.

Tensors that were there before the trace never reach a kernel that could change them: an abstract
or copied twin stands in for each.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass_type

from cnninspect.engine.arithmetic import ARITHMETIC
from cnninspect.engine.operators import (
    WITHOUT_VALUES,
    Operator,
    Remembered,
    operation_of,
    operator_of,
    remember,
)
from cnninspect.engine.recording import MARK, Recorder
from cnninspect.engine.values import known_outcome, with_known_indices

META = torch.device("meta")
CPU = torch.device("cpu")
MOST_REAL_BYTES = 8 * 2**20
"""Integer and boolean tensors up to this size keep their values."""
MOST_REAL_FLOATS = 4096
"""Floating-point tensors of known value up to this many elements keep their values."""

_empty_strided = torch.empty_strided


class Abstraction(TorchDispatchMode):
    """Answers every PyTorch operator with abstract tensors, and records what was asked.

    Without a recorder nothing is written down: that is how a model is built.
    """

    def __init__(self, recorder: Recorder | None = None) -> None:
        super().__init__()
        self.recorder = recorder
        self._twins: dict[int, tuple[Tensor, Tensor]] = {}
        """What stands in for a tensor that was there before, by its `id`; both are kept alive."""
        self._spoiled: set[int] = set()
        """Storages of real tensors that something abstract was written into."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operator imports the compiler, which takes a second

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operator = operator_of(func)
        kwargs = kwargs or {}
        if operator.is_bookkeeping:
            return func(*args, **kwargs)
        if any(is_traceable_wrapper_subclass_type(kind) for kind in types):
            return NotImplemented  # a wrapper then says itself what it is made of
        call = Arguments(self, args, kwargs)
        if operator.creates:
            return self._create(operator, call)
        if not call.has_abstract and _fits(call.stand_ins):
            return self._compute(operator, call)
        return self._abstract(operator, call)

    # --- the three ways to answer ---

    def _compute(self, operator: Operator, call: Arguments) -> Any:
        """Run an operator on real tensors."""
        result = operator.function(*call.args, **call.kwargs)
        operation = operation_of(operator, call.args, call.kwargs, result)
        return self._note(operator, operation, call, result)

    def _abstract(self, operator: Operator, call: Arguments) -> Any:
        """Work out the layout of an operator's result, or remember it."""
        self._spoil(operator, call)
        if operator.name in (
            "aten.index",
            "aten._unsafe_index",
            "aten.index_put_",
            "aten.index_put",
        ):
            call.args[1] = with_known_indices(call.args[1])
        outcome = known_outcome(operator.name, call.args) if operator.reads_values else None
        call.make_abstract()
        key = call.key()
        if outcome is None:
            remembered = operator.memory.get(key)
            if remembered is not None and not operator.always_runs:
                result = _make(remembered)
            else:
                result = self._work_out(operator, call)
        else:
            result, remembered = outcome, None
        if remembered is None:
            operation = operation_of(operator, call.args, call.kwargs, result)
            remembered = Remembered(operation, result)
            if outcome is None:
                remember(operator, key, remembered)
        return self._note(operator, remembered.operation, call, result)

    def _create(self, operator: Operator, call: Arguments) -> Any:
        """Make a new tensor: real where it is small and its values are known, else abstract."""
        if "device" not in operator.argument_names:
            return self._compute(operator, call)
        call.kwargs["device"] = META
        if call.kwargs.get("pin_memory"):
            del call.kwargs["pin_memory"]
        call.make_abstract()
        key = call.key()
        remembered = operator.memory.get(key)
        if remembered is None:
            result = operator.function(*call.args, **call.kwargs)
            operation = operation_of(operator, call.args, call.kwargs, result)
            remembered = Remembered(operation, result)
            remember(operator, key, remembered)
        if _keeps_values(operator, remembered):
            result = operator.function(*call.args, **(call.kwargs | {"device": CPU}))
        else:
            result = _make(remembered)
        return self._note(operator, remembered.operation, call, result)

    # --- their parts ---

    def _work_out(self, operator: Operator, call: Arguments) -> Any:
        arithmetic = ARITHMETIC.get(operator.name)
        if arithmetic is not None:
            layouts = arithmetic(*call.args, **call.kwargs)
            if layouts is not None:
                made = tuple(
                    _empty_strided(shape, strides, dtype=dtype, device=META)
                    for shape, strides, dtype in layouts
                )
                return made if len(operator.return_targets) > 1 else made[0]
        if operator.reads_values:
            raise ValueNeeded(operator.name)
        if operator.fills and len(call.given) == 1:
            return call.args[0]  # no other tensor that might not fit
        return operator.function(*call.args, **call.kwargs)

    def _note(self, operator: Operator, operation: Any, call: Arguments, result: Any) -> Any:
        """Record the call, mark what it made, and give back changed tensors as they were given."""
        if self.recorder is not None:
            self.recorder.note(operator, operation, call.given, result)
            if operator.writes:
                self.recorder.note_written(call.targets(operator))
        return call.restore_targets(operator, result)

    def _spoil(self, operator: Operator, call: Arguments) -> None:
        """A real tensor that something abstract is written into is no longer known."""
        for position in operator.writes:
            if position < len(call.args):
                target = call.args[position]
                if isinstance(target, Tensor) and not target.is_meta:
                    self._spoiled.add(target.untyped_storage()._cdata)

    def stand_in(self, tensor: Tensor) -> Tensor:
        """What operators get to see in place of a real tensor."""
        if self.recorder is None or MARK in tensor.__dict__:
            if self._spoiled and tensor.untyped_storage()._cdata in self._spoiled:
                return abstract_twin(tensor)
            return tensor
        known = self._twins.get(id(tensor))
        if known is None:
            is_weight = id(tensor) in self.recorder.names and tensor.dtype.is_floating_point
            twin = abstract_twin(tensor) if is_weight else _copy_if_small(tensor)
            known = self._twins[id(tensor)] = (tensor, twin)
        twin = known[1]
        if self._spoiled and not twin.is_meta and twin.untyped_storage()._cdata in self._spoiled:
            return abstract_twin(twin)
        return twin


class Arguments:
    """The arguments of one call: as they were given, and with stand-ins for real tensors."""

    __slots__ = (
        "_mode",
        "args",
        "given",
        "given_args",
        "given_kwargs",
        "has_abstract",
        "kwargs",
        "stand_ins",
    )

    def __init__(self, mode: Abstraction, args: Any, kwargs: dict[str, Any]) -> None:
        self._mode = mode
        self.given_args, self.given_kwargs = args, kwargs
        self.given: list[Tensor] = []
        """Every tensor, as given, in schema order."""
        self.stand_ins: list[Tensor] = []
        """What stands in for each."""
        self.has_abstract = False
        self.args: list[Any] = [self._replace(a) for a in args]
        self.kwargs: dict[str, Any] = {k: self._replace(a) for k, a in kwargs.items()}

    def _replace(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            self.given.append(value)
            if value.is_meta:
                self.has_abstract = True
                self.stand_ins.append(value)
                return value
            stand_in = self._mode.stand_in(value)
            self.has_abstract = self.has_abstract or stand_in.is_meta
            self.stand_ins.append(stand_in)
            return stand_in
        if isinstance(value, (list, tuple)):
            return [self._replace(item) for item in value]
        return value

    def make_abstract(self) -> None:
        """Replace the real tensors that are left, and forget the device."""
        if any(not t.is_meta for t in self.stand_ins):
            self.args = [_abstracted(a) for a in self.args]
            self.kwargs = {k: _abstracted(a) for k, a in self.kwargs.items()}
        if "device" in self.kwargs:
            self.kwargs["device"] = META

    def key(self) -> Any:
        """What the layout of a result depends on, hashable."""
        parts = tuple([_key_of(a) for a in self.args])
        if not self.kwargs:
            return parts
        return parts, tuple([(k, _key_of(a)) for k, a in self.kwargs.items()])

    def targets(self, operator: Operator) -> list[Tensor]:
        """The tensors that the operator writes into, as they were given."""
        found = [self._given_at(operator, position) for position in operator.writes]
        return [target for target in found if isinstance(target, Tensor)]

    def restore_targets(self, operator: Operator, result: Any) -> Any:
        """The result, with each tensor that was changed in place as it was given."""
        if not operator.writes:
            return result
        if not isinstance(result, (tuple, list)):
            target = operator.return_targets[0] if operator.return_targets else None
            return result if target is None else self._given_at(operator, target)
        return tuple(
            item if target is None else self._given_at(operator, target)
            for item, target in zip(result, operator.return_targets)
        )

    def _given_at(self, operator: Operator, position: int) -> Any:
        if position < len(self.given_args):
            return self.given_args[position]
        return self.given_kwargs.get(operator.argument_names[position])


class ValueNeeded(RuntimeError):
    """The network asked for a value that depends on weights or floating-point inputs."""

    def __init__(self, operator: str) -> None:
        super().__init__(f"{operator} asks for a value that depends on weights or float inputs")
        self.operator = operator


def abstract_twin(tensor: Tensor) -> Tensor:
    """An abstract tensor of the same shape, strides and dtype."""
    if tensor.layout != torch.strided or tensor.is_quantized:
        return torch.empty_like(tensor, device=META)
    return _empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def _copy_if_small(tensor: Tensor) -> Tensor:
    is_float = tensor.dtype.is_floating_point or tensor.dtype.is_complex
    limit = MOST_REAL_FLOATS if is_float else MOST_REAL_BYTES // tensor.element_size()
    if tensor.numel() > limit:
        return abstract_twin(tensor)
    return tensor.detach().to(CPU, copy=True)


def _fits(tensors: list[Tensor]) -> bool:
    """Whether computing with these real tensors stays small, were they broadcast together."""
    if all(t.numel() <= 256 for t in tensors):
        return True
    rank = max(t.dim() for t in tensors)
    together = math.prod(
        max((t.shape[-i] for t in tensors if t.dim() >= i), default=1) for i in range(1, rank + 1)
    )
    largest = max(t.element_size() for t in tensors)
    return together * largest <= MOST_REAL_BYTES


def _keeps_values(operator: Operator, outcome: Remembered) -> bool:
    shape, _, dtype = outcome.layouts[0]
    numel = math.prod(shape)
    if not (dtype.is_floating_point or dtype.is_complex):
        return bool(numel * dtype.itemsize <= MOST_REAL_BYTES)
    if operator.name in WITHOUT_VALUES:
        return False
    return numel <= (1 if operator.is_random else MOST_REAL_FLOATS)


def _make(outcome: Remembered) -> Any:
    if not outcome.is_tuple:
        layout = outcome.layouts[0]
        if type(layout) is not tuple:
            return layout
        return _empty_strided(layout[0], layout[1], dtype=layout[2], device=META)
    return tuple(
        _empty_strided(layout[0], layout[1], dtype=layout[2], device=META)
        if type(layout) is tuple
        else layout
        for layout in outcome.layouts
    )


def _abstracted(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value if value.is_meta else abstract_twin(value)
    if isinstance(value, list):
        return [_abstracted(item) for item in value]
    return value


def _key_of(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.shape, value.stride(), value.dtype
    if isinstance(value, list):
        return tuple([_key_of(item) for item in value])
    if isinstance(value, (float, bool)):
        return type(value), value  # 1, 1.0 and True are equal, and promote differently
    return value
