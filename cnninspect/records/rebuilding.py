"""Records from the plain data that `reports.plain` makes of them."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Union

from cnninspect.records.tensors import NamedTensor, TensorSpec


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
        return lambda d: NamedTensor(d["name"], TensorSpec(tuple(d["shape"]), d["dtype"]))
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
    raise TypeError(f"plain data cannot be turned into {kind}")


def _record(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    builders = {field.name: _builder(hints[field.name]) for field in dataclasses.fields(kind)}

    def build(data: Any) -> Any:
        if not isinstance(data, dict):
            raise TypeError(f"{kind.__name__} is not made of {data!r}")
        return kind(**{name: b(data[name]) for name, b in builders.items() if name in data})

    return build


def _scalar(kind: type) -> Callable[[Any], Any]:
    allowed = (int, float) if kind is float else kind

    def check(value: Any) -> Any:
        if not isinstance(value, allowed):
            raise TypeError(f"{value!r} is not of type {kind.__name__}")
        return value

    return check
