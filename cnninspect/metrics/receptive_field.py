"""Receptive fields: how many positions of the input one element of a layer's output depends on."""

from __future__ import annotations

from cnninspect.metrics.dependence.sliding import NotChannelsFirst
from cnninspect.metrics.dependence.states import extent_of
from cnninspect.metrics.dependence.walking import Walk
from cnninspect.records.layers import Layer, parent_of
from cnninspect.records.tensors import TensorSpec
from cnninspect.records.traces import Trace

Extent = tuple[int, ...]


def receptive_fields(trace: Trace) -> dict[str, Extent]:
    """By layer path, the input positions that one element of its last output depends on.

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
    walk = Walk(trace, chosen)
    try:
        walk.run()
    except NotChannelsFirst:
        return {}
    shape = trace.inputs[chosen].spec.shape
    if len(shape) == 3 and not walk.has_windows:
        return {}  # as likely (batch, time, features)
    found = Outputs(trace, walk, shape[2:])
    fields = {layer.path: found.extent(layer) for layer in trace.layers}
    return {path: extent for path, extent in fields.items() if extent is not None}


class Outputs:
    """Finds the calls that give a layer's output; `sizes` are those of the input's positions."""

    def __init__(self, trace: Trace, walk: Walk, sizes: tuple[int, ...]) -> None:
        self.trace = trace
        self.walk = walk
        self.sizes = sizes
        self.last_use = [-1] * len(trace.calls)
        """By call, the last one that takes its result; -1: none does."""
        self.last_run: dict[str, tuple[int, int]] = {}
        """By layer, the first and last call of its last unbroken stretch."""
        self._extents: dict[int, Extent | None] = {}
        above: dict[str, tuple[str, ...]] = {}
        for i, call in enumerate(trace.calls):
            for origin in call.inputs:
                if origin >= 0:
                    self.last_use[origin] = i
            if call.layer not in above:
                above[call.layer] = _with_ancestors(call.layer)
            for path in above[call.layer]:
                start, end = self.last_run.get(path, (i, i - 1))
                self.last_run[path] = (start, i) if end == i - 1 else (i, i)

    def extent(self, layer: Layer) -> Extent | None:
        """What one element of the layer's last output depends on; None where it cannot be told."""
        specs = self._specs(layer)
        if layer.path not in self.last_run or not layer.calls or not specs:
            return None
        start, end = self.last_run[layer.path]
        leaving = [
            i for i in range(start, end + 1) if self.last_use[i] > end or self.last_use[i] < 0
        ]
        extents: set[Extent | None] = set()
        for spec in dict.fromkeys(specs):
            calls = [i for i in leaving if self._gives(i, spec)]
            if not calls:  # used up inside, and returned as well
                calls = [i for i in range(start, end + 1) if self._gives(i, spec)][-1:]
            if layer.calls > 1 and len(specs) == 1:
                # Later runs may be given other sizes than the first, whose output is on record.
                calls = calls[-1:] if calls else leaving[-1:]
            extents |= {self._extent_from(i, spec) for i in calls} or {None}
        return extents.pop() if len(extents) == 1 else None

    def _specs(self, layer: Layer) -> tuple[TensorSpec, ...]:
        if layer.path:
            return layer.outputs
        return tuple(output.spec for output in self.trace.outputs)

    def _gives(self, call: int, spec: TensorSpec) -> bool:
        return spec in self.trace.calls[call].operation.outputs

    def _extent_from(self, call: int, spec: TensorSpec) -> Extent | None:
        operation, state = self.trace.calls[call].operation, self.walk.states[call]
        given = spec if spec in operation.outputs else operation.output
        state = self.walk.result(operation, state, given.shape)
        if state is None:
            return None
        if id(state) not in self._extents:  # the walk keeps every state alive
            self._extents[id(state)] = extent_of(state, self.sizes)
        return self._extents[id(state)]


def _with_ancestors(path: str) -> tuple[str, ...]:
    found = [path]
    while found[-1]:
        found.append(parent_of(found[-1]))
    return tuple(found)
