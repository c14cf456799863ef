"""How much memory this machine has and has free, and how much a run would take."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cnninspect.records.operations import Call
from cnninspect.records.traces import Trace

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

SPARE = 2
"""How often the predicted bytes must be free: onnxruntime's arena grows in powers of two, and
convolutions and matrix products keep copies of their own."""
CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Limit and use of a container, in both versions of Linux's control groups."""


def memory_limit() -> int | None:
    """Bytes that this process may use: what the machine, its container and its shell allow.

    None where nothing says it, as on Windows.
    """
    limits = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file, _ in CGROUPS:
        with suppress(OSError, ValueError):  # it is not there, or says "max"
            limits.append(int(Path(file).read_text()))
    if resource is not None:
        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            limits.append(soft)
    return min(limits, default=None)


def peak_bytes(trace: Trace) -> int:
    """The most bytes of results that are needed at the same time, weights aside.

    Each result is kept from its call to the last one that takes it; views are counted as copies.
    """
    last: dict[int, int] = {}
    for call in trace.calls:
        last.update(dict.fromkeys((i for i in call.inputs if i >= 0), call.index))
    ending: dict[int, list[int]] = {}
    for index, at in last.items():
        ending.setdefault(at, []).append(index)
    sizes = {call.index: _made(call) for call in trace.calls}
    held = peak = 0
    for call in trace.calls:
        held += sizes[call.index]
        peak = max(peak, held)
        held -= sum(sizes.get(index, 0) for index in ending.get(call.index, ()))
        if call.index not in last:  # nobody takes it, or it is a result of the network
            held -= sizes[call.index]
    return peak


def _made(call: Call) -> int:
    return sum(spec.nbytes for spec in call.operation.outputs)


def free_bytes() -> int | None:
    """What this process may still take; None where the system does not say."""
    found = [value for value in (_free_memory(), *_free_in_containers()) if value is not None]
    return min(found, default=None)


def _free_memory() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        if not hasattr(os, "sysconf") or "SC_AVPHYS_PAGES" not in os.sysconf_names:
            return None
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _free_in_containers() -> list[int | None]:
    found: list[int | None] = []
    for limit, used in CGROUPS:
        try:
            numbers = [int(Path(path).read_text()) for path in (limit, used)]
        except (OSError, ValueError):  # `max`: no limit
            continue
        found.append(max(numbers[0] - numbers[1], 0))
    return found


def fits(needed: int) -> bool:
    """Whether so much may be taken; true where the system does not say what it has."""
    free = free_bytes()
    return free is None or SPARE * needed <= free
