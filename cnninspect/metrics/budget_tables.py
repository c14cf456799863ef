"""The values of a budget file, each with the place where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnninspect.errors import BadBudget, BadOption, BadQuantity, FileUnreadable
from cnninspect.files import parse_toml
from cnninspect.metrics.limits import Bound, Limit, check_consistency, limit_of, parse_share


def parse_tables(text: str, path: str) -> dict[str, Any]:
    """The tables in the text of a budget file; `path` is what messages call it.

    Raises:
        FileUnreadable: it is not TOML.
    """
    try:
        return parse_toml(text)
    except ValueError as problem:
        raise FileUnreadable(path, f"it is not TOML: {problem}") from problem


Table = Mapping[str, Any]


@dataclass(frozen=True)
class Values:
    """Reads the values of one file, or of what was typed as options."""

    path: str = ""
    """What messages call the file; empty: it was typed as options."""
    lines: Mapping[Place, int] = field(default_factory=dict)

    def place(self, keys: Place) -> str:
        """Where something stands: `budget.toml:3`, or `--max-macs`."""
        if not self.path:
            return f"--{keys[-1].replace('_', '-')}"
        line = self.line(keys)
        return f"{self.path}:{line}" if line else self.path

    def line(self, keys: Place) -> int | None:
        """The line of a key, or of the table that it stands in."""
        while keys:
            if keys in self.lines:
                return self.lines[keys]
            keys = keys[:-1]
        return None

    def wrong(self, keys: Place, value: object, wanted: str) -> BadBudget | BadOption:
        """The error for a value that cannot be used."""
        if not self.path:
            return BadOption(self.place(keys), value, wanted)
        return BadBudget(self.place(keys), f"{keys[-1]} = {value!r}", f"{keys[-1]} is {wanted}")

    def limits(self, table: Table, above: Place) -> tuple[Limit, ...]:
        """The limits of one table."""
        limits = tuple(
            limit_of(name, self.number(value, keys), option=self.option(keys), line=self.line(keys))
            for name, value in table.items()
            for keys in [(*above, name)]
        )
        check_consistency(limits, ".".join(above[1:]))
        return limits

    def share(self, value: Any, keys: Place) -> Bound:
        """A share: `2%`."""
        return parse_share(self.number(value, keys), option=self.option(keys))

    def share_of_all(self, table: Table, key: str, above: Place) -> Bound | None:
        """A share that is at most all; None where it is not given."""
        if table.get(key) is None:
            return None
        bound = self.share(table[key], (*above, key))
        if bound.value > 1:
            raise BadQuantity(self.option((*above, key)), bound.text, "it is at most 100%")
        return bound

    def number(self, value: Any, keys: Place) -> str:
        """A number as text, however it was written."""
        if isinstance(value, str):
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(keys, value, 'a number, or "22M", "95MiB", "60%"')
        return repr(value)

    def batch(self, table: Table, above: Place) -> int | None:
        """The size of a batch."""
        value = table.get("batch")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.wrong((*above, "batch"), value, "a whole number, 1 or more")
        return value

    def text(
        self, table: Table, key: str, above: Place, allowed: tuple[str, ...] = ()
    ) -> str | None:
        """A text; None where it is not given."""
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value or (allowed and value not in allowed):
            raise self.wrong((*above, key), value, " or ".join(allowed) or "text in quotes")
        return value

    def texts(self, table: Table, key: str, above: Place) -> tuple[str, ...]:
        """One text or a list of them."""
        value = table.get(key) or []
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, (list, tuple)) or not all(
            isinstance(item, str) and item for item in listed
        ):
            raise self.wrong((*above, key), value, "text in quotes, or a list of such")
        return tuple(listed)

    def option(self, keys: Place) -> str:
        """What messages about a value begin with."""
        return f"{self.place(keys)}: {keys[-1]} =" if self.path else self.place(keys)


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
        value: Any = parse_toml(f"{dotted} = 0")
    except ValueError:
        return (dotted,)
    names: list[str] = []
    while isinstance(value, dict):
        ((name, value),) = value.items()
        names.append(name)
    return tuple(names)
