"""Imports the libraries that models come from, which may be missing or beside the wrong torch."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from cnninspect.errors import CnnInspectError, LibraryBroken, MissingLibrary, first_line
from cnninspect.sources.torchvision_schemas import with_operators_defined

EXTRAS = {"torchvision": "vision", "timm": "vision", "transformers": "transformers"}
"""The extra of this package that installs each."""


def library(name: str, needed_for: str) -> Any:
    """The library of that name, or a module of it.

    Raises:
        MissingLibrary: it is not installed.
        LibraryBroken: its import fails.
    """
    package = name.partition(".")[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with_operators_defined(lambda: import_module(package))
            return import_module(name)
    except CnnInspectError:
        raise
    except Exception as problem:
        absent = problem.name if isinstance(problem, ModuleNotFoundError) else None
        if absent in EXTRAS:  # itself, or another one that it is built on
            raise MissingLibrary(absent, EXTRAS[absent], needed_for) from problem
        raise LibraryBroken(package, EXTRAS[package], first_line(problem)) from problem
