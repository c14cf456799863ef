"""The built-in zoo as a source: a name of the catalogue, with settings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from cnninspect.records.entries import ModelEntry, SettingValue
from cnninspect.records.models import InputRequest, LoadedModel, ModelInfo, Reference
from cnninspect.zoo import catalogue
from cnninspect.zoo.families import Family
from cnninspect.zoo.settings import parse_settings


def load(reference: Reference) -> LoadedModel:
    """The architecture of that name.

    Raises:
        UnknownModel: the catalogue has no such name.
        UnknownSetting, BadSetting: its family has no such setting, or not that value.
    """
    return load_with(reference, {})


def load_with(reference: Reference, more: Mapping[str, SettingValue]) -> LoadedModel:
    """The same with arguments of its builder that are no settings, such as `depths`.

    Raises:
        UnknownModel, UnknownSetting, BadSetting: see `load`.
    """
    arguments: dict[str, Any] = {**arguments_of(reference), **more}
    family, _ = catalogue.find(reference.name)

    def build() -> Any:
        module, _, name = family.builder.partition(":")
        return getattr(import_module(module), name)(**arguments)

    return LoadedModel(
        ModelInfo(reference.text, "zoo", reference.text.removeprefix("zoo:")),
        build,
        inputs=(_input(family, arguments),),
    )


def arguments_of(reference: Reference) -> dict[str, SettingValue]:
    """What the builder of a reference is called with.

    Raises:
        UnknownModel, UnknownSetting, BadSetting: see `load`.
    """
    family, variant = catalogue.find(reference.name)
    settings = family.settings_of(variant)
    typed = parse_settings(reference.name, reference.settings, settings)
    return family.arguments_of(variant, typed)


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
