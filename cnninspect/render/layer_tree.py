"""The layers of a summary as a tree, from the flat tuple that a report holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnninspect.records.layers import parent_of
from cnninspect.records.summary import LayerSummary


@dataclass(frozen=True, slots=True)
class Node:
    """A layer with the layers under it, or a run of identical ones shown as one."""

    layer: LayerSummary
    """The layer; the first of a run."""
    name: str
    """What its parent calls it; in a run, all of them: `1–2`."""
    children: tuple[Node, ...] = ()
    """The layers right under it; those of the first of a run."""
    times: int = 1
    """How many identical layers this stands for."""
    last: LayerSummary | None = None
    """The last of a run."""


def tree_of(layers: Sequence[LayerSummary]) -> tuple[Node, ...]:
    """The roots of the tree: the model itself, and whatever has no ancestor among `layers`."""
    known = {layer.path for layer in layers}
    children: dict[str | None, list[LayerSummary]] = {}
    for layer in layers:
        children.setdefault(_nearest_ancestor(layer.path, known), []).append(layer)

    def node(layer: LayerSummary, above: str | None) -> Node:
        prefix = f"{above}." if above else ""
        under = tuple(node(child, layer.path) for child in children.get(layer.path, ()))
        return Node(layer, layer.path.removeprefix(prefix), under)

    return tuple(node(layer, None) for layer in children.get(None, ()))


def _nearest_ancestor(path: str, known: set[str]) -> str | None:
    """Path of the closest layer that holds this one; None: there is none."""
    while path:
        path = parent_of(path)
        if path in known:
            return path
    return None
