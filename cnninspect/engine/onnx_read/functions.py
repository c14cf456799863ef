"""Functions of a model: their nodes are followed in place of the node that calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnx import NodeProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.node_layers import tidy
from cnninspect.engine.onnx_read.scope import Frame
from cnninspect.engine.onnx_read.values import Value

if TYPE_CHECKING:
    from cnninspect.engine.onnx_read.graph_walk import Walk

DEEPEST = 40
"""Functions that call each other in a chain."""
OPERATORS = ("pkg.onnxscript",)
"""Domains whose functions are operators, not layers."""


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
