"""What the numbers were measured on: hardware and versions, and nothing that names the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "torch", "torchvision", "timm", "transformers", "fvcore", "torchinfo", "ptflops", "thop",
)  # fmt: skip


def describe() -> str:
    """One line of Markdown."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {installed(name)}" for name in PACKAGES)
    return (
        f"Measured on {cores} cores ({processor()}), {platform.system()}, "
        f"Python {platform.python_version()}, {versions}."
    )


def facts() -> dict[str, object]:
    """The same for programs."""
    return {
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "processor": processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: installed(name) for name in PACKAGES},
    }


def processor() -> str:
    """The processor's name as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def installed(package: str) -> str:
    """The installed version."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(missing)"
