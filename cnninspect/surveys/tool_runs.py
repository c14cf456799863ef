"""Runs other people's counters on a model, for an audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Union

from cnninspect.costs.conventions import CONVENTIONS
from cnninspect.records.audit import ToolRun
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.traces import Trace

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
    subjects = Subjects(model, traced, inputs, kwargs, batch=batch)
    for i, name in enumerate(wanted):
        if progress is not None:
            progress(i, len(wanted), name)
        yield from run_tools(
            subjects,
            (name,),
            macs=macs,
            import_library=lambda library: with_operators_defined(lambda: import_module(library)),
            limit=None if is_asked_for else MOST_REAL_MACS,
        )
