"""Residual blocks: layers that add to what they made what they were given, or its projection."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cnninspect.metrics.depth import is_weighted_work
from cnninspect.records.operations import Call
from cnninspect.records.traces import Trace

SUMS = ("aten.add", "aten.add_")


def residual_blocks(trace: Trace) -> frozenset[str]:
    """Paths of the layers that add two results of the shape that they give themselves."""
    return frozenset(call.layer for call in _sums(trace))


def branch_sides(trace: Trace, weighted: Collection[str]) -> dict[str, int]:
    """By path of a residual block, which of the two that it adds is the branch: 0 or 1.

    It is the one that more of the `weighted` layers of the block were needed for; blocks where
    that does not tell them apart are left out, and so are those that run several times.
    """
    runs = {layer.path: layer.calls for layer in trace.layers}
    sides: dict[str, int] = {}
    for sum_ in _sums(trace):
        if runs.get(sum_.layer) != 1 or len(sum_.inputs) != 2:
            continue
        one, other = (_depth_within(trace, origin, sum_.layer, weighted) for origin in sum_.inputs)
        if one != other:
            sides[sum_.layer] = 0 if one > other else 1
    return sides


def _sums(trace: Trace) -> Iterator[Call]:
    """The last such sum of each layer."""
    outputs = {layer.path: layer.outputs for layer in trace.layers}
    found: dict[str, Call] = {}
    for call in trace.calls:
        if call.operation.name not in SUMS or not call.layer or len(set(call.inputs)) < 2:
            continue
        shapes = [spec.shape for spec in call.operation.inputs]
        given = outputs.get(call.layer)
        if len(shapes) >= 2 and shapes[0] == shapes[1] and given and given[0].shape == shapes[0]:
            found[call.layer] = call
    yield from found.values()


def _depth_within(trace: Trace, origin: int, path: str, weighted: Collection[str]) -> int:
    """Weighted layers on the longest way from where a block begins to one of its calls."""
    depths: dict[int, int] = {}
    for call in trace.calls[: origin + 1]:
        if call.layer != path and not call.layer.startswith(f"{path}."):
            continue
        before = max((depths.get(i, 0) for i in call.inputs), default=0)
        depths[call.index] = before + (call.layer in weighted and is_weighted_work(call))
    return depths.get(origin, 0)
