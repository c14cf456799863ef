"""What a result depends on beside the task: the versions of all that has a part in it."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from cnninspect.records.reports import installed_version

LIBRARIES = {"torchvision": ("torchvision",), "timm": ("timm", "torchvision")}
"""What a source's models are made of, beside torch."""


@cache
def versions(source: str) -> tuple[str, ...]:
    """Name and version of everything that has a part in what is measured of a source's models."""
    packages = ("torch", *LIBRARIES.get(source, ()))
    return (
        f"cnninspect {installed_version('cnninspect')} {_fingerprint()}",
        *(f"{package} {installed_version(package)}" for package in packages),
        *_formulas_of_others(),
    )


@cache
def _fingerprint() -> str:
    """A hash over the package's files: what is being worked on changes without its version."""
    folder = Path(__file__).parents[1]
    files = sorted(path for kind in ("*.py", "*.json") for path in folder.rglob(kind))
    facts = [(str(path.relative_to(folder)), path.stat()) for path in files]
    text = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in facts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _formulas_of_others() -> tuple[str, ...]:
    """The formulas that installed packages offer, with their versions."""
    offered = entry_points(group="cnninspect.costs")
    return tuple(sorted(f"{e.name} {e.value} {e.dist.version if e.dist else ''}" for e in offered))


def has_formulas_of_this_process() -> bool:
    """Whether a formula was registered by hand: nobody else would count with it."""
    if "cnninspect.costs" not in sys.modules:
        return False
    from cnninspect.costs import BUILT_IN, registered

    return not registered().keys() <= BUILT_IN
