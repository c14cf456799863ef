"""The defaults in force, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cnninspect.commands.config.report import BUILT_IN, Configuration, Setting
from cnninspect.commands.defaults import KEYS, Default, read_defaults


def config(folder: Path | None = None) -> Configuration:
    """The defaults of the command line in a folder, the working directory unless given.

    Raises:
        BadConfiguration, UnknownKey: a file sets what cannot be.
    """
    return _configuration(read_defaults(folder))


def _configuration(found: Iterable[Default]) -> Configuration:
    """All keys, those that no file sets with what is built in; then those of single commands."""
    found = tuple(found)
    general = {default.key: default for default in found if not default.command}
    settings = [
        Setting(key.name, key.commands, general[name].value, key.usual, _place(general[name]))
        if name in general
        else Setting(key.name, key.commands, None, key.usual, BUILT_IN)
        for name, key in KEYS.items()
    ]
    settings += [
        Setting(default.key, (default.command,), default.value, KEYS[default.key].usual,
                _place(default))
        for default in found
        if default.command
    ]  # fmt: skip
    return Configuration(found[0].file if found else None, tuple(settings))


def _place(default: Default) -> str:
    return Path(default.file).name
