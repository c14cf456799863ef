"""The answer of `cnninspect config`: the defaults in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cnninspect.records.reports import Report

BUILT_IN = "built in"


@dataclass(frozen=True, slots=True)
class Setting:
    """A default, and where it comes from."""

    key: str
    """The option without its dashes."""
    commands: tuple[str, ...]
    """Commands for which it holds; empty: all that have the option."""
    value: Any
    """As in the file; None: every command has its own."""
    usual: str
    """What holds without a file, in words."""
    place: str
    """The name of the file, or `built in`."""


@dataclass(frozen=True, slots=True)
class Configuration(Report):
    """The defaults of the command line."""

    schema: ClassVar[str] = "cnninspect.config/1"
    rendering: ClassVar[str] = "cnninspect.commands.config.rendering"

    file: str | None
    """The path of the file that sets something; None: no file does."""
    settings: tuple[Setting, ...]
