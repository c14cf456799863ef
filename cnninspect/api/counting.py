"""What a network costs: as a whole, by layer, and by other counters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.api.loading import Model, as_arguments, load, trace, weights_table, with_head
from cnninspect.api.training import memory
from cnninspect.errors import UnknownChoice

if TYPE_CHECKING:
    from os import PathLike

    from cnninspect.records.audit import Audit
    from cnninspect.records.explanation import Explanation
    from cnninspect.records.summary import Summary


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
    freeze: Sequence[str] = (),
    unfreeze: Sequence[str] = (),
    head: int | None = None,
) -> Union[Summary, Any]:
    """A model layer by layer: shapes, parameters, MACs, and the totals.

    Of a file of weights, which holds no network, it is the table of its tensors, a
    `cnninspect.records.checkpoint.Checkpoint`; torch is not imported for that.

    `convention` names the rules for `report.convention.total`; `report.totals.macs` always stays
    the exact MACs.  With `backward`, each layer has the MACs of the backward pass in training, and
    with `device` (a100, h100, h200, rtx4090, cpu:GFLOPS:GBPS) the least time that it takes there;
    `a100:bfloat16` asks for another dtype than that of the trace.  As in transfer learning,
    `head` gives a reference that many classes, and `freeze` are patterns of layers or parameters
    that are not trained, but for those of `unfreeze`.  The other arguments are those of `trace`.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    runs = (inputs, kwargs, weights, device, head), (mode, batch, convention, backward)
    if runs == ((None,) * 5, ("eval", 1, "macs", False)) and not freeze and not unfreeze:
        table = weights_table(model)
        if table is not None:
            return table
    from cnninspect.analyses.freezing import frozen, frozen_names
    from cnninspect.analyses.summarizing import summarize_trace

    model = with_head(model, head)
    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch, weights=weights)
    traced = frozen(traced, freeze, unfreeze)
    report = summarize_trace(traced, convention)
    if backward:
        from cnninspect.analyses.memory_use import with_backward

        still = frozen_names(traced) if freeze or unfreeze else ()
        step = memory(model, inputs, kwargs=kwargs, batch=batch, freeze=still)
        report = with_backward(report, step)
    if device is not None:
        from cnninspect.analyses.roofline import with_roofline

        report = with_roofline(report, traced, device)
    return report


def explain(model: Model, layer: str, **options: Any) -> Explanation:
    """Where one layer's numbers come from: each formula with the numbers put into it.

    `options` are those of `trace`.

    Raises:
        UnknownLayer: the model has no layer of that path.
    """
    from cnninspect.analyses.explaining import explain_layer
    from cnninspect.analyses.summarizing import summarize_trace

    traced = trace(model, **options)
    return explain_layer(traced, summarize_trace(traced, "macs"), layer)


def audit(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    counters: Sequence[str] | None = None,
    run: bool = True,
    by_layer: bool = False,
    with_onnx: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Audit:
    """The MACs of a model beside the counts of other tools, rules and papers, and why they differ.

    `counters` names those to compare with; None: all.  Without `run`, no other tool is run, and
    only their rules are applied.  `by_layer` adds every layer's counts, `with_onnx` the count of an
    ONNX export.  `progress` is called with the tools done, those to do, and the one at work.

    Raises:
        UnknownChoice: there is no such counter.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses.auditing import audit_trace
    from cnninspect.analyses.auditing_counters import COUNTERS, TOOLS
    from cnninspect.records.traces import Trace
    from cnninspect.surveys.tool_runs import exported_graph, tool_runs

    for name in counters or ():
        if name not in COUNTERS:
            raise UnknownChoice("--counter", name, COUNTERS)
    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch)
    wanted = [name for name in TOOLS if run and (counters is None or name in counters)]
    given: dict[str, Any] = {"inputs": as_arguments(inputs), "kwargs": kwargs, "batch": batch}
    subject = model if isinstance(model, Trace) else load(model)
    is_asked_for = counters is not None
    runs = tool_runs(subject, traced, wanted, **given, is_asked_for=is_asked_for, progress=progress)
    with_onnx = with_onnx or "onnx" in (counters or ())
    graph = exported_graph(subject, **given) if with_onnx else None
    return audit_trace(traced, tuple(runs), wanted=counters, graph=graph, by_layer=by_layer)
