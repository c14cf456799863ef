"""What each call of a trace depends on, in one pass over the dataflow graph."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.metrics.dependence.axes import Axis, Moving
from cnninspect.metrics.dependence.operands import Operand, Operands, match, tensor_arguments
from cnninspect.metrics.dependence.places import Shape, whole
from cnninspect.metrics.dependence.reach import Reach
from cnninspect.metrics.dependence.rules import SEVERAL, WINDOWED, dependence_of, rule_of
from cnninspect.metrics.dependence.sliding import NotChannelsFirst
from cnninspect.metrics.dependence.states import Dependence
from cnninspect.records.operations import Call, Operation
from cnninspect.records.traces import Trace


class Walk:
    """The calls of a trace one after the other, each from what its inputs depend on.

    `chosen` is the number of the input that counts, of shape (batch, channels, *positions).
    """

    def __init__(self, trace: Trace, chosen: int) -> None:
        self.trace = trace
        shape = trace.inputs[chosen].spec.shape
        axes = tuple(
            Axis((Moving(whole(dim, shape[dim]), Reach()),)) for dim in range(2, len(shape))
        )
        self.constant = Dependence((Axis(),) * len(axes))
        self.inputs = [
            Dependence(axes) if i == chosen else self.constant for i in range(len(trace.inputs))
        ]
        self.states: list[Dependence | None] = []
        """By call, what the elements of its first result depend on; None: cannot be told."""
        self.has_windows = False
        """Whether a convolution or pooling took the input's positions for such."""
        self._arguments: dict[int, tuple[tuple[str, Shape], ...]] = {}

    def run(self) -> list[Dependence | None]:
        """The state of every call.

        Raises:
            NotChannelsFirst: the input's dimensions turn out to stand for something else.
        """
        for call in self.trace.calls:
            try:
                operands = self._operands(call)
                state = dependence_of(operands)
            except NotChannelsFirst:
                raise
            except Exception:  # Untold, or arguments that no rule has foreseen
                self.states.append(None)
                continue
            self.states.append(state)
            if not self.has_windows and rule_of(call.operation) in WINDOWED:
                given = operands.first.state
                self.has_windows = any(axis.is_untouched for axis in given.axes)
        return self.states

    def state_of(self, origin: int, shape: Shape) -> Dependence | None:
        """What a tensor of this shape depends on that call or input `origin` gave."""
        if origin < 0:
            return self.inputs[-1 - origin]
        return self.result(self.trace.calls[origin].operation, self.states[origin], shape)

    @staticmethod
    def result(operation: Operation, state: Dependence | None, shape: Shape) -> Dependence | None:
        """What the result of this shape depends on, given the state of the first result."""
        if operation.outputs[0].shape == shape or state is None or state.is_constant:
            return state
        if rule_of(operation) in SEVERAL and any(o.shape == shape for o in operation.outputs):
            return state
        return None

    def _operands(self, call: Call) -> Operands:
        operation = call.operation
        arguments = self._arguments.get(id(operation))
        if arguments is None:
            arguments = self._arguments[id(operation)] = tensor_arguments(operation)
        shapes = [shape for _, shape in arguments]
        if len(call.inputs) == len(shapes):
            found: Sequence[int | None] = range(len(shapes))
            is_certain = True
        else:
            made = [self._shapes_from(origin) for origin in call.inputs]
            found, is_certain = match(shapes, made)
        tensors = [
            Operand(
                name,
                shape,
                self.constant if number is None else self.state_of(call.inputs[number], shape),
            )
            for (name, shape), number in zip(arguments, found)
        ]
        return Operands(operation, tensors, constant=self.constant, is_certain=is_certain)

    def _shapes_from(self, origin: int) -> tuple[Shape, ...]:
        if origin < 0:
            return (self.trace.inputs[-1 - origin].spec.shape,)
        return tuple(spec.shape for spec in self.trace.calls[origin].operation.outputs)
