"""What the difference between a convention's count and ours is made of, taken from the trace.

A convention says what every layer counts.  Here it is asked about each call by itself as well:
where those add up to the layer, the difference is known call by call, else layer by layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from cnninspect.analyses.auditing_words import Item, in_words, kind_of
from cnninspect.costs.conventions import Convention
from cnninspect.costs.conventions.kinds import bias_elements, macs
from cnninspect.records.audit import Reason
from cnninspect.records.layers import Layer, parent_of
from cnninspect.records.operations import Call
from cnninspect.records.traces import Trace


def reasons_of(
    convention: Convention, trace: Trace, counts: Mapping[str, int]
) -> tuple[Reason, ...]:
    """Why the convention's count is not ours, the largest part first.

    `counts` are the convention's by layer.  The amounts add up to the whole difference.
    """
    found: dict[tuple[str, str, bool], tuple[int, int]] = {}
    for item in _items(convention, trace, counts):
        if item.more:
            key = in_words(item)
            amount, calls = found.get(key, (0, 0))
            found[key] = amount + item.more, calls + item.calls
    return largest_first(
        Reason(what, text, amount, calls, is_gap)
        for (what, text, is_gap), (amount, calls) in found.items()
    )


def largest_first(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons by the size of their part."""
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.amount)))


def _items(convention: Convention, trace: Trace, counts: Mapping[str, int]) -> Iterator[Item]:
    calls_of: dict[str, list[Call]] = {layer.path: [] for layer in trace.layers}
    for call in trace.calls:
        calls_of[call.layer].append(call)
    child_of = {parent_of(layer.path): layer for layer in trace.layers if layer.path}
    for layer in trace.layers:
        calls = calls_of[layer.path]
        near = (layer, child_of[layer.path]) if layer.path in child_of else (layer,)
        alone = [_alone(convention, trace, near, call) for call in calls]
        ours = [macs(call.operation) for call in calls]
        if sum(alone) == counts[layer.path]:
            for call, mine, theirs in zip(calls, ours, alone):
                what = kind_of(call.operation, layer)
                operation, bias = call.operation, bias_elements(call)
                yield Item(what, 1, mine, theirs, layer, operation, bias)
        else:
            working = [call for call, mine in zip(calls, ours) if mine]
            only = working[0] if len(working) == 1 else calls[0] if len(calls) == 1 else None
            bias = sum(bias_elements(call) for call in calls)
            yield Item(
                layer.type,
                layer.calls,
                sum(ours),
                counts[layer.path],
                layer,
                only.operation if only else None,
                bias,
            )


def _alone(convention: Convention, trace: Trace, near: tuple[Layer, ...], call: Call) -> int:
    """What the convention counts for a layer that makes only this call."""
    return convention.count(replace(trace, layers=near, calls=(call,)))[near[0].path]
