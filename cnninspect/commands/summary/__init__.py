"""A network layer by layer: shapes, parameters, MACs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union, overload

from cnninspect.sources.open import Model, trace, trace_step, weights_table, with_head

if TYPE_CHECKING:
    from os import PathLike

    from torch import nn

    from cnninspect.metrics.summary import Summary
    from cnninspect.records.checkpoint import Checkpoint
    from cnninspect.records.models import GraphFile, LoadedModel
    from cnninspect.records.traces import Trace


@overload
def summarize(
    model: Union[nn.Module, LoadedModel, GraphFile, Trace],
    inputs: Any = ...,
    *,
    kwargs: Mapping[str, Any] | None = ...,
    mode: str = ...,
    batch: int = ...,
    weights: str | PathLike[str] | None = ...,
    convention: str = ...,
    backward: bool = ...,
    device: str | None = ...,
    device_spec: str | None = ...,
    freeze: Sequence[str] = ...,
    unfreeze: Sequence[str] = ...,
    head: int | None = ...,
    receptive_fields: bool = ...,
) -> Summary: ...
@overload
def summarize(
    model: Union[str, PathLike[str]],
    inputs: Any = ...,
    *,
    kwargs: Mapping[str, Any] | None = ...,
    mode: str = ...,
    batch: int = ...,
    weights: str | PathLike[str] | None = ...,
    convention: str = ...,
    backward: bool = ...,
    device: str | None = ...,
    device_spec: str | None = ...,
    freeze: Sequence[str] = ...,
    unfreeze: Sequence[str] = ...,
    head: int | None = ...,
    receptive_fields: bool = ...,
) -> Union[Summary, Checkpoint]: ...
def summarize(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
    convention: str = "macs",
    backward: bool = False,
    device: str | None = None,
    device_spec: str | None = None,
    freeze: Sequence[str] = (),
    unfreeze: Sequence[str] = (),
    head: int | None = None,
    receptive_fields: bool = True,
) -> Union[Summary, Checkpoint]:
    """A model layer by layer: shapes, parameters, MACs, and the totals.

    Of a file of weights, which holds no network, it is the table of its tensors, a
    `cnninspect.records.checkpoint.Checkpoint`; torch is not imported for that.

    `convention` names the rules for `report.convention.total`; `report.totals.macs` always stays
    the exact MACs.  With `backward`, each layer has the MACs of the backward pass in training, and
    with `device_spec` (a100, h100, h200, rtx4090, this, cpu:GFLOPS:GBPS) the least time that it
    takes there; `a100:bfloat16` asks for another dtype than that of the trace.  `device` is where
    the tensors of the run seem to be, as for `trace`.  As in transfer learning,
    `head` gives a reference that many classes, and `freeze` are patterns of layers or parameters
    that are not trained, but for those of `unfreeze`.  Receptive fields and the figures of
    the whole, which take as long as all else, can be left out.  The other arguments are those of
    `trace`.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    given = (inputs, kwargs, weights, device, device_spec, head)
    is_plain = all(value is None for value in given) and not (freeze or unfreeze)
    if is_plain and (mode, batch, convention, backward) == ("eval", 1, "macs", False):
        table = weights_table(model)
        if table is not None:
            return table
    from cnninspect.metrics.summarizing import summarize_trace

    if head is not None:
        model = with_head(model, head)
    traced = trace(
        model, inputs, kwargs=kwargs, mode=mode, batch=batch, weights=weights, device=device
    )
    if freeze or unfreeze:
        from cnninspect.metrics.freezing import frozen

        traced = frozen(traced, freeze, unfreeze)
    report = summarize_trace(traced, convention)
    if receptive_fields:
        from cnninspect.metrics.figures import with_whole
        from cnninspect.metrics.receptive_field import with_receptive_fields

        report = with_whole(with_receptive_fields(report, traced), traced)
    if backward:
        from cnninspect.metrics.freezing import frozen_names
        from cnninspect.metrics.training_memory import memory_of, with_backward

        still = frozen_names(traced) if freeze or unfreeze else ()
        step = trace_step(model, inputs, kwargs=kwargs, batch=batch, frozen=still, device=device)
        report = with_backward(report, memory_of(step))
    if device_spec is not None:
        from cnninspect.metrics.roofline import with_roofline
        from cnninspect.store.this_machine import datasheet

        report = with_roofline(report, traced, device_spec, this=datasheet(device_spec))
    return report
