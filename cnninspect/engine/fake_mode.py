"""Runs PyTorch operators without computing: fake tensors have a shape and no memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.execution import by_execution
from cnninspect.engine.fake_tensors import (
    CPU,
    MOST_REAL_BYTES,
    MOST_REAL_FLOATS,
    Arguments,
    StandIns,
    fits,
    key_of,
    learns_a_shape,
)
from cnninspect.engine.layouts import LAYOUTS, MARK, META, NUMBERS, TENSOR, layout_of
from cnninspect.engine.legality import CHECKS
from cnninspect.engine.operators import (
    OPERATORS,
    WITHOUT_VALUES,
    Operator,
    Outcome,
    forget_other_defaults,
    operation_of,
    operator_of,
    remember,
)
from cnninspect.engine.recording import ASSUMED, Recorder, ValueNeeded, tensors_in
from cnninspect.engine.shape_rules import ARITHMETIC
from cnninspect.engine.torch_private import (
    TorchDispatchMode,
    _current_autograd_node,
    _len_torch_function_stack,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
    is_traceable_wrapper_subclass_type,
)
from cnninspect.records.operations import Operation

MOST_REAL_FLOATS_MADE = 2**20
"""Elements up to which floating-point tensors keep their values that a forward pass makes itself,
such as masks: no weights are among those."""
INDEXING = frozenset({"aten.index", "aten._unsafe_index", "aten.index_put", "aten.index_put_"})
MASKS = (torch.bool, torch.uint8)
SELECTING = frozenset({"aten.index", "aten._unsafe_index"})
"""Those of them whose result has as many rows as a mask has true entries."""


class Abstraction(TorchDispatchMode):
    """Answers every PyTorch operator with abstract tensors, and records what was asked.

    Without a recorder nothing is written down: that is how a model is built.
    """

    def __init__(self, recorder: Recorder | None = None) -> None:
        super().__init__()
        forget_other_defaults()
        self.recorder = recorder
        self.stand_ins = StandIns(recorder)
        self._operations: dict[Operation, Operation] = {}
        """Each distinct operation on real tensors, to share one record among equal calls."""
        self.asked_pytorch = False
        """Whether a layout was worked out by PyTorch's own code since this was last set back."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first operator imports the compiler, which takes a second

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if learns_a_shape(types):
            return func(*args, **(kwargs or {}))
        # Of autograd, or of C++: the modes must not see what we ask.
        if _len_torch_function_stack():
            with _without_function_modes():
                return self._dispatch(func, types, args, kwargs)
        return self._dispatch(func, types, args, kwargs)

    def _dispatch(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        operator = OPERATORS.get(id(func))
        if operator is None:
            operator = operator_of(func)
        elif types and any(map(is_traceable_wrapper_subclass_type, types)):
            pass  # what it is made of is dispatched by itself
        elif operator.is_plain and self.recorder is not None:
            answer = self._repeat(operator, args, kwargs or {})
            if answer is not self:
                return answer
        elif operator.makes_from_nothing and self.recorder is not None:
            answer = self._make_again(operator, args, kwargs or {})
            if answer is not self:
                return answer
        kwargs = kwargs or {}
        if operator.is_bookkeeping:
            return func(*args, **kwargs)
        if any(is_traceable_wrapper_subclass_type(kind) for kind in types):
            return NotImplemented  # a wrapper then says itself what it is made of
        call = Arguments(self.stand_ins, args, kwargs)
        if operator.creates:
            return self._create(operator, call)
        if not call.has_abstract and fits(call.stand_ins):
            return self._compute(operator, call)
        return self._abstract(operator, call)

    def _repeat(self, operator: Operator, args: Any, kwargs: dict[str, Any]) -> Any:
        """The answer to a call on abstract tensors that was met before; `self` if there is none.

        The short way through the rest of this class, for the calls that a network is full of.
        """
        key: list[Any] = []
        given: list[Tensor] = []
        stand_ins: list[Any] = []
        for value in args:
            kind = value.__class__
            if TENSOR[kind]:
                given.append(value)
                mark = value.__dict__.get(MARK)
                if value.is_meta:
                    key.append(layout_of(value) if mark is None else mark[1])
                elif mark is not None:
                    return self
                else:
                    twin = self.stand_ins.twin_of(value)
                    if twin.layout is None:
                        return self
                    key.append(twin.layout)
                    value = twin.stand_in
            elif kind is list:
                item_kind = value[0].__class__ if value else int
                if item_kind is int:
                    key.append(tuple(value))
                elif TENSOR[item_kind]:
                    layouts: list[int] = []
                    for item in value:
                        mark = item.__dict__.get(MARK) if TENSOR[item.__class__] else None
                        if mark is None or not item.is_meta:
                            return self
                        layouts.append(mark[1])
                    key.append(tuple(layouts))
                    given += value
                else:
                    key.append(key_of(value))
            elif kind in NUMBERS:
                key.append((kind, value))
            else:
                key.append(value)
            stand_ins.append(value)
        for name, value in kwargs.items():
            kind = value.__class__
            if TENSOR[kind] or kind is list or name == "device":
                return self
            key.append((name, (kind, value) if kind in NUMBERS else value))
        outcome = operator.memory.get(tuple(key))
        if outcome is None:
            return self
        recorder = self.recorder
        assert recorder is not None
        index = recorder.record(outcome.operation, given)
        if operator.writes:
            recorder.note_written([args[0]])
            return args[0]
        if not operator.always_runs:
            return outcome.make(index)
        result = operator.function(*stand_ins, **kwargs)
        outcome.mark(result, index)
        recorder.mark_shared(args[0], result)
        return result

    def _make_again(self, operator: Operator, args: Any, kwargs: dict[str, Any]) -> Any:
        """A new tensor like one that was made before; `self` if there was none."""
        outcome = operator.memory.get(_plain_key(args, kwargs))
        if outcome is None or (outcome.has_values and _current_autograd_node() is not None):
            return self
        recorder = self.recorder
        assert recorder is not None
        index = recorder.record(outcome.operation, [])
        if not outcome.has_values:
            return outcome.make(index)
        if operator.name in WITHOUT_VALUES:
            return outcome.make(index, CPU)
        result = operator.function(*args, **(kwargs | {"device": CPU, "pin_memory": None}))
        outcome.mark(result, index)
        return result

    # --- the three ways to answer a call that was not met before ---

    def _compute(self, operator: Operator, call: Arguments) -> Any:
        """Run an operator on real tensors, which stay real wherever they are to be moved."""
        if call.kwargs.get("device") is not None:
            call.kwargs["device"] = CPU
        result = operator.function(*call.args, **call.kwargs)
        if self.recorder is None:
            return call.restore_targets(operator, result)
        operation = operation_of(operator, call.args, call.kwargs, result)
        operation = self._operations.setdefault(operation, operation)
        assumed = next((t for t in call.given if ASSUMED in t.__dict__), None)
        result = self._note(operator, operation, call, result)
        if assumed is not None:
            for tensor in tensors_in(result):
                tensor.__dict__[ASSUMED] = assumed.__dict__[ASSUMED]
            if operator.reads_values:
                self.recorder.note_assumed(assumed)
        return result

    def _abstract(self, operator: Operator, call: Arguments) -> Any:
        """Work out the layout of an operator's result, or remember it."""
        self.stand_ins.spoil(operator, call.args)
        if operator.name in INDEXING:
            self._note_assumed_masks(call)
            call.args[1] = with_known_indices(call.args[1])
        outcome = known_outcome(operator.name, call.args) if operator.reads_values else None
        call.make_abstract()
        if outcome is not None:
            operation = operation_of(operator, call.args, call.kwargs, outcome)
            return self._note(operator, operation, call, outcome)
        key = call.key()
        remembered = operator.memory.get(key)
        if remembered is not None and not operator.always_runs and not operator.writes:
            result = remembered.make(None)
        else:
            result = self._work_out(operator, call)
        if remembered is None:
            operation = operation_of(operator, call.args, call.kwargs, result)
            if not _is_strided(result):  # how many elements it keeps is not in its layout
                return self._note(operator, operation, call, result)
            remembered = Outcome(operation, result)
            remember(operator, key, remembered)
        return self._note(operator, remembered.operation, call, result)

    def _note_assumed_masks(self, call: Arguments) -> None:
        for tensor in call.given[1:]:
            if self.recorder and ASSUMED in tensor.__dict__ and tensor.dtype in MASKS:
                self.recorder.note_assumed(tensor)

    def _create(self, operator: Operator, call: Arguments) -> Any:
        """Make a new tensor: real where it is small and its values are known, else abstract."""
        if "device" not in operator.argument_names:
            return self._compute(operator, call)
        is_beside_fake = call.kwargs.get("device") == META and self.recorder is not None
        call.kwargs["device"] = META
        call.kwargs.pop("pin_memory", None)
        call.make_abstract()
        key = torch.get_default_dtype(), call.key()
        remembered = operator.memory.get(key)
        if remembered is None:
            result = _by_arithmetic(operator, call)
            if result is None:
                result = operator.function(*call.args, **call.kwargs)
            operation = operation_of(operator, call.args, call.kwargs, result)
            remembered = Outcome(operation, result)
            remember(operator, key, remembered)
            if operator.makes_from_nothing:
                has_values = _keeps_values(operator, remembered, MOST_REAL_FLOATS_MADE)
                has_values &= not (is_beside_fake and _is_of_fake(operator, remembered))
                again = Outcome(operation, result, has_values=has_values)
                remember(operator, _plain_key(*call.given_arguments()), again)
        most = MOST_REAL_FLOATS if self.recorder is None else MOST_REAL_FLOATS_MADE
        keeps = _keeps_values(operator, remembered, most) and _current_autograd_node() is None
        if is_beside_fake and _is_of_fake(operator, remembered):
            keeps = False  # PyTorch's own code makes it for a fake one, and wants both on a device
        if keeps or _is_shell_of_real(call, remembered):
            result = operator.function(*call.args, **(call.kwargs | {"device": CPU}))
        else:
            result = remembered.make(None)
        return self._note(operator, remembered.operation, call, result)

    # --- their parts ---

    def _work_out(self, operator: Operator, call: Arguments) -> Any:
        check = CHECKS.get(operator.name)
        if check is not None and not operator.writes:
            check(*call.args, **call.kwargs)
        result = _by_arithmetic(operator, call)
        if result is not None:
            return result
        if operator.reads_values or (operator.name in SELECTING and _is_masked(call.args[1])):
            raise (
                self.recorder.refuse(operator.name) if self.recorder else ValueNeeded(operator.name)
            )
        if operator.fills and not call.may_not_fit():
            return call.args[0]
        self.asked_pytorch = True
        try:
            return operator.function(*call.args, **call.kwargs)
        except NotImplementedError:
            made = by_execution(operator, call)
            if made is None:
                raise
            return made

    def _note(self, operator: Operator, operation: Operation, call: Arguments, result: Any) -> Any:
        """Record the call, mark what it made, and give back changed tensors as they were given."""
        if self.recorder is not None:
            self.recorder.note(operator, operation, call.given, result)
            if operator.writes:
                self.recorder.note_written(operator.targets(*call.given_arguments()))
        return call.restore_targets(operator, result)


@contextmanager
def _without_function_modes() -> Iterator[None]:
    modes = [_pop_torch_function_stack() for _ in range(_len_torch_function_stack())]
    try:
        yield
    finally:
        for mode in reversed(modes):
            _push_on_torch_function_stack(mode)


def _by_arithmetic(operator: Operator, call: Arguments) -> Any:
    """What comes of a plain call; None where PyTorch must be asked."""
    arithmetic = ARITHMETIC.get(operator.name)
    layouts = arithmetic(*call.args, **call.kwargs) if arithmetic is not None else None
    if layouts is None:
        return None
    made = tuple(
        torch.empty_strided(layout[0], layout[1], dtype=layout[2], device=META) if layout else None
        for layout in layouts
    )
    return made if len(operator.return_targets) > 1 else made[0]


def _is_strided(result: Any) -> bool:
    return all(t.layout is torch.strided for t in tensors_in(result))


def _is_of_fake(operator: Operator, outcome: Outcome) -> bool:
    """Whether a tensor made on the meta device is as fake as what it is made for."""
    _, number = outcome.results[0]
    return operator.name in WITHOUT_VALUES or LAYOUTS[number][2].is_floating_point


def _is_masked(indices: list[Any]) -> bool:
    """Whether a mask is among the indices, which can only be an abstract one."""
    return any(isinstance(i, Tensor) and i.dtype in MASKS for i in indices)


def _plain_key(args: Any, kwargs: dict[str, Any]) -> Any:
    """What a call without tensors depends on."""
    plain = tuple(map(key_of, args))
    return "plain", torch.get_default_dtype(), plain, tuple(kwargs.items())


def _is_shell_of_real(call: Arguments, outcome: Outcome) -> bool:
    """Whether this is what `copy.deepcopy` makes of a real tensor, to give it a copied storage."""
    is_empty_shape = LAYOUTS[outcome.results[0][1]][0] == ()
    return is_empty_shape and bool(call.stand_ins) and not call.stand_ins[0].is_meta


def _keeps_values(operator: Operator, outcome: Outcome, most_floats: int) -> bool:
    shape, _, dtype = LAYOUTS[outcome.results[0][1]]
    numel = math.prod(shape)
    if not (dtype.is_floating_point or dtype.is_complex):
        return numel * dtype.itemsize <= MOST_REAL_BYTES
    if operator.name in WITHOUT_VALUES:
        return False
    return numel <= (1 if operator.is_random else most_floats)


def with_known_indices(indices: Any) -> Any:
    """Indices with each real boolean mask turned into the integers it stands for.

    `x[mask]` has as many rows as `mask` has true entries, which a real mask tells.
    """
    known: list[Any] = []
    for index in indices:
        is_mask = isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)
        if is_mask and not index.is_meta:
            known.extend(index.nonzero().unbind(1))
        else:
            known.append(index)
    return known


def known_outcome(name: str, args: list[Any]) -> Any:
    """The abstract result of an operator whose shape the real ones of its tensors tell, or None."""
    if name == "aten.masked_select":
        return _masked_select(*args)
    if name == "aten._pack_padded_sequence":
        return _pack_padded_sequence(*args)
    return None


def _masked_select(x: Tensor, mask: Tensor) -> Tensor | None:
    if mask.is_meta:
        return None
    chosen = int(mask.expand(torch.broadcast_shapes(x.shape, mask.shape)).sum())
    return torch.empty(chosen, dtype=x.dtype, device="meta")


def _pack_padded_sequence(
    x: Tensor, lengths: Tensor, _batch_first: bool
) -> tuple[Tensor, Tensor] | None:
    """All steps that are not padding, in one batch, and the batch size of each step."""
    if lengths.is_meta:
        return None
    steps = int(lengths.max()) if lengths.numel() else 0
    sizes = torch.stack([(lengths > step).sum() for step in range(steps)])
    data = torch.empty((int(lengths.sum()), *x.shape[2:]), dtype=x.dtype, device="meta")
    return data, sizes
