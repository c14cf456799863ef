"""How deep a network is, in weighted layers."""

from __future__ import annotations

from collections.abc import Iterable

from cnninspect.records.layers import parent_of
from cnninspect.records.traces import Trace


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
