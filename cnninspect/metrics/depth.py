"""Weighted layers: which they are, and how many lie one behind the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from cnninspect.costs import cost_of
from cnninspect.records.operations import Call, CostState
from cnninspect.records.passes import WeightedLayer
from cnninspect.records.traces import Layer, Trace, parent_of


def depth_of(trace: Trace, weighted: Iterable[str]) -> int:
    """Weighted layers on the longest way from an input to an output.

    `weighted` are the paths of the weighted layers.  What such a layer does in one go counts as
    one, however many of its operations take weights; a layer that runs again counts again.  Layers
    side by side count once, so a ResNet-34 is 34 deep, its projections left out.
    """
    owners = _Owners(frozenset(weighted))
    depths: list[int] = []  # by call
    stretch: list[int] = []  # calls of the weighted layer that is running
    owner: str | None = None
    for call in trace.calls:
        above = owners.of(call.layer)
        if above is None or above != owner:
            owner, stretch = above, []
        reached = max((depths[source] for source in call.inputs if source >= 0), default=0)
        if above is None:
            depths.append(reached)
            continue
        # A later operand of the same stretch, such as a second input, deepens all of it.
        inside = set(stretch)
        outside = (depths[source] for source in call.inputs if source >= 0 and source not in inside)
        entered = max(outside, default=0) + 1
        before = depths[stretch[-1]] if stretch else 0
        depths.append(max(entered, before))
        stretch.append(call.index)
        if entered > before:
            for index in stretch:
                depths[index] = entered
    ends = [depths[origin] for origin in trace.origins if origin >= 0]
    return max(ends or depths, default=0)


class _Owners:
    """Finds the weighted layer that a layer is or is a part of."""

    def __init__(self, weighted: frozenset[str]) -> None:
        self.weighted = weighted
        self.known: dict[str, str | None] = {}

    def of(self, path: str) -> str | None:
        """Path of that weighted layer; None: there is none."""
        if path not in self.known:
            self.known[path] = self._search(path)
        return self.known[path]

    def _search(self, path: str) -> str | None:
        if path in self.weighted:
            return path
        return self.of(parent_of(path)) if path else None


LOOK_UPS = ("aten.embedding", "aten.embedding_bag", "aten._embedding_bag")
"""They multiply nothing, and yet choose among weights."""


def weighted_layers(trace: Trace) -> tuple[WeightedLayer, ...]:
    """The layers that multiply by weights or look them up, in the order of their first call.

    A layer is weighted if operations of its own do such work, if a parameter of two dimensions or
    more is its own or that of a part of it which is no layer of this kind, and if nothing under
    it is weighted.  So a convolution with a parametrised weight is one, and so is attention
    that hands its weights to a function; normalisations and the blocks around layers are not.
    """
    order = _first_work(trace)
    found: dict[str, WeightedLayer] = {}
    around: set[str] = set()  # paths that have a weighted layer under them
    for position in range(len(trace.layers) - 1, -1, -1):  # children before their parents
        layer = trace.layers[position]
        path = layer.path
        if path not in order or path in around:
            continue
        owned = list(_parameters_from(trace.layers, position))
        if any(dimensions > 1 for _, dimensions in owned):
            names = tuple(name for name, _ in owned)
            found[path] = WeightedLayer(path, layer.type, names)
            while path:
                path = parent_of(path)
                around.add(path)
    return tuple(sorted(found.values(), key=lambda layer: order[layer.path]))


def is_weighted_work(call: Call) -> bool:
    """Whether a call multiplies, looks weights up, or is unknown and so may do either."""
    if call.operation.name in LOOK_UPS:
        return True
    costed = cost_of(call.operation)
    return costed.state is CostState.UNKNOWN or costed.cost.macs > 0


def _first_work(trace: Trace) -> dict[str, int]:
    """By path of a layer, its first call that may be done by weights."""
    first: dict[str, int] = {}
    known: dict[int, bool] = {}
    for call in trace.calls:
        key = id(call.operation)
        if key not in known:
            known[key] = is_weighted_work(call)
        if known[key]:
            first.setdefault(call.layer, call.index)
    return first


def _parameters_from(layers: Sequence[Layer], position: int) -> Iterator[tuple[str, int]]:
    """Full name and dimensions of each parameter of a layer and its parts, each tensor once.

    The parts of a layer follow it, before any other.
    """
    path = layers[position].path
    prefix = f"{path}." if path else ""
    known = set()
    for layer in islice(layers, position, None):
        if layer.path != path and not layer.path.startswith(prefix):
            return
        for parameter in layer.parameters:
            own = f"{layer.path}.{parameter.name}" if layer.path else parameter.name
            name = parameter.shared_with or own
            if name not in known:
                known.add(name)
                yield name, len(parameter.spec.shape)
