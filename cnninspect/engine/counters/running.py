"""Runs other counters on a model, one after the other, and says why one of them cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnninspect.engine import guarding
from cnninspect.engine.counters.quiet import silence
from cnninspect.engine.counters.subjects import Subjects
from cnninspect.engine.counters.tools import TOOLS, Answer, Tool
from cnninspect.errors import CnnInspectError, first_line
from cnninspect.records.audit import ToolRun
from cnninspect.records.reports import installed_version

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
        return ToolRun(tool.name, "", "", None, f"not installed: pip install {tool.package}")
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
    with silence(), guarding.unchanged_random_state():
        library = import_library(tool.library)
        return tool.ask(library, subjects.on(device))
