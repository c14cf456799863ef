"""The same count by other tools, rules and papers, and why they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.sources.open import Model, as_arguments, load, trace

if TYPE_CHECKING:
    from cnninspect.commands.audit.report import Audit, ToolRun
    from cnninspect.store.cluster import Cluster


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
    cluster: str | None = None,
) -> Audit:
    """The MACs of a model beside the counts of other tools, rules and papers, and why they differ.

    `counters` names those to compare with; None: all.  Without `run`, no other tool is run, and
    only their rules are applied.  `by_layer` adds every layer's counts, `with_onnx` the count of an
    ONNX export.  `progress` is called with the tools done, those to do, and the one at work.
    With a Dask `cluster`, each tool counts a reference there.

    Raises:
        UnknownChoice: there is no such counter.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.commands.audit.analysis import COUNTERS, TOOLS, audit_trace
    from cnninspect.commands.audit.measuring import exported_graph, tool_runs
    from cnninspect.records.traces import Trace

    for name in counters or ():
        if name not in COUNTERS:
            raise UnknownChoice("--counter", name, COUNTERS)
    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch)
    wanted = [name for name in TOOLS if run and (counters is None or name in counters)]
    given: dict[str, Any] = {"inputs": as_arguments(inputs), "kwargs": kwargs, "batch": batch}
    subject = model if isinstance(model, Trace) else load(model)
    is_asked_for = counters is not None
    with_onnx = with_onnx or "onnx" in (counters or ())
    runs: Sequence[ToolRun]
    if away := cluster_for(cluster, model, given["inputs"], kwargs):
        from cnninspect.commands.audit.measuring.spreading import answers_there

        what = {"inputs": given["inputs"], "batch": batch, "mode": mode, "asked": is_asked_for}
        names = [*wanted, *(["onnx"] if with_onnx else [])]
        runs, graph = answers_there(model, names, away, progress=progress, **what)
    else:
        runs = tuple(
            tool_runs(
                subject, traced, wanted, **given, is_asked_for=is_asked_for, progress=progress
            )
        )
        graph = exported_graph(subject, **given) if with_onnx else None
    return audit_trace(traced, runs, wanted=counters, graph=graph, by_layer=by_layer)


def cluster_for(
    typed: str | None, model: Model, inputs: Sequence[Any] | None, kwargs: Any
) -> Cluster | None:
    """The cluster that other tools are run on; None: here.

    Raises:
        BadOption: one was named for a model or for values that nobody else can be told.
    """
    from cnninspect.store.cache import has_formulas_of_this_process
    from cnninspect.store.cluster import cluster_of, travels

    cluster = cluster_of(typed)
    given = (*(inputs or ()), *(kwargs or {}).values())
    if cluster is None or (travels((model,), given) and not has_formulas_of_this_process()):
        return cluster
    if cluster.is_named:
        raise BadOption("--cluster", cluster.address, "used for references and shapes alone")
    return None
