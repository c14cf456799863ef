"""Patterns for layers, as in a shell: `layer4.*`, `*.conv1`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from cnninspect.errors import PatternMatchesNothing
from cnninspect.records.layers import Layer, parent_of
from cnninspect.records.traces import Trace


def matching(trace: Trace, pattern: str) -> tuple[Layer, ...]:
    """The layers whose path the pattern fits; `*` goes across dots.

    Raises:
        PatternMatchesNothing: there is none.
    """
    found = tuple(
        layer for layer in trace.layers if layer.path and fnmatchcase(layer.path, pattern)
    )
    if not found:
        paths = [layer.path for layer in trace.layers if layer.path]
        raise PatternMatchesNothing(pattern, trace.model.reference, paths)
    return found


def topmost(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Those of the layers that are not under another one of them."""
    paths = {layer.path for layer in layers}
    return tuple(layer for layer in layers if not _is_under(layer.path, paths))


def layers_under(trace: Trace, tops: Iterable[Layer]) -> tuple[Layer, ...]:
    """These layers and all under them, each once."""
    paths = {layer.path for layer in tops}
    return tuple(
        layer for layer in trace.layers if layer.path in paths or _is_under(layer.path, paths)
    )


def _is_under(path: str, paths: set[str]) -> bool:
    while path:
        path = parent_of(path)
        if path and path in paths:
            return True
    return False
