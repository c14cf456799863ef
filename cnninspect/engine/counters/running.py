"""Runs other counters on a model, one after the other, and says why one of them cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnninspect.engine import guarding
from cnninspect.engine.building import first_line
from cnninspect.engine.counters.quiet import silence
from cnninspect.engine.counters.subjects import Subjects
from cnninspect.engine.counters.tools import TOOLS, Answer, Tool
from cnninspect.errors import CnnInspectError
from cnninspect.records.audit import ToolRun
from cnninspect.records.reports import installed_version

MOST_REAL_MACS = 10**12
"""Multiply-accumulates up to which a model is run for real: some ten seconds."""


def run_tools(
    subjects: Subjects,
    wanted: Sequence[str],
    *,
    macs: int,
    import_library: Callable[[str], Any],
    limit: int | None = MOST_REAL_MACS,
) -> Iterator[ToolRun]:
    """What each of these counters says; `macs` are ours, to tell how long a real run would take.

    `import_library` imports a library that may be beside the wrong torch.
    """
    is_long = limit is not None and macs > limit
    for name in wanted:
        yield _run(TOOLS[name], subjects, import_library, is_long=is_long)


def _run(
    tool: Tool, subjects: Subjects, import_library: Callable[[str], Any], *, is_long: bool
) -> ToolRun:
    version = installed_version(tool.package)
    if version is None:
        return ToolRun(tool.name, "", "", None, f"not installed: pip install {tool.package}")
    problem = ""
    for device in tool.devices:
        if device == "cpu" and is_long:
            problem = "it would have to be run for real, which takes long; --counter asks for it"
            break
        try:
            answer = _ask(tool, subjects, device, import_library)
        except CnnInspectError as refused:
            problem = problem or str(refused)
        except Exception as failed:  # whatever somebody else's code raises
            problem = problem or first_line(failed)
        else:
            return ToolRun(
                tool.name, version, device, answer.total, "", answer.parts, answer.overlooked
            )
    return ToolRun(tool.name, version, "", None, problem)


def _ask(
    tool: Tool, subjects: Subjects, device: str, import_library: Callable[[str], Any]
) -> Answer:
    with silence(), guarding.unchanged_random_state():
        library = import_library(tool.library)
        return tool.ask(library, subjects.on(device))
