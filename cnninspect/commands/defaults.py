"""Defaults for options, from `[tool.cnninspect]` in pyproject.toml or from cnninspect.toml.

The nearest file counts, upwards from the working directory; in one folder cnninspect.toml goes
before pyproject.toml.  The command line alone reads them: functions of Python do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnninspect.commands import COMMANDS
from cnninspect.errors import BadConfiguration, UnknownKey
from cnninspect.files import parse_toml, read_text
from cnninspect.page.formats import FORMATS

OWN, SHARED = "cnninspect.toml", "pyproject.toml"
DEVICES = ("cpu", "cuda", "mps", "xpu", "auto")
"""Where things may run or seem to be; a command takes those that it knows."""


@dataclass(frozen=True, slots=True)
class Key:
    """Something that a file may set."""

    name: str
    """As in the file, and as the option without its dashes."""
    expected: str
    """What its value must be."""
    fits: Callable[[Any], bool]
    usual: str
    """What holds where no file says otherwise."""
    commands: tuple[str, ...] = ()
    """The commands for which it holds unless the table of one sets it; empty: all."""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


KEYS = {
    key.name: key
    for key in (
        Key("format", f"one of {', '.join(FORMATS)}", lambda v: v in tuple(FORMATS), "table"),
        Key(
            "level",
            'a whole number or "all"',
            lambda v: v == "all" or _is_count(v),
            "by command",
            ("summary", "memory"),
        ),
        Key(
            "columns",
            'a list of columns, as ["path", "macs"]',
            _is_names,
            "by command",
            ("summary",),
        ),
        Key("human", "true or false", lambda v: isinstance(v, bool), "false"),
        Key("device", f"one of {', '.join(DEVICES)}", lambda v: v in DEVICES, "cpu"),
        Key("jobs", "a whole number from 1", lambda v: _is_count(v) and v > 0, "auto"),
    )
}
"""All that a file may set."""


@dataclass(frozen=True, slots=True)
class Default:
    """A value that a file sets."""

    command: str
    """The command that it is for; empty: all that the key holds for."""
    key: str
    value: Any
    file: str
    """The path of the file."""


def read_defaults(folder: Path | None = None) -> tuple[Default, ...]:
    """What the nearest file sets, seen from a folder; empty where there is none.

    Raises:
        BadConfiguration: the file cannot be read, or a value cannot be used.
        UnknownKey: it has a key that means nothing.
    """
    start = (folder or Path.cwd()).absolute()
    for place in (start, *start.parents):
        for name in (OWN, SHARED):
            path = place / name
            if path.is_file() and (content := _content(path)) is not None:
                return tuple(_checked(path, content))
    return ()


def _content(path: Path) -> Mapping[str, Any] | None:
    """What a file says of this command; None: nothing."""
    text = read_text(path)
    if path.name == SHARED and "cnninspect" not in text:
        return None
    try:
        content = parse_toml(text)
    except ValueError as problem:
        raise BadConfiguration(str(path), str(problem), "it must be TOML") from problem
    if path.name == OWN:
        return content
    tools = content.get("tool")
    found = tools.get("cnninspect") if isinstance(tools, dict) else None
    if found is not None and not isinstance(found, dict):
        raise BadConfiguration(str(path), "tool.cnninspect is no table", "write [tool.cnninspect]")
    return found


def _checked(path: Path, content: Mapping[str, Any]) -> Iterator[Default]:
    root = "" if path.name == OWN else "tool.cnninspect"
    for name, value in content.items():
        if name in COMMANDS and isinstance(value, dict):
            table = f"{root}.{name}".lstrip(".")
            for key, own in value.items():
                yield _default(path, table, name, key, own)
        else:
            yield _default(path, root, "", name, value)


def _default(path: Path, table: str, command: str, key: str, value: Any) -> Default:
    place = f"{path} [{table}]" if table else str(path)
    if key not in KEYS:
        raise UnknownKey(place, key, KEYS)
    checks = "check" if command == "check" and key == "format" else ""
    if not KEYS[key].fits(value) and not (checks and value in _formats_of_check()):
        raise BadConfiguration(
            place, f"{key} = {value!r} is not possible", f"{key} must be {KEYS[key].expected}"
        )
    if key == "columns":
        _check_columns(place, command or "summary", value)
    return Default(command, key, value, str(path))


def _formats_of_check() -> tuple[str, ...]:
    from cnninspect.commands.check.command import FOR_SERVERS

    return FOR_SERVERS


def _check_columns(place: str, command: str, names: Iterable[str]) -> None:
    """See that a command has these columns, where it is one that a table of columns is known of."""
    from cnninspect.commands.completion import columns_of

    known = columns_of(command)
    for name in names:
        if name not in known:
            raise BadConfiguration(
                place, f"there is no column {name!r}", f"columns here: {', '.join(known)}"
            )


def defaults_of(command: str, params: Iterable[Any], found: Iterable[Default]) -> dict[str, Any]:
    """What takes the place of a command's own defaults, by parameter, as if it had been typed."""
    known = {param.name: param for param in params}
    values: dict[str, Any] = {}
    for default in sorted(found, key=lambda d: bool(d.command)):  # those of the command go last
        key = KEYS[default.key]
        holds = default.command == command or (
            not default.command and (not key.commands or command in key.commands)
        )
        if holds and default.key in known and _takes(command, default):
            value = default.value
            values[default.key] = ",".join(value) if isinstance(value, list) else value
    return values


def _takes(command: str, default: Default) -> bool:
    """Whether a command can have the value: not all know the same devices and levels."""
    if default.key == "level":
        return command == "summary" or bool(default.value != "all")
    if default.key == "device":
        unknown = "auto" if command in ("summary", "memory") else "xpu"
        return bool(default.value != unknown)
    return True
