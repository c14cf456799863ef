"""How many ways a gradient has from the output to the input, and how long they are.

A trace is a dataflow graph.  Each way through it backwards, along the tensors that carry a
gradient, is a path; a residual block doubles them, since the gradient passes by the shortcut and
by the branch (Veit, Wilber, Belongie 2016, arXiv:1605.06431: n blocks, 2^n paths).

Nothing is enumerated: going through the calls in order, the paths to a call are those to its
inputs added up, and a call of a weighted layer makes each of them longer by one.  The number of
paths of every length is carried along in a single whole number, as the digits of a number system
whose base is above every number of paths, so that adding adds all lengths at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnninspect.metrics.depth import is_weighted_work
from cnninspect.records.operations import Call, TensorSpec
from cnninspect.records.passes import WeightedLayer
from cnninspect.records.traces import Trace, parent_of


@dataclass(frozen=True, slots=True)
class PathLength:
    """How many gradient paths have one length."""

    length: int
    """Weighted layers on the path."""
    paths: int


@dataclass(frozen=True, slots=True)
class GradientPaths:
    """All ways that a gradient can take from the output to the input."""

    count: int
    """Distinct paths."""
    lengths: tuple[PathLength, ...]
    """By length, shortest first; their paths add up to `count`."""


START = -1
"""Stands for every input of the model."""


@dataclass(slots=True)
class Step:
    """A node of the graph: one call, or the calls of one elementary layer in a row."""

    length: int
    """1 where a weighted layer does its work, else 0."""
    sources: list[int]
    """The steps that its inputs come from; one that is used twice stands here twice."""
    layer: str
    """Path of the layer that makes the call."""


def gradient_paths(trace: Trace, layers: Sequence[WeightedLayer]) -> GradientPaths:
    """The paths from the outputs of a trace to its inputs, with the number of each length.

    `layers` are its weighted layers, which lengths count.  A layer without weights and without
    parts, such as an activation or a normalisation, counts as one step, however it is written.
    Paths from token ids begin where these are looked up.
    """
    steps, ends = _graph(trace, layers)
    counts: list[int] = []
    for step in steps:
        counts.append(sum(1 if source == START else counts[source] for source in step.sources))
    total = sum(1 if end == START else counts[end] for end in ends)
    digit = -(-max([total, *counts, 1]).bit_length() // 8)  # bytes of one digit
    return GradientPaths(total, _by_length(steps, ends, digit))


def trunk_of(trace: Trace, layers: Sequence[WeightedLayer]) -> frozenset[str]:
    """Paths of the weighted layers that every gradient path goes through; others lie in branches.

    The paths through a step are those to it from the inputs, times those from it to the outputs.
    """
    steps, ends = _graph(trace, layers)
    below: list[int] = []
    for step in steps:
        below.append(sum(1 if source == START else below[source] for source in step.sources))
    above = [0] * len(steps)
    for end in ends:
        if end != START:
            above[end] += 1
    for number in range(len(steps) - 1, -1, -1):
        for source in steps[number].sources:
            if source != START:
                above[source] += above[number]
    total = sum(1 if end == START else below[end] for end in ends)
    return frozenset(
        step.layer
        for step, down, up in zip(steps, below, above)
        if step.length and total and down * up == total
    )


def _by_length(steps: list[Step], ends: list[int], digit: int) -> tuple[PathLength, ...]:
    waiting = [0] * len(steps)  # how often each step is still to be used
    for source in (*(s for step in steps for s in step.sources), *ends):
        if source != START:
            waiting[source] += 1
    packed = {START: 1}
    for number, step in enumerate(steps):
        value = 0
        for source in step.sources:
            value += packed[source]
            if source != START:
                waiting[source] -= 1
                if not waiting[source]:  # in deep networks these numbers take much memory
                    del packed[source]
        if waiting[number]:
            packed[number] = value << (8 * digit * step.length)
    value = sum(packed[end] for end in ends)
    written = value.to_bytes((value.bit_length() + 7) // 8, "little")
    digits = (written[place : place + digit] for place in range(0, len(written), digit))
    paths = (int.from_bytes(text, "little") for text in digits)
    return tuple(PathLength(length, number) for length, number in enumerate(paths) if number)


def _graph(trace: Trace, layers: Sequence[WeightedLayer]) -> tuple[list[Step], list[int]]:
    """The steps of a trace in order, and those that its outputs come from."""
    elementary = _elementary(trace, layers)
    lengthening = _lengthening(trace, layers)
    step_of: list[int] = []  # by index of the call
    steps: list[Step] = []
    group = ""  # the elementary layer that is running
    for call in trace.calls:
        sources = [
            START if source < 0 else step_of[source]
            for source in differentiable_sources(call, trace)
        ]
        if call.layer in elementary and call.layer == group:
            own = len(steps) - 1
            known = steps[own].sources
            known += [s for s in dict.fromkeys(sources) if s != own and s not in known]
        else:
            group = call.layer if call.layer in elementary else ""
            sources = list(dict.fromkeys(sources)) if group else sources
            steps.append(Step(int(call.index in lengthening), sources, call.layer))
        step_of.append(len(steps) - 1)
    ends = [START if i < 0 else step_of[i] for i in _ends(trace)]
    return steps, ends


def _elementary(trace: Trace, layers: Sequence[WeightedLayer]) -> set[str]:
    """Layers without weights and without parts."""
    parents = {parent_of(layer.path) for layer in trace.layers if layer.path}
    weighted = {layer.path for layer in layers}
    return {layer.path for layer in trace.layers} - parents - weighted - {""}


def _lengthening(trace: Trace, layers: Sequence[WeightedLayer]) -> set[int]:
    """The calls by which a weighted layer makes a path longer: those that multiply by weights.

    Weights are parameters of two dimensions or more, and what is made of them alone, such as their
    transpose.
    """
    weighted = {layer.path for layer in layers}
    matrices = {
        f"{layer.path}.{p.name}" if layer.path else p.name
        for layer in trace.layers
        for p in layer.parameters
        if len(p.spec.shape) > 1
    }
    made: set[int] = set()  # calls that compute with parameters alone
    found: set[int] = set()
    for call in trace.calls:
        takes_weights = any(name in matrices for name in call.parameters)
        takes_weights = takes_weights or any(source in made for source in call.inputs)
        if takes_weights and all(source in made for source in call.inputs):
            made.add(call.index)
        if takes_weights and call.layer in weighted and is_weighted_work(call):
            found.add(call.index)
    return found


def _ends(trace: Trace) -> tuple[int, ...]:
    """The calls whose results are the outputs; where a trace does not say, those nobody uses."""
    if trace.origins:
        return tuple(end for end in trace.origins if carries_gradient(trace, end))
    used = {source for call in trace.calls for source in call.inputs}
    unused = (call.index for call in trace.calls if call.index not in used)
    return tuple(end for end in unused if carries_gradient(trace, end))


CUT = frozenset(
    f"aten.{name}"
    for name in (
        # made in the likeness of a tensor, or filled, whatever its values
        "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like",
        "new_empty", "new_empty_strided", "new_zeros", "new_ones", "new_full", "bernoulli",
        "bernoulli_", "uniform_", "normal_", "exponential_", "random_", "fill_", "zero_",
        # constant by pieces
        "sign", "sgn", "floor", "ceil", "round", "trunc", "heaviside", "detach",
    )
)  # fmt: skip
"""Operators whose result has no gradient with respect to what they are given."""
PARTS = frozenset(
    f"aten.{name}" for name in ("slice", "select", "narrow", "as_strided", "diagonal", "index")
)
"""Operators that take a part of a tensor."""


def differentiable_sources(call: Call, trace: Trace) -> Sequence[int]:
    """Those of a call's inputs that it passes a gradient on to: earlier calls, or `-1 - i`.

    One that is used twice stands there twice.
    """
    if not any(is_float(spec) for spec in call.operation.outputs):
        return ()
    if call.operation.name in CUT:
        return ()
    sources = list(call.inputs)
    if call.operation.name == "aten.copy_" and len(sources) > 1 and not _is_part(trace, sources[0]):
        sources = sources[1:]  # what was there before is lost
    if any(is_mixed(trace, source) for source in sources):
        # Values and their positions, as of max-pooling: the latter have no gradient.
        sources = list(dict.fromkeys(sources))
    return [s for s in sources if carries_gradient(trace, s) or _is_look_up(call, s)]


def carries_gradient(trace: Trace, source: int) -> bool:
    """Whether what a call made, or an input, consists of numbers that can vary smoothly."""
    if source < 0:
        return is_float(trace.inputs[-1 - source].spec)
    return any(is_float(spec) for spec in trace.calls[source].operation.outputs)


def is_mixed(trace: Trace, source: int) -> bool:
    """Whether a call made integers beside its floating-point numbers."""
    if source < 0:
        return False
    kinds = {is_float(spec) for spec in trace.calls[source].operation.outputs}
    return len(kinds) > 1


def is_float(spec: TensorSpec) -> bool:
    """Whether a tensor holds floating-point or complex numbers."""
    return spec.dtype.startswith(("float", "bfloat", "complex"))


def _is_look_up(call: Call, source: int) -> bool:
    """Whether integers from outside choose among weights here: a path cannot go on further."""
    return source < 0 and bool(call.parameters)


def _is_part(trace: Trace, source: int) -> bool:
    return source >= 0 and trace.calls[source].operation.name in PARTS
