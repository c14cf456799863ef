"""Receptive fields: how many positions of the input one element of a layer's output depends on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import ceil, lcm

from cnninspect.metrics.field_rules import (
    FIRST_WINS,
    WINDOWED,
    NotChannelsFirst,
    dependence_of,
    parts,
    rule_of,
)
from cnninspect.metrics.reach import (
    Axis,
    Dependence,
    Moving,
    Operand,
    Operands,
    Shape,
    Untold,
    hull,
    is_within,
)
from cnninspect.metrics.summary import Summary
from cnninspect.records.operations import Argument, Call, TensorSpec
from cnninspect.records.traces import Layer, Trace, parent_of

Extent = tuple[int, ...]


def with_receptive_fields(summary: Summary, trace: Trace) -> Summary:
    """The summary of a trace with the receptive field of every layer for which it can be told."""
    fields = receptive_fields(trace)
    layers = (replace(row, receptive_field=fields.get(row.path)) for row in summary.layers)
    return replace(summary, layers=tuple(layers))


def receptive_fields(trace: Trace, paths: Collection[str] | None = None) -> dict[str, Extent]:
    """By layer path, the input positions that one element of its last output depends on.

    With `paths`, of these layers only.

    They are given for each spatial dimension of the first input of shape (batch, channels,
    *positions), from the first position to the last, padding counted: the number may be larger than
    the input.  The element is the one in the middle; where neighbours or channels differ, the one
    that depends on most.  What a normalisation takes its mean and variance over is left out, and a
    mask of numbers (not of truth values) is taken for a bias that lets everything through.

    A layer is missing where it cannot be told: it does nothing, an operation is not known or moves
    positions about, or its outputs differ.

    Source: Araujo, Norris, Sim 2019, Computing Receptive Fields of Convolutional Neural Networks,
    Distill, doi:10.23915/distill.00021.
    """
    chosen = next((i for i, x in enumerate(trace.inputs) if 3 <= len(x.spec.shape) <= 5), None)
    if chosen is None or trace.how.run == "graph":  # the rules know aten's operators alone
        return {}
    try:
        states = CallStates(trace, chosen)
    except NotChannelsFirst:
        return {}
    shape = trace.inputs[chosen].spec.shape
    if len(shape) == 3 and not states.has_windows:
        return {}  # as likely (batch, time, features)
    found = Outputs(trace, states, shape[2:])
    asked = (layer for layer in trace.layers if paths is None or layer.path in paths)
    fields = {layer.path: found.extent(layer) for layer in asked}
    return {path: extent for path, extent in fields.items() if extent is not None}


class Outputs:
    """Finds the calls that give a layer's output; `sizes` are those of the input's positions."""

    def __init__(self, trace: Trace, states: CallStates, sizes: tuple[int, ...]) -> None:
        self.trace = trace
        self.states = states
        self.sizes = sizes
        self.outputs = tuple(output.spec for output in trace.outputs)
        self.last_use = [-1] * len(trace.calls)
        """By call, the last one that takes its result; -1: none does."""
        self.last_run: dict[str, tuple[int, int]] = {}
        """By layer, the first and last call of its last unbroken stretch."""
        self._extents: dict[int, Extent | None] = {}
        for i, call in enumerate(trace.calls):
            for origin in call.inputs:
                if origin >= 0:
                    self.last_use[origin] = i
            path: str | None = call.layer
            while path is not None:
                start, end = self.last_run.get(path, (i, i - 1))
                self.last_run[path] = (start, i) if end == i - 1 else (i, i)
                path = parent_of(path) if path else None

    def extent(self, layer: Layer) -> Extent | None:
        """What one element of the layer's last output depends on; None where it cannot be told."""
        specs = layer.outputs if layer.path else self.outputs
        if layer.path not in self.last_run or not layer.calls or not specs:
            return None
        start, end = self.last_run[layer.path]
        run = range(start, end + 1)
        leaving = [i for i in run if self.last_use[i] > end or self.last_use[i] < 0]
        extents: set[Extent | None] = set()
        for spec in dict.fromkeys(specs):
            calls = [i for i in leaving if self._gives(i, spec)]
            if not calls:  # used up inside, and returned as well
                calls = [i for i in run if self._gives(i, spec)][-1:]
            if layer.calls > 1 and len(specs) == 1:
                # Later runs may be given other sizes than the first, whose output is on record.
                calls = calls[-1:] if calls else leaving[-1:]
            extents |= {self._extent_from(i, spec) for i in calls} or {None}
        return extents.pop() if len(extents) == 1 else None

    def _gives(self, call: int, spec: TensorSpec) -> bool:
        return spec in self.trace.calls[call].operation.outputs

    def _extent_from(self, call: int, spec: TensorSpec) -> Extent | None:
        if not self.trace.calls[call].operation.outputs:
            return None  # a check, or what writes into its argument
        given = spec if self._gives(call, spec) else self.trace.calls[call].operation.output
        state = self.states.of(call, given.shape)
        if state is None:
            return None
        if id(state) not in self._extents:  # all states are kept alive
            self._extents[id(state)] = extent_of(state, self.sizes)
        return self._extents[id(state)]


