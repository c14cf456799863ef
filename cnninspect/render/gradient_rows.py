"""Which layers of several models stand in one row of a table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from cnninspect.records.gradient_profile import LayerGradients

ALIKE = 0.8
"""Share of a model's layers that must have a namesake in the longest, to go by names."""


@dataclass(frozen=True, slots=True)
class Row:
    """Neighbouring layers, by model."""

    depth: str
    """`3`, or `3–5`."""
    label: str
    """Path of the first; empty where the models have other names."""
    more: int
    """How many follow it."""
    layers: tuple[tuple[LayerGradients, ...], ...]
    """For each model its layers here."""

    def value(self, model: int, field: str) -> float | None:
        """The median of a norm over one model's layers; what is not finite comes first."""
        values: list[float | None] = [getattr(layer, field) for layer in self.layers[model]]
        known = [v for v in values if v is not None]
        if not known:
            return None
        broken = [v for v in known if not math.isfinite(v)]
        return broken[0] if broken else statistics.median(known)


def rows_of(models: Sequence[Sequence[LayerGradients]], most: int | None) -> tuple[Row, ...]:
    """The layers of models side by side, in `most` rows at most.

    Layers of the same name stand in one row where the models share most names, as a residual
    network and its plain twin do; else those of the same depth.
    """
    names = _merged_names(models)
    lines = _by_name(models, names) if names else _by_depth(models)
    size = 1 if most is None else -(-len(lines) // most)
    return tuple(
        _row(lines[start : start + size], start, labels=bool(names))
        for start in range(0, len(lines), size)
    )


Line = tuple[LayerGradients | None, ...]
"""One layer of each model, or None where it has none."""


def _row(lines: Sequence[Line], start: int, *, labels: bool) -> Row:
    first, last = start + 1, start + len(lines)
    label = next(layer.path for layer in lines[0] if layer) if labels else ""
    by_model = zip(*lines)
    return Row(
        depth=f"{first}" if first == last else f"{first}–{last}",
        label=label,
        more=len(lines) - 1,
        layers=tuple(tuple(layer for layer in column if layer) for column in by_model),
    )


def _by_depth(models: Sequence[Sequence[LayerGradients]]) -> list[Line]:
    deepest = max(len(layers) for layers in models)
    return [
        tuple(layers[place] if place < len(layers) else None for layers in models)
        for place in range(deepest)
    ]


def _by_name(models: Sequence[Sequence[LayerGradients]], names: Sequence[str]) -> list[Line]:
    found = [{layer.path: layer for layer in layers} for layers in models]
    return [tuple(layers.get(name) for layers in found) for name in names]


def _merged_names(models: Sequence[Sequence[LayerGradients]]) -> tuple[str, ...]:
    """All names in an order that holds for each model; empty where they share too few."""
    longest = max(models, key=len)
    names = [layer.path for layer in longest]
    for layers in models:
        known = set(names)
        own = [layer.path for layer in layers]
        shared = [path for path in own if path in known]
        order = [names.index(path) for path in shared]
        if len(shared) < ALIKE * len(own) or order != sorted(order):
            return ()
        if len(own) < ALIKE * len(longest):  # a part of it: the depths are what tells
            return ()
        after = -1
        for path in own:
            if path in known:
                after = names.index(path)
            else:
                after += 1
                names.insert(after, path)
    return tuple(names)
