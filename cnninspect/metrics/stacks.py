"""Which nodes of a graph are one box of its picture: norms and activations on what they follow."""

from __future__ import annotations

from cnninspect.metrics.dataflow import Graph, Node

JOINS = ("cat", "concat", "Concat")
"""Operators that put tensors side by side."""


def stacked(graph: Graph) -> list[list[Node]]:
    """The nodes in stacks: norms and activations on what they follow, joins on what follows."""
    frames: dict[str, set[int]] = {node.path: set() for node in graph.nodes}
    for number, frame in enumerate(graph.frames):
        for path in frame.nodes:
            frames[path].add(number)
    ins: dict[str, list[str]] = {node.path: [] for node in graph.nodes}
    outs: dict[str, list[str]] = {node.path: [] for node in graph.nodes}
    for edge in graph.edges:
        ins[edge.target].append(edge.source)
        outs[edge.source].append(edge.target)
    nodes = {node.path: node for node in graph.nodes}
    stacks: dict[str, list[Node]] = {}
    order: list[list[Node]] = []
    for node in graph.nodes:
        before = ins[node.path]
        above = before[0] if len(before) == 1 and len(outs[before[0]]) == 1 else None
        if (
            above is not None
            and frames[above] == frames[node.path]
            and _sticks(nodes[above], node, stacks[above])
        ):
            stacks[above].append(node)
            stacks[node.path] = stacks[above]
            continue
        stacks[node.path] = stack = [node]
        order.append(stack)
    return order


def _sticks(above: Node, node: Node, stack: list[Node]) -> bool:
    """Whether a node is drawn as part of the box above it."""
    if node.times > 1 or above.times > 1 or above.kind in ("input", "more", "step"):
        return False
    if is_join(above):
        return node.kind == "module" and len(stack) == 1 and not is_join(node)
    if above.kind != "module" or above.has_inside:
        return False
    return is_minor(node) and node.output_shapes[:1] == above.output_shapes[:1]


def is_minor(node: Node) -> bool:
    """Whether it only changes values: a norm, an activation, dropout."""
    return node.kind == "module" and not node.macs and not node.has_inside and not node.kernel


def is_join(node: Node) -> bool:
    """Whether it puts tensors side by side."""
    return node.kind == "operation" and operator_of(node) in JOINS


def operator_of(node: Node) -> str:
    """Name of its operator without the namespace: `cat`."""
    return node.type.partition(".")[2]
