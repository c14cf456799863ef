"""Networks of the zoo by name, with the settings that were typed: `resnet34@num_classes=10`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

from cnninspect.errors import BadSetting, UnknownModel, UnknownSetting
from cnninspect.records.models import (
    InputRequest,
    LoadedModel,
    ModelEntry,
    ModelInfo,
    Reference,
    Setting,
    SettingValue,
)
from cnninspect.records.operations import typed_shape
from cnninspect.sources.known_names import suggestion
from cnninspect.zoo import catalogue
from cnninspect.zoo.families import Family

NOTHING_MORE: Mapping[str, SettingValue] = MappingProxyType({})


def load(reference: Reference, more: Mapping[str, SettingValue] = NOTHING_MORE) -> LoadedModel:
    """The architecture of that name.

    `more` are arguments of its builder that are no settings, such as `depths`.

    Raises:
        UnknownModel: the catalogue has no such name.
        UnknownSetting, BadSetting: its family has no such setting, or not that value.
    """
    family, arguments = family_and_arguments(reference)
    arguments.update(more)

    def build() -> Any:
        module, _, name = family.builder.partition(":")
        return getattr(import_module(module), name)(**arguments)

    return LoadedModel(
        ModelInfo(reference.text, "zoo", reference.text.removeprefix("zoo:")),
        build,
        inputs=(_input(family, arguments),),
    )


def family_and_arguments(reference: Reference) -> tuple[Family, dict[str, SettingValue]]:
    """The family of a reference, and what its builder is called with.

    Raises:
        UnknownModel: there is none; the hint looks among the names of libraries as well.
        UnknownSetting, BadSetting: see `load`.
    """
    name = reference.name
    try:
        family, variant = catalogue.find(name)
    except UnknownModel:
        hint = suggestion(name, catalogue.names())
        raise UnknownModel(name, (), "the zoo", hint=hint) from None
    typed = parse_settings(name, reference.settings, family.settings_of(variant))
    return family, family.arguments_of(variant, typed)


def arguments_of(reference: Reference) -> dict[str, SettingValue]:
    """What the builder of a reference is called with.

    Raises:
        UnknownModel, UnknownSetting, BadSetting: see `load`.
    """
    return family_and_arguments(reference)[1]


def entries() -> tuple[ModelEntry, ...]:
    """Every name of the catalogue."""
    return catalogue.entries()


def _input(family: Family, values: dict[str, SettingValue]) -> InputRequest:
    def number(size: int | str) -> int:
        value = values[size] if isinstance(size, str) else size
        if not isinstance(value, int):
            raise TypeError(f"{family.name}: {size} is not a whole number")
        return value

    return InputRequest(
        (1, *(number(size) for size in family.input_shape)),
        family.input_dtype if family.input_dtype != "float32" else None,
        name=family.input_name,
        high=None if family.input_high is None else number(family.input_high),
    )


TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def parse_settings(
    model: str, typed: Sequence[tuple[str, str]], settings: Sequence[Setting]
) -> dict[str, SettingValue]:
    """Values by key for what was typed after the `@` of `model`.

    Raises:
        UnknownSetting: there is no setting of that key; lists those that there are.
        BadSetting: the value is not of the setting's type, range or choices.
    """
    by_name = {setting.name: setting for setting in settings}
    values: dict[str, SettingValue] = {}
    for key, text in typed:
        if key not in by_name:
            raise UnknownSetting(model, key, [describe(setting) for setting in settings])
        values[key] = _parse(model, by_name[key], text)
    return values


def describe(setting: Setting) -> str:
    """A setting as a user reads it: `num_classes (int, 1000)`."""
    kind = "|".join(setting.choices) if setting.choices else setting.type_name
    default = setting.default
    shown = typed_shape(default) if isinstance(default, tuple) else str(default).lower()
    return f"{setting.name} ({kind}, {shown})"


def _parse(model: str, setting: Setting, text: str) -> SettingValue:
    if setting.choices:
        if text not in setting.choices:
            raise BadSetting(model, setting.name, text, f"one of {', '.join(setting.choices)}")
        return text
    kind = setting.type_name
    value: SettingValue
    try:
        if kind == "int":
            value = int(text)
        elif kind == "float":
            value = float(text)
        elif kind == "bool":
            value = _truth(text)
        elif kind == "ints":
            value = tuple(int(part) for part in text.split("x"))
        else:
            value = text
    except ValueError:
        raise BadSetting(model, setting.name, text, EXPECTED[kind]) from None
    _check_range(model, setting, text, value)
    return value


EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "ints": "whole numbers joined by x, as in 3x4x6x3",
}


def _truth(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(text)


def _check_range(model: str, setting: Setting, text: str, value: SettingValue) -> None:
    if setting.minimum is None and setting.maximum is None:
        return
    numbers = value if isinstance(value, tuple) else (value,)
    low = setting.minimum if setting.minimum is not None else float("-inf")
    high = setting.maximum if setting.maximum is not None else float("inf")
    for number in numbers:
        if not (isinstance(number, (int, float)) and low <= number <= high):
            bounds = [f"at least {low:g}"] * (setting.minimum is not None)
            bounds += [f"at most {high:g}"] * (setting.maximum is not None)
            raise BadSetting(model, setting.name, text, " and ".join(bounds))
