"""Which line of a TOML file says what, so that a message can point there."""

from __future__ import annotations

import re
import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Place = tuple[str, ...]
"""The tables from the top of the file down, and the key."""

_HEADER = re.compile(r"\s*\[(?!\[)(?P<name>.+)\]\s*(#.*)?$")
_KEY = re.compile(
    r"""\s*(?P<key>(?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*="""
)


def lines_of(text: str) -> dict[Place, int]:
    """The line of each table and each key that begins a line."""
    found: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _names(header["name"])
            found.setdefault(table, number)
        elif key:
            found.setdefault((*table, *_names(key["key"])), number)
    return found


def _names(dotted: str) -> Place:
    """The names in a dotted key: `models."a.b".layers` are three."""
    try:
        value: Any = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return (dotted,)
    names: list[str] = []
    while isinstance(value, dict):
        ((name, value),) = value.items()
        names.append(name)
    return tuple(names)
