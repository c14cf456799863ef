"""Configuration files, and the objects that models want instead of them.

What is built is told by the annotation of the argument: a dataclass, an attrs class, a named tuple,
a model of pydantic, a configuration of transformers or OmegaConf, a dictionary; without one it is a
dictionary whose keys are attributes as well.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import typing
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from importlib import import_module
from pathlib import Path, PurePath
from types import SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from cnninspect.errors import FileUnreadable, MissingLibrary, UnknownSetting, first_line
from cnninspect.files import opened, parse_toml
from cnninspect.sources.literals import literal

SUFFIXES = (".yaml", ".yml", ".json", ".toml")
"""Files that hold configurations."""
MOST_BYTES = 8 * 2**20
"""Configurations are small; a larger file is something else."""

MOST_YAML = 2**20
"""Characters, of which its parser takes some 100,000 in a second."""
MOST_VALUES = 1_000_000


class Attributes(dict[str, Any]):
    """A dictionary whose keys are attributes as well, as in OmegaConf and its like."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no key {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    @classmethod
    def of(cls, data: Any) -> Any:
        """The same nested data with attributes."""
        if isinstance(data, Mapping):
            return cls({key: cls.of(value) for key, value in data.items()})
        return [cls.of(item) for item in data] if isinstance(data, list) else data


def read_configuration(typed: str) -> Any:
    """What a file of YAML, JSON or TOML says.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it says nothing that can be read.
        MissingLibrary: PyYAML is not installed.
    """
    path = Path(typed).expanduser()
    with opened(path) as (stream, size):
        if size > MOST_BYTES:
            raise FileUnreadable(path, "it is too large for a configuration")
        raw = stream.read(size)
    try:
        return _checked(_PARSERS[path.suffix.lower()](raw.decode("utf-8")))
    except MissingLibrary:
        raise
    except (ValueError, RecursionError) as problem:  # those of json and tomllib, too
        raise FileUnreadable(path, first_line(problem)) from problem
    except Exception as problem:  # yaml.YAMLError, which is known only where PyYAML is
        raise FileUnreadable(path, " ".join(str(problem).split())) from problem


def _checked(content: Any) -> Any:
    """The same content, whose aliases of YAML do not stand for more than a file could hold.

    Raises:
        ValueError: there are more values than `MOST_VALUES`.
    """
    pending, seen = [content], 0
    while pending:
        value = pending.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise ValueError(f"it stands for more than {MOST_VALUES:,} values")
        if isinstance(value, (Mapping, list)):
            pending += value.values() if isinstance(value, Mapping) else value
    return content


def _yaml(text: str) -> Any:
    try:
        yaml = import_module("yaml")
    except ImportError as problem:
        raise MissingLibrary("pyyaml", "yaml", "a configuration in YAML") from problem
    if len(text) > MOST_YAML:
        raise ValueError(f"it has more than the {MOST_YAML:,} characters of YAML that are read")
    return yaml.safe_load(text)


_PARSERS: dict[str, Callable[[str], Any]] = {
    ".yaml": _yaml, ".yml": _yaml, ".json": json.loads, ".toml": parse_toml,
}  # fmt: skip


def build_configuration(kind: Any, data: Any, where: str, *, default: Any = None) -> Any:
    """The object of that type with these fields; those that are not given are `default`'s.

    `where` is the argument, for errors.

    Raises:
        UnknownSetting: the type has no such field.
        TypeError, ValueError: a field without a default is missing, or a value does not fit.
    """
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        data = {**{f.name: getattr(default, f.name) for f in dataclasses.fields(default)}, **data}
    elif isinstance(default, Mapping):
        data = {**default, **data}
    return as_kind(kind, data, where)


def as_kind(kind: Any, value: Any, where: str) -> Any:
    """A plain value as one of that type, whose fields and items are converted as well.

    Raises:
        TypeError, ValueError: it does not fit.
        UnknownSetting: the type has no such field.
    """
    if kind is None or kind is Any or isinstance(kind, (str, typing.TypeVar)) or kind is object:
        return Attributes.of(value)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _as_one_of(choices_of(kind), value, where)
    if origin is Literal:
        return _as_choice(arguments, value)
    if origin is not None:
        return _as_collection(origin, arguments, value, where)
    if isinstance(kind, type):
        return _as_class(kind, value, where)
    return value


