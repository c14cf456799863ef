"""What was measured of this machine: its rates of computing and of moving bytes, remembered.

`cnninspect time --calibrate` measures it, and `--device-spec this` reads it, which needs no torch.
"""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from pathlib import Path

from cnninspect.errors import CnnInspectError, FileUnwritable
from cnninspect.files import read_text, write_whole
from cnninspect.metrics.roofline import THIS, Datasheet, sheet_of
from cnninspect.records.machine import Calibration
from cnninspect.records.reports import plain, rebuilt
from cnninspect.store.cache import cache_folder

FILE = "machine-1.json"
"""The number is that of its layout."""


def processor_name() -> str:
    """The processor's name as the system gives it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine() or "unknown processor"


def load_average() -> float | None:
    """Processes that wanted to run in the last minute, on average; None where none says."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):  # Windows does not tell
        return None


def processor_frequency() -> tuple[float, float] | None:
    """The first core's frequency now and at most, in GHz; None where the system does not say."""
    folder = Path("/sys/devices/system/cpu/cpu0/cpufreq")
    try:
        now, most = (
            int((folder / name).read_text()) / 1e6
            for name in ("scaling_cur_freq", "cpuinfo_max_freq")
        )
    except (OSError, ValueError):
        return None
    return now, most


def recalled(device: str = "cpu", threads: int | None = None) -> Calibration | None:
    """What is remembered of a device of this machine; None: it has not been measured.

    Of the CPU with that many threads; None: as it was measured last.
    """
    here = processor_name()
    found = [
        each
        for each in calibrations()
        if each.device == device
        and (device != "cpu" or each.processor == here)
        and (device != "cpu" or threads in (None, each.threads))
    ]
    return found[-1] if found else None


def remember(calibration: Calibration) -> str:
    """Keep it in the cache folder; returns why it cannot be kept, empty where it is."""

    def key(each: Calibration) -> tuple[str, str, int]:
        return each.device, each.processor, each.threads

    kept = [each for each in calibrations() if key(each) != key(calibration)]
    text = json.dumps(plain([*kept, calibration]), indent=1)
    try:
        path = place()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text + "\n", force=True)
    except (OSError, RuntimeError, FileUnwritable) as problem:
        return f"what was measured of this machine is not remembered: {problem}"
    return ""


def datasheet(device_spec: str) -> Datasheet | None:
    """What was measured of the device of this machine that is named; None: none is, or nothing was.

    >>> datasheet("a100:bfloat16") is None
    True
    """
    name = device_spec.partition(":")[0]
    if name not in THIS:
        return None
    found = recalled(name.partition("-")[2] or "cpu")
    return sheet_of(found) if found else None


def place() -> Path:
    """The file of it.

    Raises:
        RuntimeError: there is no home folder to look in.
    """
    return cache_folder() / FILE


def forget() -> None:
    """Forget what was measured.

    Raises:
        FileUnwritable: the file cannot be removed.
    """
    with suppress(RuntimeError):
        path = place()
        try:
            path.unlink(missing_ok=True)
        except OSError as problem:
            raise FileUnwritable(path, problem.strerror or str(problem)) from problem


def calibrations() -> tuple[Calibration, ...]:
    """All that is remembered; what is damaged counts as nothing, since it can be measured again."""
    try:
        content = json.loads(read_text(place()))
        return tuple(rebuilt(Calibration, each) for each in content)
    except (CnnInspectError, RuntimeError, ValueError, TypeError, KeyError, AttributeError):
        return ()
