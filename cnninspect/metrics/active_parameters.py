"""Active parameters of a mixture of experts: what one token meets, of all that there is.

A router sends each token to some of several experts.  Experts are found beside the layer that
chose, or in the block that it belongs to: as one parameter with a slice for each, or as one layer
for each under one list.  Where a choice has no such experts (beams, pruned tokens), it changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from cnninspect.records.traces import Layer, Routing, Trace


def active_parameters(trace: Trace) -> int | None:
    """Parameters without those of the experts that a token is not sent to; None without experts.

    Source: Jiang et al. 2024 (Mixtral), arXiv:2401.04088, section 2.1: "active parameter count".
    """
    experts: dict[str, tuple[int, Routing]] = {}
    for routing in trace.routings:
        for name, numel in _experts_of(routing, trace.layers):
            known = experts.get(name)
            if known is None or routing.chosen > known[1].chosen:
                experts[name] = numel, routing
    if not experts:
        return None
    idle = sum(numel // r.experts * (r.experts - r.chosen) for numel, r in experts.values())
    return sum(numel for layer in trace.layers for _, numel in _owned(layer)) - idle


def _experts_of(routing: Routing, layers: tuple[Layer, ...]) -> list[tuple[str, int]]:
    """The parameters, with their elements, of what was chosen from: those nearest to the choice."""
    block = routing.layer
    while True:
        prefix = f"{block}." if block else ""
        inside = [each for each in layers if each.path == block or each.path.startswith(prefix)]
        found = [*_sliced(routing, inside), *_listed(routing, inside)]
        if found or not block:
            return found
        block = block.rpartition(".")[0]


def _sliced(routing: Routing, layers: list[Layer]) -> Iterator[tuple[str, int]]:
    """Parameters that hold a matrix for each expert, and the others of their layer with slices."""
    for layer in layers:
        stacks = [p for p in layer.parameters if p.spec.shape[:1] == (routing.experts,)]
        is_convolution = "Conv" in layer.type
        if any(len(p.spec.shape) > 2 for p in stacks) and not is_convolution:
            names = {p.name for p in stacks}
            yield from (pair for pair in _owned(layer) if pair[0].rpartition(".")[2] in names)


def _listed(routing: Routing, layers: list[Layer]) -> Iterator[tuple[str, int]]:
    """Parameters under a list that has one layer of a type for each expert.

    A list that the choice is made in is one of blocks, not of experts.
    """
    members: dict[str, list[str]] = {}
    for layer in layers:
        parent, _, name = layer.path.rpartition(".")
        if name.isdigit() and not routing.layer.startswith(f"{parent}."):
            members.setdefault(parent, []).append(layer.type)
    alike = {path for path, types in members.items() if len(set(types)) == 1}
    lists = [path for path in alike if len(members[path]) == routing.experts]
    named = [path for path in lists if "expert" in path] or lists
    for layer in layers:
        if any(layer.path.startswith(f"{path}.") for path in named):
            yield from _owned(layer)


def _owned(layer: Layer) -> Iterator[tuple[str, int]]:
    """Full names of a layer's own parameters, but for those that it shares, and their elements."""
    prefix = f"{layer.path}." if layer.path else ""
    for parameter in layer.parameters:
        if parameter.shared_with is None:
            yield prefix + parameter.name, parameter.spec.numel
