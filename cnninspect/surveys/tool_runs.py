"""Runs other people's counters on a model, for an audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Union

from cnninspect.costs.conventions import CONVENTIONS
from cnninspect.costs.conventions.recurrence import network_of
from cnninspect.errors import CnnInspectError
from cnninspect.records.audit import ToolRun
from cnninspect.records.export_report import ExportSettings
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.traces import Trace

MOST_STEPS = 300
"""Steps of recurrent layers; on the meta device PyTorch takes each apart into ten operators."""
TAKEN_APART = (
    "it takes recurrent layers apart step by step, which takes long; --counter asks for it"
)
NO_MODULES = "it needs modules, and this is a graph"

Progress = Callable[[int, int, str], None]
"""Called with what is done, what there is to do, and what is being done."""


def tool_runs(
    model: Union[LoadedModel, GraphFile, Trace],
    traced: Trace,
    wanted: Sequence[str],
    *,
    inputs: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    batch: int = 1,
    is_asked_for: bool = False,
    progress: Progress | None = None,
) -> Iterator[ToolRun]:
    """What each of these counters says of a model that was traced with these inputs.

    What must be run for real is left out for a model of many multiply-accumulates, unless it
    `is_asked_for` by name.
    """
    if not isinstance(model, LoadedModel):
        yield from (ToolRun(name, "", "", None, NO_MODULES) for name in wanted)
        return
    from cnninspect.engine.counters.running import MOST_REAL_MACS, run_tools
    from cnninspect.engine.counters.subjects import Subjects
    from cnninspect.sources.torchvision_schemas import with_operators_defined

    macs = CONVENTIONS["macs"].total(traced)
    is_stepwise = steps_of(traced) > MOST_STEPS
    subjects = Subjects(model, traced, inputs, kwargs, batch=batch)
    for i, name in enumerate(wanted):
        if progress is not None:
            progress(i, len(wanted), name)
        if name == "flop_counter" and is_stepwise and not is_asked_for:
            yield ToolRun(name, "", "", None, TAKEN_APART)
            continue
        yield from run_tools(
            subjects,
            (name,),
            macs=macs,
            import_library=lambda library: with_operators_defined(lambda: import_module(library)),
            limit=None if is_asked_for else MOST_REAL_MACS,
            prefer="cpu" if is_stepwise else "meta",
        )


def exported_graph(
    model: Union[LoadedModel, GraphFile, Trace],
    *,
    inputs: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    batch: int = 1,
) -> Union[Trace, str]:
    """The trace of the ONNX graph that a model is exported to, or why there is none."""
    if not isinstance(model, LoadedModel):
        return NO_MODULES
    from cnninspect.engine.counters.quiet import silence
    from cnninspect.engine.onnx_export.making import make_file

    settings = ExportSettings(batch=batch, verify=False)
    try:
        with TemporaryDirectory() as folder, silence():
            file = Path(folder) / "audited.onnx"
            return make_file(model, file, settings, inputs=inputs, kwargs=kwargs).graph
    except CnnInspectError as problem:
        return str(problem)


def steps_of(trace: Trace) -> int:
    """Steps that the recurrent layers of a trace take, one after the other."""
    steps = 0
    for call in trace.calls:
        network = network_of(call.operation)
        if network is not None:
            shape = call.operation.inputs[0].shape
            at = 1 if call.operation.argument("batch_first") and len(shape) == 3 else 0
            steps += shape[at] * network.layers * network.directions
    return steps
