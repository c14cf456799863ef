"""What can be named, for `cnninspect list` and for error messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

SettingValue = Union[None, bool, int, float, str, tuple[int, ...]]
"""What a setting may hold."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that `name@key=value` can change."""

    name: str
    """The key."""
    default: SettingValue
    """What holds without it; its type is the setting's type, unless `type` says otherwise."""
    meaning: str
    """One line."""
    choices: tuple[str, ...] = ()
    """The values allowed, where they are few."""
    type: str = ""
    """`int`, `float`, `bool`, `str`, `ints`; empty: the type of the default."""
    minimum: float | None = None
    """The smallest value allowed."""
    maximum: float | None = None
    """The largest value allowed."""

    @property
    def type_name(self) -> str:
        """The type as a user reads it."""
        if self.type:
            return self.type
        if isinstance(self.default, tuple):
            return "ints"
        return type(self.default).__name__


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be named."""

    name: str
    """What to type, without the scheme."""
    source: str
    """The source that has it."""
    family: str = ""
    """The family it belongs to."""
    parameters: int | None = None
    """Its parameters, where they are known without building it."""
    year: int | None = None
    """When it was published."""
    paper: str = ""
    """Authors, title and where to find it."""
    settings: tuple[Setting, ...] = ()
    """What `@key=value` can change."""
