"""Layers as a tree or as a flat list, with identical blocks folded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, ClassVar, Literal, Union

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.metrics.summary import Counts, LayerSummary
from cnninspect.page.formats import View
from cnninspect.records.traces import parent_of, run_name

TABLE_LEVEL = 3
"""Levels that a table shows unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeView(View):
    """What to show of a tree of modules, and how.

    Raises:
        UnknownChoice: there is no such column or order.
        BadOption: the level or the number of rows cannot be used, or folding meets sorting.
    """

    known_columns: ClassVar[Collection[str]]
    known_orders: ClassVar[Collection[str]]
    aliases: ClassVar[Mapping[str, str]] = {}
    """Other names for columns and orders."""

    level: Union[int, Literal["auto"], None] = "auto"
    """Names in the paths down to which rows are shown; None: all; auto: 3 in tables, else all.
    What is deeper is added to the nearest module shown."""
    sort: str | None = None
    """A column to sort by, largest first (names from a to z); the rows are then a flat list.
    None: the tree, with totals."""
    top: int | None = None
    """Only so many rows, the largest unless `sort` says otherwise, and one for the rest."""
    columns: tuple[str, ...] = ()
    """Columns in their order; empty: those that fit by themselves."""
    fold: bool = False
    """Runs of identical modules shown once."""

    def __post_init__(self) -> None:
        for name in self.columns:
            if self.aliases.get(name, name) not in self.known_columns:
                raise UnknownChoice("--columns", name, self.known_columns)
        if (
            self.sort is not None
            and self.aliases.get(self.sort, self.sort) not in self.known_orders
        ):
            raise UnknownChoice("--sort", self.sort, self.known_orders)
        if isinstance(self.level, int) and self.level < 0:
            raise BadOption("--level", self.level, "0 or more")
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")
        if self.fold and self.is_flat:
            raise BadOption("--fold", "with --sort or --top", "used without them")

    @property
    def is_flat(self) -> bool:
        """Whether the rows are a list without totals, not a tree."""
        return self.sort is not None or self.top is not None


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


def natural(path: str) -> tuple[tuple[bool, int, str], ...]:
    """A path such that `layer2` comes before `layer10`."""
    parts = re.findall(r"\d+|\D+", path)
    return tuple((not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts)


SORT_KEYS: dict[str, Callable[[LayerSummary], Any]] = {
    "macs": lambda layer: -layer.own.macs,
    "flops": lambda layer: -layer.own.flops,
    "parameters": lambda layer: -layer.own.parameters,
    "trainable": lambda layer: -layer.own.trainable_parameters,
    "parameter_bytes": lambda layer: -layer.own.parameter_bytes,
    "activations": lambda layer: -layer.own.activations,
    "activation_bytes": lambda layer: -layer.own.activation_bytes,
    "convention": lambda layer: -layer.own.convention,
    "calls": lambda layer: -layer.calls,
    "receptive_field": lambda layer: -math.prod(layer.receptive_field or (0,)),
    "matrix_bytes": lambda layer: -(layer.matrix.unfolded_bytes if layer.matrix else 0),
    "path": lambda layer: natural(layer.path),
    "type": lambda layer: layer.type,
    "order": lambda _: 0,
}
"""What a list can be sorted by: largest first, names from a to z; `order` is that of execution."""


def flat(
    layers: Sequence[LayerSummary], *, sort: str, keep: Collection[str] = ()
) -> tuple[LayerSummary, ...]:
    """The layers that have something of their own, or nothing under them, sorted.

    Left out are those that only hold others, so the own counts still add up to the total; those
    whose path is in `keep` stay.  Equals stay in the order of execution.
    """
    parents = {parent_of(layer.path) for layer in layers if layer.path}
    kept = (x for x in layers if x.path not in parents or x.own != Counts() or x.path in keep)
    return tuple(sorted(kept, key=SORT_KEYS[sort]))


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
