"""From the text of a setting to the value that the argument wants."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import PurePath
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

from cnninspect.errors import BadSetting, did_you_mean, first_line
from cnninspect.sources.config_objects import (
    SUFFIXES,
    as_kind,
    build_configuration,
    choices_of,
    read_configuration,
)
from cnninspect.sources.literals import literal

EXPECTED = {bool: "true or false", int: "a whole number", float: "a number"}
"""What a value must be, by the annotation of its argument."""
LIBRARIES = ("torch", "torchvision", "timm")
"""Libraries whose classes and functions may be named in full, as in `torch.nn.LayerNorm`."""

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PATHS = re.compile(r"path|file|fname|folder|dir\b|ya?ml|json|toml", re.I)
"""Names of arguments that want the name of a file rather than what it says."""


@dataclass(frozen=True, slots=True)
class Place:
    """The argument that a setting is for."""

    model: str
    key: str
    argument: inspect.Parameter | None
    """None: it is passed on to whoever takes it."""
    annotation: Any
    """Its type, the text of it, or None."""
    names: Mapping[str, Any] = field(default_factory=dict)
    """What names mean in the code that makes the model."""

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types that it may have; none where nothing says."""
        if self.annotation is None or self.annotation is inspect.Parameter.empty:
            default = self.default
            return (bool,) if isinstance(default, bool) else ()
        return choices_of(self.annotation)

    @property
    def default(self) -> Any:
        """Its default; `Parameter.empty` where it must be given."""
        return inspect.Parameter.empty if self.argument is None else self.argument.default

    def refuse(self, text: str, expected: str) -> BadSetting:
        """The error for a text that is not possible here."""
        return BadSetting(self.model, self.key, text, expected)


def value_of(place: Place, text: str) -> Any:
    """The value that a text means for an argument.

    Raises:
        BadSetting: it is not of the argument's type, or names nothing that there is.
        FileMissing, FileUnreadable: it names a configuration that cannot be read.
    """
    kinds = place.kinds
    if configuration_in(place, text):
        return _object(place, read_configuration(text), text)
    value = literal(text)
    if value is None and _may_be_none(place, text):
        return None
    named = _named(place, text)
    if named is not None:
        return named[0]
    if _is_text(place, value):
        return text
    if isinstance(value, dict) and place.argument is not None:
        return _object(place, value, text)
    return _as_kinds(place, kinds, value, text)


def nested(place: Place, whole: str | None, parts: Sequence[tuple[str, str]]) -> Any:
    """An argument with fields of its own: what a file or a dictionary says, and these in it.

    Raises:
        BadSetting, UnknownSetting: a field is not possible, or there is none of that name.
        FileMissing, FileUnreadable: the configuration cannot be read.
    """
    data: Any = {}
    if whole is not None and configuration_in(place, whole):
        data = read_configuration(whole)
    elif whole is not None:
        data = literal(whole)
        if not isinstance(data, dict):
            raise place.refuse(whole, "a configuration, since fields of it are set as well")
    for fields, text in parts:
        *before, last = fields.split(".")
        holder = data
        for name in before:
            holder = holder.setdefault(name, {})
            if not isinstance(holder, dict):
                raise BadSetting(place.model, f"{place.key}.{fields}", text, f"no field of {name}")
        holder[last] = literal(text)
    default = place.default if whole is None else None
    first, text = parts[0]
    key = f"{place.key}.{first}" if len(parts) == 1 else place.key
    return _object(place, data, text, default=default, key=key)


def _object(
    place: Place, data: Any, text: str, *, default: Any = None, key: str | None = None
) -> Any:
    kind = _kind_of_object(place)
    try:
        return build_configuration(kind, data, place.key, default=default)
    except (TypeError, ValueError) as problem:
        called = getattr(kind, "__name__", "configuration")
        expected = f"what a {called} is made of: {first_line(problem)}"
        raise BadSetting(place.model, key or place.key, text, expected) from problem


def configuration_in(place: Place, text: str) -> bool:
    """Whether a text names a file of a configuration, and the argument wants its content."""
    if PurePath(text).suffix.lower() not in SUFFIXES:
        return False
    wants_text = any(kind is str or _is_path(kind) for kind in place.kinds)
    return not (wants_text or isinstance(place.default, str) or _PATHS.search(place.key))


def _is_path(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, PurePath)