def choices_of(kind: Any) -> tuple[Any, ...]:
    """The types of a union, else the one type; None among them is `NoneType`."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(choice for part in get_args(kind) for choice in choices_of(part))
    return (type(None) if kind is None else kind,)


def _as_one_of(kinds: Sequence[Any], value: Any, where: str) -> Any:
    if type(value) in kinds:
        return value
    for kind in kinds:
        with suppress(TypeError, ValueError):
            return as_kind(kind, value, where)
    raise TypeError(f"{value!r} is none of {', '.join(map(_called, kinds))}")


def _as_choice(choices: Sequence[Any], value: Any) -> Any:
    for choice in choices:
        if value == choice or str(value).lower() == str(choice).lower():
            return choice
    raise ValueError(f"{value!r} is not one of {', '.join(map(str, choices))}")


def _as_collection(origin: Any, arguments: Sequence[Any], value: Any, where: str) -> Any:
    if not inspect.isclass(origin):
        return value
    if issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise TypeError(f"{value!r} is no dictionary")
        item = arguments[1] if len(arguments) == 2 else Any
        return {key: _item(item, part, where) for key, part in value.items()}
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{value!r} is no list")
    if issubclass(origin, tuple):
        kinds = tuple(arguments)
        if kinds[1:] == (Ellipsis,):
            kinds = kinds[:1] * len(value)
        if kinds and len(kinds) != len(value):
            raise TypeError(f"{value!r} has not {len(kinds)} items")
        return tuple(_item(kind, part, where) for kind, part in zip(kinds, value))
    parts = [_item(arguments[0] if arguments else Any, part, where) for part in value]
    if issubclass(origin, (set, frozenset)):
        return origin(parts)
    return parts if issubclass(origin, list) else type(value)(parts)


def _item(kind: Any, value: Any, where: str) -> Any:
    return value if kind is Any else as_kind(kind, value, where)


def _as_class(kind: type, value: Any, where: str) -> Any:
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if kind in (bool, int, float, str, type(None)):
        return _as_scalar(kind, value)
    if issubclass(kind, Enum):
        return _as_member(kind, value)
    if issubclass(kind, PurePath):
        return kind(value)
    if kind in (list, tuple, set, frozenset) and isinstance(value, (list, tuple)):
        return kind(value)
    if kind is dict or typing.is_typeddict(kind):
        return dict(value)
    if isinstance(value, Mapping):
        return _built(kind, value, where)
    raise TypeError(f"{value!r} is no {kind.__name__}")


def _as_scalar(kind: type, value: Any) -> Any:
    """A scalar of that type; YAML reads 1e-5 as text, and a whole number may be a float."""
    if kind is not str and isinstance(value, str):
        value = literal(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _as_member(kind: type[Enum], value: Any) -> Enum:
    for member in kind:
        if value == member.value or str(value).lower() == member.name.lower():
            return member
    raise ValueError(f"{value!r} is not one of {', '.join(member.name for member in kind)}")


def _built(kind: type, data: Mapping[str, Any], where: str) -> Any:
    """An object of a class whose fields are these."""
    made_by: Any = kind
    if kind.__module__.partition(".")[0] == "omegaconf":
        return import_module("omegaconf").OmegaConf.create(dict(data))
    if kind in (Namespace, SimpleNamespace):
        return made_by(
            **{k: _built(kind, v, where) if isinstance(v, Mapping) else v for k, v in data.items()}
        )
    for way in ("model_validate", "from_dict"):  # pydantic; transformers and many others
        if hasattr(kind, way):
            return getattr(kind, way)(dict(data))
    known = _fields(kind)
    for key in data:
        if known is not None and key not in known:
            raise UnknownSetting(where, key, sorted(known))
    hints = _hints(kind)
    return made_by(
        **{
            key: as_kind(hints[key], value, f"{where}.{key}") if key in hints else value
            for key, value in data.items()
        }
    )


def _fields(kind: type) -> set[str] | None:
    """The names that the constructor takes; None: any."""
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name for p in parameters if p.kind is not p.VAR_POSITIONAL}


def _hints(kind: type) -> dict[str, Any]:
    """The types of the fields, as far as their names can be resolved."""
    is_record = dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")
    is_record = is_record or hasattr(kind, "__attrs_attrs__")
    with suppress(Exception):  # names that only type checkers import
        return get_type_hints(kind if is_record else vars(kind)["__init__"])
    return {}


def _called(kind: Any) -> str:
    return getattr(kind, "__name__", None) or str(kind)
