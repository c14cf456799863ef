"""Tells the layers of a TorchScript program apart, whose modules run without saying so.

TorchScript runs a whole program by itself, so that no hook of a submodule is called.  A call
belongs to the layer whose weights it uses; the others stay with the program, and layers without
weights, of which nobody can say whether they ran, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnninspect.records.operations import Call
from cnninspect.records.traces import Layer, Trace, parent_of

NOTE = "TorchScript runs by itself: a call belongs to the layer whose weights it uses"


def by_weights(trace: Trace) -> Trace:
    """The same trace with each call that uses weights in the layer that owns them."""
    calls = tuple(
        replace(call, layer=parent_of(call.parameters[0])) if call.parameters else call
        for call in trace.calls
    )
    calls_of: dict[str, list[Call]] = {}
    for call in calls:
        calls_of.setdefault(call.layer, []).append(call)
    layers = [
        _with_calls(layer, calls_of[layer.path]) if layer.path and layer.path in calls_of else layer
        for layer in trace.layers
        if not layer.path or has_weights(layer.path, trace.layers)
    ]
    return replace(
        trace,
        calls=calls,
        layers=_ordered(layers, {path: own[0].index for path, own in calls_of.items()}),
        how=replace(trace.how, notes=(*trace.how.notes, NOTE)),
    )


def has_weights(path: str, layers: Sequence[Layer]) -> bool:
    """Whether the layer at `path`, or one under it, owns parameters or buffers."""
    return any(
        layer.path == path or layer.path.startswith(f"{path}.")
        for layer in layers
        if layer.parameters or layer.buffers
    )


def _with_calls(layer: Layer, own: Sequence[Call]) -> Layer:
    """The layer as run: as often as its first operation, with what went in there and came out."""
    first = own[0].operation
    weights = set(own[0].parameters)
    taken = first.inputs[: max(len(first.inputs) - len(weights), 1)]
    return replace(
        layer,
        calls=sum(call.operation.name == first.name for call in own),
        inputs=taken[:1],
        outputs=own[-1].operation.outputs[:1],
    )


def _ordered(layers: Sequence[Layer], first_call: dict[str, int]) -> tuple[Layer, ...]:
    """Parents before children, siblings in the order of the first call in or under them."""
    last = max(first_call.values(), default=0) + 1
    order = {layer.path: first_call.get(layer.path, last) for layer in layers}
    children: dict[str, list[Layer]] = {}
    for layer in reversed(layers):
        if layer.path:
            parent = parent_of(layer.path)
            order[parent] = min(order[parent], order[layer.path])
            children.setdefault(parent, []).insert(0, layer)
    result: list[Layer] = []
    pending = [layer for layer in layers if not layer.path]
    while pending:
        layer = pending.pop()
        result.append(layer)
        pending += sorted(children.get(layer.path, ()), key=lambda c: order[c.path])[::-1]
    return tuple(result)