def _kind_of_object(place: Place) -> Any:
    """The type to build from a configuration: the first that is no plain value; None: unknown."""
    plain = (type(None), str, int, float, bool)
    found = (kind for kind in place.kinds if kind not in plain and not _is_path(kind))
    kind = next(found, None)
    if kind is None and place.default not in (None, inspect.Parameter.empty):
        default_kind = type(place.default)
        return None if default_kind in plain else default_kind
    return kind


def _may_be_none(place: Place, text: str) -> bool:
    """Whether `none` is no text here."""
    kinds = place.kinds
    if type(None) in kinds or Any in kinds or place.default is None:
        return True
    if isinstance(place.default, str) and place.default.lower() == text.lower():
        return False  # as in `norm="none"`
    return not kinds


def _is_text(place: Place, value: Any) -> bool:
    """Whether the argument wants what was typed as it is."""
    kinds = [kind for kind in place.kinds if kind is not type(None)]
    if kinds == [str] or place.annotation == "str":
        return True
    if str in kinds:
        return type(value) not in kinds
    return not kinds and isinstance(place.default, str) and not isinstance(value, (dict, list))


def _as_kinds(place: Place, kinds: Sequence[Any], value: Any, text: str) -> Any:
    """The value in the first of the types that it fits.

    Raises:
        BadSetting: it fits none of them.
    """
    wanted = [kind for kind in kinds if kind is not type(None)]
    for kind in wanted:
        if get_origin(kind) is Literal:
            found = [choice for choice in get_args(kind) if str(choice).lower() == text.lower()]
            if found:
                return found[0]
    if any(type(value) is kind for kind in wanted if isinstance(kind, type)):
        return value
    for kind in wanted:
        with suppress(TypeError, ValueError):
            return as_kind(kind, value, place.key)
    for kind in wanted:
        if kind in EXPECTED and len(wanted) == 1:
            raise place.refuse(text, EXPECTED[kind])
        if get_origin(kind) is Literal and len(wanted) == 1:
            raise place.refuse(text, f"one of {', '.join(map(str, get_args(kind)))}")
    return value


def _named(place: Place, text: str) -> tuple[Any] | None:
    """The class, function or dtype that a text names; None where it is a plain value.

    A full name begins with a library, or with a name that the code knows; a name alone is looked
    for where the argument is for classes or functions.

    Raises:
        BadSetting: a library has nothing of that name.
    """
    wanted = [kind for kind in place.kinds if kind is not type(None)]
    if wanted == [str] or (not wanted and isinstance(place.default, str)):
        return None
    if _DOTTED.fullmatch(text):
        return _found_in_full(place, text)
    if not _NAME.fullmatch(text) or not _wants_callable(place):
        return None
    homes = [place.names, *(vars(import_module(name)) for name in ("torch.nn", "torch"))]
    for names in homes:
        if _is_named(names.get(text)):
            return (names[text],)
    return None


def _found_in_full(place: Place, text: str) -> tuple[Any] | None:
    first, *rest = text.split(".")
    holder: Any = place.names.get(first)
    if first in LIBRARIES:
        try:
            holder = import_module(first)
        except Exception:  # not installed, or broken: then it is no name of it
            return None
    if not isinstance(holder, (ModuleType, type)):
        return None
    path = first
    for name in rest:
        path = f"{path}.{name}"
        before, holder = holder, getattr(holder, name, None)
        if holder is None and first in LIBRARIES:
            holder = _submodule(path)
        if holder is None:
            if first not in LIBRARIES:
                return None
            near = did_you_mean(name, [n for n in dir(before) if not n.startswith("_")])
            raise place.refuse(text, f"a name that {first} has{'; ' * bool(near)}{near}")
    return (holder,) if _is_named(holder) else None


def _submodule(path: str) -> Any:
    try:
        return import_module(path)
    except ImportError:
        return None


def _is_named(value: Any) -> bool:
    """Whether a value is what settings may name: a class, a function, or a dtype."""
    return callable(value) or type(value).__name__ in ("dtype", "device", "layout")


def _wants_callable(place: Place) -> bool:
    """Whether an argument is for classes or functions."""
    if inspect.isclass(place.default) or inspect.isroutine(place.default):
        return True
    if "Callable" in str(place.annotation) or "dtype" in str(place.annotation):
        return True
    return any(kind is type or get_origin(kind) is type for kind in place.kinds)
