"""Settings: from the text after `@` to values of the right type."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.errors import BadSetting, UnknownSetting
from cnninspect.records.entries import Setting, SettingValue

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
    """A setting as a person reads it: `num_classes (int, 1000)`."""
    kind = "|".join(setting.choices) if setting.choices else setting.type_name
    default = setting.default
    shown = "x".join(map(str, default)) if isinstance(default, tuple) else str(default).lower()
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
