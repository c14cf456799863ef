"""What a pickle says, as plain data: names instead of objects, calls that are not made.

Scalars, text, bytes, lists and tuples stand for themselves; a set becomes a list.  Nothing here is
ever hashed or compared, since a file can nest values more deeply than either survives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Global:
    """A function or class by name."""

    name: str
    """Module and attribute, joined by a dot."""


@dataclass(eq=False, slots=True)
class Pairs:
    """A dictionary: keys and values in the order they were written."""

    pairs: list[tuple[object, object]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Call:
    """An object that loading would make by calling `function`."""

    function: object
    arguments: tuple[object, ...]
    pairs: list[tuple[object, object]] = field(default_factory=list)
    """Items that would be set on it."""
    appended: list[object] = field(default_factory=list)
    """Items that would be appended to it."""
    state: object = None
    """What it would be given as its state."""

    @property
    def name(self) -> str:
        """Name of the function, or `""` where that is not a plain name."""
        return self.function.name if isinstance(self.function, Global) else ""


@dataclass(eq=False, slots=True)
class Persistent:
    """Something that lies outside the pickle: in a checkpoint, a storage."""

    identity: object


def items(pairs: list[tuple[object, object]]) -> Iterator[tuple[str, object]]:
    """Keys as text, and values; where a key is written twice the last value holds."""
    last: dict[tuple[type, str], object] = {}
    for key, value in pairs:
        last[type(key), key_text(key)] = value
    for (_, text), value in last.items():
        yield text, value


def key_text(key: object) -> str:
    """A key as part of a tensor's name."""
    if isinstance(key, str):
        return key
    if isinstance(key, bytes):
        return key.decode("latin-1")
    if isinstance(key, int) and key.bit_length() > 1000:
        return "<int>"  # Python refuses to write out more than some thousand digits
    if isinstance(key, (int, float, bool)) or key is None:
        return str(key)
    return f"<{type(key).__name__.lower()}>"
