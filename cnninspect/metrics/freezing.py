"""Freezes parts of a network in its trace: what is then trained, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from cnninspect.errors import PatternMatchesNothing
from cnninspect.records.traces import Layer, Parameter, Trace


def frozen(trace: Trace, freeze: Sequence[str], unfreeze: Sequence[str] = ()) -> Trace:
    """The trace with parameters frozen, and then some of them trained after all.

    A pattern is matched, as in a shell, against the full names of parameters and against the
    paths of layers, which stand for everything under them.  A shared parameter is one, whichever
    of its names is matched.

    Raises:
        PatternMatchesNothing: a pattern names nothing.
    """
    named = _full_names(trace)
    states: dict[str, bool] = {}
    for patterns, is_trained in ((freeze, False), (unfreeze, True)):
        for pattern in patterns:
            found = {true for full, true in named.items() if _matches(full, pattern)}
            if not found:
                raise PatternMatchesNothing(pattern, trace.model.reference, _paths(named))
            states.update(dict.fromkeys(found, is_trained))
    return replace(trace, layers=tuple(_set(layer, states, named) for layer in trace.layers))


def frozen_names(trace: Trace) -> tuple[str, ...]:
    """The full names of the parameters that are not trained."""
    return tuple(
        _full(layer, parameter)
        for layer in trace.layers
        for parameter in layer.parameters
        if not parameter.trainable
    )


def _full_names(trace: Trace) -> dict[str, str]:
    """By full name of every parameter, the name under which its tensor was met first."""
    return {
        full: parameter.shared_with or full
        for layer in trace.layers
        for parameter in layer.parameters
        for full in [_full(layer, parameter)]
    }


def _full(layer: Layer, parameter: Parameter) -> str:
    return f"{layer.path}.{parameter.name}" if layer.path else parameter.name


def _set(layer: Layer, states: dict[str, bool], named: dict[str, str]) -> Layer:
    parameters = tuple(
        replace(p, trainable=states.get(named[_full(layer, p)], p.trainable))
        for p in layer.parameters
    )
    return layer if parameters == layer.parameters else replace(layer, parameters=parameters)


def _matches(full: str, pattern: str) -> bool:
    names = full.split(".")
    return any(fnmatchcase(".".join(names[: i + 1]), pattern) for i in range(len(names)))


def _paths(named: dict[str, str]) -> list[str]:
    paths = dict.fromkeys(
        ".".join(full.split(".")[: i + 1]) for full in named for i in range(full.count(".") + 1)
    )
    return list(paths)
