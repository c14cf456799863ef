"""A picture of the dataflow of a network, with the numbers in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from cnninspect.sources.open import Model, trace

if TYPE_CHECKING:
    from os import PathLike

    from cnninspect.metrics.dataflow import Graph
    from cnninspect.metrics.dataflow_drafts import Drafts


def graph(
    model: Model,
    inputs: Any = None,
    *,
    layer: str = "",
    level: Union[int, str, None] = "auto",
    color_by: str = "macs",
    fold: bool = True,
    receptive_fields: bool = False,
    device_spec: str | None = None,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
) -> Graph:
    """The dataflow of a network, or of one of its modules: boxes are modules, arrows are tensors.

    `layer` is the path of the module whose inside is wanted.  Modules are shown whose paths have
    up to `level` names: None all, `auto` as deep as leaves a picture that can be read.  `color_by`
    says what the nodes' `share` is of: macs, parameters, memory (bytes that are written) or time,
    the least on a `device_spec` (a100, h100, h200, rtx4090, this, cpu:GFLOPS:GBPS).  With `fold`,
    equal blocks in a row are one node with its number of `times`.  The other arguments are those of
    `trace`.

    Raises:
        UnknownLayer: the model has no layer of that path.
        CnnInspectError: see `cnninspect.errors`.
    """
    drafts = _drafts(
        (model, inputs, kwargs, mode, batch, weights),
        (level, color_by, device_spec, fold),
        receptive_fields=receptive_fields,
    )
    return drafts.graph(layer)


def graphs(
    model: Model,
    inputs: Any = None,
    *,
    layer: str = "",
    level: Union[int, str, None] = "auto",
    color_by: str = "macs",
    fold: bool = True,
    receptive_fields: bool = False,
    device_spec: str | None = None,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
) -> tuple[Graph, ...]:
    """The graph that `graph` returns, and one for the inside of each box that has one, and so on.

    `level` is that of the first; the others are as deep as can be read.

    Raises:
        CnnInspectError: as `graph`.
    """
    drafts = _drafts(
        (model, inputs, kwargs, mode, batch, weights),
        (level, color_by, device_spec, fold),
        receptive_fields=receptive_fields,
    )
    return drafts.with_insides(layer)


def _drafts(run: tuple[Any, ...], looks: tuple[Any, ...], *, receptive_fields: bool) -> Drafts:
    from cnninspect.metrics.dataflow_drafts import Drafts, Looks
    from cnninspect.metrics.receptive_field import with_receptive_fields
    from cnninspect.metrics.summarizing import summarize_trace
    from cnninspect.store.this_machine import datasheet

    level, color_by, device_spec, folded = looks
    this = datasheet(device_spec) if device_spec else None
    chosen = Looks(level, color_by, device_spec, folded, this)
    model, inputs, kwargs, mode, batch, weights = run
    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch, weights=weights)
    summary = summarize_trace(traced, "macs")
    if receptive_fields:
        summary = with_receptive_fields(summary, traced)
    return Drafts(traced, summary, chosen)
