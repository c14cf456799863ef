"""Layers as a flat list in an order that a person chose."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from cnninspect.records.layers import parent_of
from cnninspect.records.summary import Counts, LayerSummary


def natural(path: str) -> tuple[tuple[bool, int, str], ...]:
    """A path such that `layer2` comes before `layer10`."""
    parts = re.findall(r"\d+|\D+", path)
    return tuple((not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts)


SORT_KEYS: dict[str, Callable[[LayerSummary], Any]] = {
    "macs": lambda layer: -layer.own.macs,
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
