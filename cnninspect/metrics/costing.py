"""The cost of every call of a trace: each distinct operation is costed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cnninspect.costs import cost_of
from cnninspect.metrics.summary import Coverage, Uncounted
from cnninspect.records.costs import Costed, CostState
from cnninspect.records.operations import Call
from cnninspect.records.traces import Trace


def costed_calls(trace: Trace) -> Iterator[tuple[Call, Costed]]:
    """Each call with its cost, in order."""
    known: dict[int, Costed] = {}
    for call in trace.calls:
        key = id(call.operation)
        if key not in known:
            known[key] = cost_of(call.operation)
        yield call, known[key]


def coverage_of(costed: Iterable[tuple[Call, Costed]]) -> Coverage:
    """How many calls are counted, free and unknown."""
    calls = dict.fromkeys(CostState, 0)
    for _, cost in costed:
        calls[cost.state] += 1
    return Coverage(
        calls=sum(calls.values()),
        counted=calls[CostState.COUNTED],
        free=calls[CostState.FREE],
        unknown=calls[CostState.UNKNOWN],
    )


def uncounted_in(costed: Iterable[tuple[Call, Costed]]) -> tuple[Uncounted, ...]:
    """The operations that nothing is known of, with where they ran."""
    found: dict[tuple[str, bool], list[str]] = {}
    reasons: dict[tuple[str, bool], str] = {}
    for call, cost in costed:
        if cost.state is CostState.UNKNOWN:
            key = call.operation.name, cost.lacks_shape
            found.setdefault(key, []).append(call.layer)
            reasons.setdefault(key, cost.reason)
    return tuple(
        Uncounted(key[0], len(layers), tuple(dict.fromkeys(layers)), key[1], reasons[key])
        for key, layers in found.items()
    )