class CallStates:
    """What the elements of each call's result depend on, in one pass over the dataflow graph.

    `chosen` is the number of the input that counts, of shape (batch, channels, *positions).

    Raises:
        NotChannelsFirst: the input's dimensions turn out to stand for something else.
    """

    def __init__(self, trace: Trace, chosen: int) -> None:
        self.trace = trace
        shape = trace.inputs[chosen].spec.shape
        axes = tuple(Axis((Moving(dim, shape[dim]),)) for dim in range(2, len(shape)))
        self.constant = Dependence((Axis(),) * len(axes))
        self.inputs = [self.constant] * len(trace.inputs)
        self.inputs[chosen] = Dependence(axes)
        self.states: list[Dependence | None] = []
        """By call, that of its first result; None: cannot be told."""
        self.has_windows = False
        """Whether a convolution or pooling took the input's positions for such."""
        for call in trace.calls:
            try:
                given = self._operands(call)
                state = dependence_of(given)
            except NotChannelsFirst:
                raise
            except Exception:  # Untold, or arguments that no rule has foreseen
                self.states.append(None)
                continue
            self.states.append(state)
            if not self.has_windows and rule_of(call.operation) in WINDOWED:
                self.has_windows = any(axis.is_untouched for axis in given.tensors[0].state.axes)

    def of(self, origin: int, shape: Shape) -> Dependence | None:
        """What a tensor of this shape depends on that call or input `origin` gave."""
        if origin < 0:
            return self.inputs[-1 - origin]
        operation, state = self.trace.calls[origin].operation, self.states[origin]
        if operation.outputs[0].shape == shape or state is None or state.is_constant:
            return state
        return state if rule_of(operation) is parts and shape in self._shapes(origin) else None

    def _shapes(self, origin: int) -> tuple[Shape, ...]:
        """The shapes of what call or input `origin` gave."""
        if origin < 0:
            return (self.trace.inputs[-1 - origin].spec.shape,)
        return tuple(spec.shape for spec in self.trace.calls[origin].operation.outputs)

    def _operands(self, call: Call) -> Operands:
        """The tensors that a call is given, each with its state.

        A call records where its tensors come from, in order, and leaves out parameters and
        constants: each recorded one is the first argument after the last whose shape fits.

        Raises:
            Untold: one cannot be told, or which of them it is.
        """
        arguments = [
            (name, shape) for name, value in call.operation.arguments for shape in _shapes_in(value)
        ]
        pending = list(call.inputs)
        is_complete = len(pending) == len(arguments)
        tensors: list[Operand] = []
        left_out, given = set[Shape](), set[Shape]()
        for name, shape in arguments:
            state: Dependence | None = self.constant
            if pending and (is_complete or shape in self._shapes(pending[0])):
                state = self.of(pending.pop(0), shape)
                given.add(shape)
            else:
                left_out.add(shape)
            if state is None:
                raise Untold
            tensors.append(Operand(name, shape, state))
        is_certain = not left_out & given or rule_of(call.operation) in FIRST_WINS
        if pending or not (is_certain or all(tensor.state.is_constant for tensor in tensors)):
            raise Untold
        return Operands(call.operation, tuple(tensors), self.constant)


def _shapes_in(value: Argument) -> Iterator[Shape]:
    if isinstance(value, TensorSpec):
        yield value.shape
    elif isinstance(value, tuple):
        for item in value:
            yield from _shapes_in(item)


def extent_of(state: Dependence, sizes: Sequence[int]) -> Extent | None:
    """Input positions that the middle element depends on, by dimension; None: cannot be told.

    `sizes` are those of the input.
    """
    extents = [_extent_along(axis, size) for axis, size in zip(state.axes, sizes)]
    return None if None in extents else tuple(e for e in extents if e is not None)


def _extent_along(axis: Axis, input_size: int) -> int | None:
    """From the first to the last of them along one axis.

    Where neighbours differ (up-sampling) it is the most.  None: cannot be told, or elements differ
    for another reason than their position.
    """
    fixed = axis.fixed
    moving = [part for part in axis.moving if not (fixed and is_within(part.range, fixed))]
    if not axis.is_reached:
        return None
    if not moving:
        return fixed[1] - fixed[0] + 1 if fixed else None
    size = moving[0].size
    jumps = {part.reach.jump * part.reach.rate for part in moving}
    if len(jumps) > 1 or len({part._replace(reach=moving[0].reach) for part in moving}) > 1:
        return None  # the farther from the start, the farther apart
    margin = ceil(2 * max(jumps))  # what strides may leave over at the ends
    if fixed and not is_within((margin, input_size - 1 - margin), fixed):
        return None  # only a part of the input, nearer to some elements than to others
    period = min(lcm(*(part.reach.rate.denominator for part in moving)), size)
    start = min(max(0, size // 2 - period // 2), size - period)
    spans = (hull(fixed, *(p.reach.at(q) for p in moving)) for q in range(start, start + period))
    return max((span[1] - span[0] + 1 for span in spans if span), default=0) or None
