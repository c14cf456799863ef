"""Graphs within nodes: a branch is followed where it is known which, a loop as often as it runs.

Where that depends on data, of two branches the dearer one is counted, and a loop is written down
as an operation without a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import GraphProto, NodeProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.inference import Outcome
from cnninspect.engine.onnx_read.operations import operation_of
from cnninspect.engine.onnx_read.scope import Frame
from cnninspect.engine.onnx_read.values import Value, of_array

if TYPE_CHECKING:
    from cnninspect.engine.onnx_read.graph_walk import Step, Walk

Given = Sequence["Value | None"]

MOST_LOOPED = 30_000
"""Calls that one loop may unroll into."""


def branch(walk: Walk, node: NodeProto, inputs: Given, frame: Frame, *, layer: str) -> list[Value]:
    """Follow the branch of an `If` that runs; where that is not known, count the dearer one."""
    graphs = _graphs(node)
    if len(inputs) != 1 or {"then_branch", "else_branch"} - graphs.keys():
        raise Malformed("an If needs a condition and two branches")
    condition = _known(inputs[0])
    if condition is not None:
        name = "then_branch" if condition.any() else "else_branch"
        return walk.graph(graphs[name], _inside(walk, node, frame, layer, name))
    start = len(walk.steps)
    followed: dict[str, tuple[int, list[Step], list[Value]]] = {}
    for name in ("then_branch", "else_branch"):
        values = walk.graph(graphs[name], _inside(walk, node, frame, layer, name))
        steps = walk.steps[start:]
        del walk.steps[start:]
        followed[name] = (walk.macs_of(steps), steps, values)
    first, second = followed
    dearer, other = (
        (first, second) if followed[first][0] >= followed[second][0] else (second, first)
    )
    macs, steps, values = followed[dearer]
    walk.steps += steps
    walk.notes[
        f"which branch of {node.name or 'an If'} runs depends on data: counted is {dearer} with "
        f"{macs:,} MACs, not {other} with {followed[other][0]:,}"
    ] = None
    for value in values:
        value.is_data = True
    return values


def loop(walk: Walk, node: NodeProto, inputs: Given, frame: Frame, *, layer: str) -> list[Value]:
    """Follow a `Loop` as often as it runs; an unknown operation where that depends on data."""
    body = _graphs(node).get("body")
    if body is None or len(inputs) < 2 or len(body.input) != len(inputs):
        raise Malformed("a Loop needs a count, a condition and a body that takes what it is given")
    count, condition = (None if v is None else _known(v) for v in inputs[:2])
    is_open = any(v is not None and v.content is None for v in inputs[:2])
    if is_open or id(node) in walk.endless:
        return _unknown(walk, node, inputs, layer)
    most = None if count is None else int(count.max(initial=0))
    goes_on = condition is None or bool(condition.any())
    start, scanned = len(walk.steps), _Scanned(len(body.output))
    carried: Sequence[Value | None] = inputs[2:]
    number = 0
    while goes_on and (most is None or number < most):
        if max(len(walk.steps) - start, number) > MOST_LOOPED:
            walk.endless[id(node)] = node
            del walk.steps[start:]
            return _unknown(walk, node, inputs, layer)
        inner = _inside(walk, node, frame, layer)
        given = [of_array(np.array(number), 7), of_array(np.array(True), 9), *carried]
        for formal, value in zip(body.input, given):
            inner.bind(formal.name, value or Value(0, None))
        again, *results = walk.graph(body, inner)
        carried = results[: len(carried)]
        scanned.add(results[len(carried) :])
        known = _known(again)
        if known is None:
            del walk.steps[start:]
            return _unknown(walk, node, inputs, layer)
        goes_on, number = bool(known.any()), number + 1
    kept = [value if value is not None else Value(0, None) for value in carried]
    return [*kept, *scanned.stacked(axis=0, width=len(node.output) - len(kept))]


def scan(walk: Walk, node: NodeProto, inputs: Given, frame: Frame, *, layer: str) -> list[Value]:
    """Follow a `Scan` once for each element along the axis that it runs over."""
    body = _graphs(node).get("body")
    numbers = {a.name: (a.i, list(a.ints)) for a in node.attribute}
    over = numbers.get("num_scan_inputs", (0, []))[0]
    if body is None or not 0 < over <= len(inputs) or len(body.input) != len(inputs):
        raise Malformed("a Scan needs sequences, and a body that takes what it is given")
    states, sequences = list(inputs[: len(inputs) - over]), list(inputs[len(inputs) - over :])
    axes = numbers.get("scan_input_axes", (0, []))[1] or [0] * over
    slices = [_element(value, axis) for value, axis in zip(sequences, axes)]
    lengths = {length for _, length in slices}
    length = lengths.pop() if len(lengths) == 1 else None
    is_endless = length is None or length > MOST_LOOPED or id(node) in walk.endless
    if length is None or is_endless or frame.opsets.get("", 9) < 9:
        return _unknown(walk, node, inputs, layer)
    start, scanned = len(walk.steps), _Scanned(len(body.output))
    for _ in range(length):
        if len(walk.steps) - start > MOST_LOOPED:
            walk.endless[id(node)] = node
            del walk.steps[start:]
            return _unknown(walk, node, inputs, layer)
        inner = _inside(walk, node, frame, layer)
        for formal, value in zip(body.input, [*states, *(value for value, _ in slices)]):
            inner.bind(formal.name, value or Value(0, None))
        results = walk.graph(body, inner)
        states = list(results[: len(states)])
        scanned.add(results[len(states) :])
    axis = (numbers.get("scan_output_axes", (0, []))[1] or [0])[0]
    kept = [value if value is not None else Value(0, None) for value in states]
    return [*kept, *scanned.stacked(axis=axis, width=len(node.output) - len(kept))]


RULES: dict[str, Callable[..., list[Value]]] = {"If": branch, "Loop": loop, "Scan": scan}
"""Operators that hold graphs."""


@dataclass(slots=True)
class _Scanned:
    """What the rounds of a loop give, to be stacked."""

    width: int
    rounds: int = 0
    last: Sequence[Value] = ()

    def add(self, values: Sequence[Value]) -> None:
        self.rounds += 1
        self.last = values

    def stacked(self, *, axis: int, width: int) -> list[Value]:
        if not self.rounds:
            return [Value(0, None) for _ in range(max(width, 0))]
        return [
            Value(
                value.element,
                None if value.dims is None else _with(value.dims, axis, self.rounds),
                origin=value.origin,
                is_data=value.is_data,
            )
            for value in self.last
        ]


def _with(dims: tuple[int | None, ...], axis: int, size: int) -> tuple[int | None, ...]:
    at = axis if axis >= 0 else len(dims) + 1 + axis
    return (*dims[:at], size, *dims[at:])


def _element(value: Value | None, axis: int) -> tuple[Value | None, int | None]:
    """What one round of a scan is given of a sequence, and how long that is."""
    if value is None or value.dims is None or not -len(value.dims) <= axis < len(value.dims):
        return value, None
    at = axis % len(value.dims)
    dims = (*value.dims[:at], *value.dims[at + 1 :])
    return Value(value.element, dims, origin=value.origin, is_data=value.is_data), value.dims[at]


def _known(value: Value | None) -> np.ndarray | None:
    return None if value is None else value.content


def _graphs(node: NodeProto) -> dict[str, GraphProto]:
    return {a.name: a.g for a in node.attribute if a.HasField("g")}


def _inside(walk: Walk, node: NodeProto, frame: Frame, layer: str, *names: str) -> Frame:
    name = (node.name or node.op_type).strip("/").rpartition("/")[2].replace(".", "_")
    inner = Frame(
        opsets=frame.opsets, place=layer, by_names=frame.by_names, is_told=frame.is_told,
        outer=frame, attributes=frame.attributes, calling=frame.calling,
    ).within(name, *names)  # fmt: skip
    walk.types.setdefault(inner.place, names[0] if names else node.op_type)
    return inner


def _unknown(walk: Walk, node: NodeProto, inputs: Given, layer: str) -> list[Value]:
    """The node as one operation, of which nothing is known."""
    outputs = tuple(Value(0, None) for _ in node.output)
    operation = operation_of(node, inputs, outputs, schema=None, domain="")
    values = walk.write(node, inputs, Outcome(operation, outputs), layer=layer)
    for value in values:
        value.is_data = True
    return values
