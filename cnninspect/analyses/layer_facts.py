"""What networks are compared by, and a hash of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from cnninspect.records.difference import LayerFacts, ParameterShape
from cnninspect.records.reports import plain
from cnninspect.records.summary import Summary
from cnninspect.records.traces import Trace


def facts_of(trace: Trace, summary: Summary) -> tuple[LayerFacts, ...]:
    """Every layer by itself, parents before children; `summary` is that of the same trace."""
    own = {layer.path: layer.own for layer in summary.layers}
    return tuple(
        LayerFacts(
            path=layer.path,
            type=layer.type,
            output_shapes=tuple(spec.shape for spec in layer.outputs),
            tensors=tuple(ParameterShape(p.name, p.spec.shape) for p in layer.parameters),
            parameters=own[layer.path].parameters,
            macs=own[layer.path].macs,
        )
        for layer in trace.layers
    )


def structural_hash(layers: Iterable[LayerFacts]) -> str:
    """A hash that is the same for networks that are alike, layer by layer, on any machine."""
    lines = "\n".join(json.dumps(plain(layer), separators=(",", ":")) for layer in layers)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
