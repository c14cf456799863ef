"""The JSON Schema of a report, derived from its dataclass.

Every field is required; more may be added in a later version, so readers should allow for that.
Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, Union

from cnninspect.records.reports import Report
from cnninspect.records.tensors import NamedTensor, TensorSpec

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
    body = _record(report)
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


def _record(record: type) -> dict[str, Any]:
    if record is NamedTensor:
        spec = _record(TensorSpec)["properties"]
        properties = {"name": SCALARS[str], **spec}
    else:
        hints = typing.get_type_hints(record)
        properties = {f.name: _value(hints[f.name]) for f in dataclasses.fields(record)}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _value(hint: Any) -> dict[str, Any]:
    if (isinstance(hint, type) and hint in SCALARS) or hint is Any:
        return SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if dataclasses.is_dataclass(hint):
        return _record(typing.cast(type, hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_value(argument) for argument in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _value(arguments[1])}
    if origin in (tuple, list):
        return _sequence(arguments)
    raise TypeError(f"there is no JSON Schema for {hint}")


def _sequence(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if len(arguments) == 1 or arguments[-1] is Ellipsis:
        return {"type": "array", "items": _value(arguments[0])}
    size = len(arguments)
    fixed = [_value(argument) for argument in arguments]
    return {"type": "array", "prefixItems": fixed, "minItems": size, "maxItems": size}
