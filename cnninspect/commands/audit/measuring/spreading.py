"""Other people's counters on a Dask cluster, each by itself."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Union

from cnninspect.commands.audit.measuring import Progress, exported_graph, tool_runs
from cnninspect.commands.audit.report import ToolRun
from cnninspect.metrics.figures import Unmeasured
from cnninspect.records.models import InputRequest
from cnninspect.records.reports import plain, rebuilt
from cnninspect.records.traces import Trace
from cnninspect.sources.open import load, trace
from cnninspect.store.cluster import Cluster, measure_on_cluster
from cnninspect.store.tasks import PartTask
from cnninspect.store.written_traces import read, written

TOOL, GRAPH = f"{__name__}:tool_answer", f"{__name__}:graph_answer"
ONNX = "onnx"
"""What the count of an export is called among the counters."""


def answers_there(
    reference: Any,
    wanted: Sequence[str],
    cluster: Cluster,
    *,
    inputs: Sequence[InputRequest] | None,
    batch: int,
    mode: str,
    asked: bool,
    progress: Progress | None,
) -> tuple[tuple[ToolRun, ...], Union[Trace, str, None]]:
    """What each counter says, and the graph of the export if that is among them.

    A tool that brings its workers down is one that gave no number.
    """
    shared = {"inputs": None if inputs is None else plain(tuple(inputs)), "batch": batch}
    tasks = [
        PartTask(reference, GRAPH, shared)
        if name == ONNX
        else PartTask(reference, TOOL, {**shared, "mode": mode, "name": name, "asked": asked})
        for name in wanted
    ]
    runs: dict[str, ToolRun] = {}
    graph: Union[Trace, str, None] = None
    with closing(measure_on_cluster(tasks, cluster)) as arriving:
        for done, (position, outcome) in enumerate(arriving, start=1):
            name = wanted[position]
            if progress is not None:
                progress(done, len(tasks), name)
            failed = outcome.error if isinstance(outcome, Unmeasured) else ""
            if name == ONNX:
                graph = failed or _graph(outcome.content)
            else:
                none = ToolRun(name, "", "", None, failed)
                runs[name] = none if failed else rebuilt(ToolRun, outcome.content)
    return tuple(runs[name] for name in wanted if name != ONNX), graph


def tool_answer(
    reference: str, *, name: str, inputs: Any, batch: int, mode: str, asked: bool
) -> Any:
    """What one counter says, as plain data: what a worker runs."""
    requests = _requests(inputs)
    traced = trace(reference, requests, mode=mode, batch=batch)
    (run,) = tool_runs(
        load(reference), traced, (name,), inputs=requests, batch=batch, is_asked_for=asked
    )
    return plain(run)


def graph_answer(reference: str, *, inputs: Any, batch: int) -> Any:
    """The graph of an export, as data in letters, or why there is none: what a worker runs."""
    graph = exported_graph(load(reference), inputs=_requests(inputs), batch=batch)
    if isinstance(graph, str):
        return {"problem": graph}
    return {"trace": b64encode(written(graph)).decode("ascii")}


def _requests(inputs: Any) -> tuple[InputRequest, ...] | None:
    return None if inputs is None else tuple(rebuilt(InputRequest, each) for each in inputs)


def _graph(content: Any) -> Union[Trace, str]:
    if "problem" in content:
        return str(content["problem"])
    graph = read(b64decode(content["trace"]))
    assert isinstance(graph, Trace)
    return graph
