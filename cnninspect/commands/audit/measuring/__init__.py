"""Runs other people's counters on a model, for an audit."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Union

from cnninspect.commands.audit.measuring.subjects import Subjects
from cnninspect.commands.audit.measuring.tools import TOOLS, Answer, Tool
from cnninspect.commands.audit.report import ToolRun
from cnninspect.costs.conventions import CONVENTIONS
from cnninspect.costs.conventions.recurrence import network_of
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, set_apart
from cnninspect.errors import CnnInspectError, first_line
from cnninspect.records.exports import ExportSettings
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.reports import installed_version
from cnninspect.records.traces import Trace
from cnninspect.sources.open import surroundings_of

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
    from cnninspect.commands.audit.measuring.subjects import Subjects
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
    from cnninspect.engine.onnx_write.making import making

    settings = ExportSettings(batch=batch, verify=False)
    try:
        with TemporaryDirectory() as folder, silence():
            file = Path(folder) / "audited.onnx"
            with making(model, file, settings, inputs=inputs, kwargs=kwargs, explained=False) as (
                made,
                _,
            ):
                return made.graph
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


TAKES_LONG = "it would have to be run for real, which takes long; --counter asks for it"
MOST_REAL_MACS = 10**12
"""Multiply-accumulates up to which a model is run for real: some ten seconds."""


def run_tools(
    subjects: Subjects,
    wanted: Sequence[str],
    *,
    macs: int,
    import_library: Callable[[str], Any],
    limit: int | None = MOST_REAL_MACS,
    prefer: str = "meta",
) -> Iterator[ToolRun]:
    """What each of these counters says; `macs` are ours, to tell how long a real run would take.

    `import_library` imports a library that may be beside the wrong torch; `prefer` is the device
    for counters that can run on either.
    """
    is_long = limit is not None and macs > limit
    for name in wanted:
        devices = sorted(TOOLS[name].devices, key=lambda device: device != prefer)
        if is_long:
            devices = [device for device in devices if device != "cpu"]
        yield _run(TOOLS[name], devices, subjects, import_library)


def _run(
    tool: Tool,
    devices: Sequence[str],
    subjects: Subjects,
    import_library: Callable[[str], Any],
) -> ToolRun:
    version = installed_version(tool.package)
    if version is None:
        return ToolRun(tool.name, "", "", None, f"not installed: {_how_to_install(tool)}")
    if _is_another(tool, version, import_library):
        problem = f"another package was installed over it: {_how_to_install(tool)}"
        return ToolRun(tool.name, version, "", None, problem)
    problem = "" if devices else TAKES_LONG
    for device in devices:
        answer, failure = _try(tool, subjects, device, import_library)
        problem = problem or failure
        if answer is not None:
            return ToolRun(
                tool.name,
                version,
                device,
                answer.total,
                parts=answer.parts,
                overlooked=answer.overlooked,
                look_alikes=answer.look_alikes,
            )
    return ToolRun(tool.name, version, "", None, problem)


SAME_IMPORT = {"thop": "ultralytics-thop"}
"""Another package that is imported by the same name, and counts otherwise."""


def _how_to_install(tool: Tool) -> str:
    how, rival = f"pip install {tool.package}", _rival(tool)
    return f"{how} where there is no {rival}, which is imported by the same name" if rival else how


def _rival(tool: Tool) -> str:
    """The other package of the same import name with its version, if it is installed."""
    other = SAME_IMPORT.get(tool.package)
    version = installed_version(other) if other else None
    return f"{other} {version}" if version else ""


def _is_another(tool: Tool, version: str, import_library: Callable[[str], Any]) -> bool:
    """Whether what is imported belongs to the other package of that import name.

    The one that was installed last has overwritten the other, and says its own version.
    """
    if not _rival(tool):
        return False
    with silence():
        imported = getattr(import_library(tool.library), "__version__", "")
    return not version.startswith(imported or version)


def _try(
    tool: Tool, subjects: Subjects, device: str, import_library: Callable[[str], Any]
) -> tuple[Answer | None, str]:
    """What a counter says, or why it says nothing."""
    try:
        return _ask(tool, subjects, device, import_library), ""
    except CnnInspectError as refused:
        return None, str(refused)
    except Exception as failed:  # whatever somebody else's code raises
        return None, first_line(failed)


def _ask(
    tool: Tool, subjects: Subjects, device: str, import_library: Callable[[str], Any]
) -> Answer:
    with surroundings_of(subjects.loaded), RUNS, Ledger() as ledger, ledger, silence():
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        library = import_library(tool.library)
        return tool.ask(library, subjects.on(ledger, device))


@contextmanager
def silence() -> Iterator[StringIO]:
    """Catch what is printed, and drop warnings and log messages."""
    said = StringIO()
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(said), redirect_stderr(said):
            warnings.simplefilter("ignore")
            yield said
    finally:
        logging.disable(level)
