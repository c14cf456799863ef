"""Traces whatever a source gives: a model is run, the graph in a file is followed.

Nothing is imported but what the one at hand needs: no torch for an ONNX file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from cnninspect.errors import BadOption
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.traces import Trace


def trace(
    loaded: LoadedModel | GraphFile,
    inputs: Sequence[Any] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    weights: Any = None,
    **options: Any,
) -> Trace:
    """What a model, or the graph in a file, does with these inputs.

    `options` are `mode` and `batch`.

    Raises:
        CnnInspectError: as `engine.tracing.trace` or `engine.onnx_graph.tracing.trace` raise.
        BadOption: weights are given for a graph, which has its own.
    """
    if isinstance(loaded, GraphFile):
        if weights is not None:
            raise BadOption("weights", weights, "for a model that is built; this file has its own")
        follow = import_module("cnninspect.engine.onnx_graph.tracing").trace
        traced: Trace = follow(loaded, inputs, kwargs=kwargs, **options)
        return traced
    run = import_module("cnninspect.engine.tracing").trace
    given = {} if weights is None else {"weights": weights}
    return run(loaded, inputs, kwargs=kwargs, **given, **options)
