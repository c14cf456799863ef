"""Runs of identical blocks shown once: `1–2  ×2`."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import groupby

from cnninspect.render.layer_tree import Node


def fold(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """`nodes` with every run of identical siblings as one node, at every level.

    Identical are layers of one type that ran equally often, on equal shapes, with equal counts
    and windows, and so for everything under them, name by name.  What depends on the place in the
    network, such as the receptive field, may differ.  A folded node stands for each layer of its
    run: a total over siblings takes it `times` times.
    """
    folded: list[Node] = []
    for _, group in groupby(nodes, key=_likeness):
        run = tuple(group)
        first = replace(run[0], children=fold(run[0].children))
        if len(run) > 1:
            names = run_name(run[0].name, run[-1].name)
            first = replace(first, name=names, times=len(run), last=run[-1].layer)
        folded.append(first)
    return tuple(folded)


def _likeness(node: Node) -> Hashable:
    """Equal for nodes that look alike but for their names."""
    layer = node.layer
    return (
        layer.type,
        layer.calls,
        layer.input_shapes,
        layer.output_shapes,
        layer.own,
        layer.total,
        layer.kernel,
        layer.stride,
        layer.matrix,
        tuple((child.name, _likeness(child)) for child in node.children),
    )


def run_name(first: str, last: str) -> str:
    """One name for a run of siblings.

    >>> run_name("1", "2"), run_name("block_3", "block_11"), run_name("relu", "drop")
    ('1–2', 'block_3–11', 'relu–drop')
    """
    start, end = re.fullmatch(r"(.*?)(\d+)", first), re.fullmatch(r"(.*?)(\d+)", last)
    if start and end and start[1] == end[1]:
        return f"{first}–{end[2]}"
    return f"{first}–{last}"
