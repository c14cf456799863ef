"""Graphs that run in a node's place: the branches of an `If`, and the functions of a model.

A branch is followed where it is known which; where that depends on data, the dearer one is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from onnx import NodeProto

from cnninspect.engine.onnx_read.errors import Malformed, NodeFails
from cnninspect.engine.onnx_read.graph_walk import Handler, Step, Walk, graphs_of
from cnninspect.engine.onnx_read.loops import loop, scan, sequence_map
from cnninspect.engine.onnx_read.node_layers import tidy
from cnninspect.engine.onnx_read.scope import Frame
from cnninspect.engine.onnx_read.values import Value, content_of

Given = Sequence["Value | None"]

DEEPEST = 40
"""Functions that call each other in a chain."""
OPERATORS = ("pkg.onnxscript",)
"""Domains whose functions are operators, not layers."""


def branch(walk: Walk, node: NodeProto, inputs: Given, frame: Frame, *, layer: str) -> list[Value]:
    """Follow the branch of an `If` that runs; where that is not known, count the dearer one.

    Of two branches of which one does not take these sizes, the other one must run.
    """
    graphs = graphs_of(node)
    if len(inputs) != 1 or {"then_branch", "else_branch"} - graphs.keys():
        raise Malformed("an If needs a condition and two branches")
    condition = content_of(inputs[0])
    if condition is not None:
        name = "then_branch" if condition.any() else "else_branch"
        return walk.graph(graphs[name], walk.inside(node, frame, layer, name))
    start = len(walk.steps)
    followed: dict[str, tuple[int, list[Step], list[Value]]] = {}
    problems: dict[str, NodeFails] = {}
    for name in ("then_branch", "else_branch"):
        try:
            values = walk.graph(graphs[name], walk.inside(node, frame, layer, name))
        except NodeFails as problem:
            problems[name] = problem
        else:
            steps = walk.steps[start:]
            followed[name] = (walk.work_of(steps).macs, steps, values)
        del walk.steps[start:]
    if not followed:
        raise problems["then_branch"]
    dearer = max(followed, key=lambda name: followed[name][0])
    macs, steps, values = followed[dearer]
    walk.steps += steps
    which = node.name or "an If"
    if problems:
        other, misfit = next(iter(problems.items()))
        said = f"{other} does not take these sizes ({misfit})"
    else:
        other = next(name for name in followed if name != dearer)
        said = f"not {other} with {followed[other][0]:,}"
    walk.notes[
        f"which branch of {which} runs depends on data: counted is {dearer} with {macs:,} MACs, "
        f"{said}"
    ] = None
    return [replace(value, is_data=True) for value in values]


def enter_function(
    walk: Walk, node: NodeProto, inputs: Sequence[Value | None], frame: Frame, *, layer: str
) -> list[Value]:
    """Walk through the function that a node calls; returns what it gives.

    Raises:
        Malformed: it calls itself, or is given too much.
    """
    key = (node.domain, node.op_type, node.overload)
    function = walk.functions[key]
    if key in frame.calling:
        raise Malformed(f"the function {function.name!r} calls itself")
    if len(frame.calling) >= DEEPEST:
        raise Malformed(f"its functions call each other more than {DEEPEST} deep")
    if len(inputs) > len(function.input):
        raise Malformed(f"the function {function.name!r} is given too much")
    attributes = {a.name: a for a in function.attribute_proto}
    attributes.update((a.name, a) for a in node.attribute)
    inner = Frame(
        opsets={o.domain: o.version for o in function.opset_import} or frame.opsets,
        place=_place(node, layer, frame),
        by_names=frame.by_names,
        attributes=attributes,
        calling=(*frame.calling, key),
    )
    if inner.place != layer:
        walk.types.setdefault(inner.place, function.name)
    for name, value in zip(function.input, [*inputs, *[None] * len(function.input)]):
        inner.bind(name, value or Value(0, None))
    for step in function.node:
        walk.node(step, inner)
    return [inner.look_up(name) for name in function.output]


def _place(node: NodeProto, layer: str, frame: Frame) -> str:
    """A function is a layer of its own, unless the node says which one it is in."""
    if node.domain.startswith(OPERATORS) or layer != frame.place:
        return layer
    return tidy([*layer.split("."), (node.name or node.op_type).strip("/").replace("/", ".")])


HANDLERS: Mapping[str, Handler] = {
    "If": branch, "Loop": loop, "Scan": scan, "SequenceMap": sequence_map,
}  # fmt: skip
"""What follows the operators that hold graphs."""
