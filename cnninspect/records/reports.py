"""What every report can do: turn into plain data and back, and tell its JSON Schema."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Literal, Union

from cnninspect.records.operations import NamedTensor, TensorSpec


class Report:
    """Base of all reports.  A report holds raw numbers; `cnninspect.render` makes text of it."""

    __slots__ = ()

    schema: ClassVar[str] = ""
    """Name and version of its JSON form, as in `cnninspect.summary/1`."""
    _repr_html_: ClassVar[Callable[[Report], str]]
    """What notebooks ask for; the public package puts it here, where it is first used."""
    to_dataframe: ClassVar[Callable[[Report], Any]]
    """The rows as a pandas `DataFrame`; put here as well."""
    plot: ClassVar[Callable[[Report], Any]]
    """The picture as a matplotlib `Figure`; put here as well."""
    rendering: ClassVar[str] = ""
    """The module whose `RENDERER` writes it, imported when it is needed."""

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data: what `--format json` writes."""
        header = {
            "schema": self.schema,
            "cnninspect": installed_version("cnninspect"),
            "torch": installed_version("torch"),
        }
        return {**header, **plain(self)}


def plain(value: Any) -> Any:
    """A record as dictionaries, lists and scalars, field by field.

    A record with a method `as_plain` says itself what it is written as.
    """
    if hasattr(value, "as_plain"):
        return value.as_plain()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {written_as(f): plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    return value


def written_as(field: dataclasses.Field[Any]) -> str:
    """What a field is called in JSON: its name, or `written_as` of its metadata (`from`)."""
    name: str = field.metadata.get("written_as", field.name)
    return name


def installed_version(package: str) -> str | None:
    """The version of an installed package, without importing it; None where it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def rebuilt(kind: Any, data: Any) -> Any:
    """The record of that type, from its plain data; fields that are missing take their default.

    Raises:
        TypeError, KeyError, ValueError: the data are not those of such a record.
    """
    return _builder(kind)(data)


@cache
def _builder(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of that type of plain data."""
    if kind is NamedTensor:
        return _tensor
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast(type, kind))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and arguments[-1] is Ellipsis:
        item = _builder(arguments[0])
        return lambda data: tuple(item(value) for value in data)
    if origin in (Union, types.UnionType) and type(None) in arguments:
        (other,) = (argument for argument in arguments if argument is not type(None))
        given = _builder(other)
        return lambda data: None if data is None else given(data)
    if kind in (str, int, float, bool):
        return _scalar(kind)
    if kind is Any:
        return lambda data: data
    raise TypeError(f"plain data cannot be turned into {kind}")


def _record(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    builders = {field.name: _builder(hints[field.name]) for field in dataclasses.fields(kind)}

    def build(data: Any) -> Any:
        if not isinstance(data, dict):
            raise TypeError(f"{kind.__name__} is not made of {data!r}")
        return kind(**{name: b(data[name]) for name, b in builders.items() if name in data})

    return build


def _tensor(data: Any) -> NamedTensor:
    """A tensor, whose shape stands beside its name."""
    text, size = _scalar(str), _scalar(int)
    if not isinstance(data["shape"], list):
        raise TypeError(f"{data['shape']!r} is no shape")
    shape = tuple(size(value) for value in data["shape"])
    return NamedTensor(text(data["name"]), TensorSpec(shape, text(data["dtype"])))


def _scalar(kind: type) -> Callable[[Any], Any]:
    allowed = (int, float) if kind is float else kind

    def check(value: Any) -> Any:
        if not isinstance(value, allowed):
            raise TypeError(f"{value!r} is not of type {kind.__name__}")
        return value

    return check


DRAFT = "https://json-schema.org/draft/2020-12/schema"
SCALARS: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    str: {"type": "string"},
    type(None): {"type": "null"},
    # JSON has no word for what is not a number.
    float: {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]},
    Any: {},
    object: {},
}


def schema_of(report: type[Report]) -> dict[str, Any]:
    """The JSON Schema of what a type of report writes."""
    body = _record_schema(report)
    header = {
        "schema": {"const": report.schema},
        "cnninspect": {"type": ["string", "null"]},
        "torch": {"type": ["string", "null"]},
    }
    return {
        "$schema": DRAFT,
        "title": report.schema,
        "description": (report.__doc__ or "").strip().splitlines()[0],
        "type": "object",
        "properties": {**header, **body["properties"]},
        "required": [*header, *body["required"]],
    }


def _record_schema(record: type) -> dict[str, Any]:
    if record is NamedTensor:
        spec = _record_schema(TensorSpec)["properties"]
        properties = {"name": SCALARS[str], **spec}
    else:
        hints = typing.get_type_hints(record)
        properties = {written_as(f): _value(hints[f.name]) for f in dataclasses.fields(record)}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _value(hint: Any) -> dict[str, Any]:
    if (isinstance(hint, type) and hint in SCALARS) or hint is Any:
        return SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if dataclasses.is_dataclass(hint):
        return _record_schema(typing.cast(type, hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_value(argument) for argument in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _value(arguments[1])}
    if origin in (tuple, list, Sequence):
        return _sequence(arguments)
    for base in getattr(hint, "__orig_bases__", ()):  # a class of its own that is a sequence
        return _value(base)
    raise TypeError(f"there is no JSON Schema for {hint}")


def _sequence(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if len(arguments) == 1 or arguments[-1] is Ellipsis:
        return {"type": "array", "items": _value(arguments[0])}
    size = len(arguments)
    fixed = [_value(argument) for argument in arguments]
    return {"type": "array", "prefixItems": fixed, "minItems": size, "maxItems": size}
