"""What a row of the catalogue holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module

from cnninspect.records.models import Setting, SettingValue


@dataclass(frozen=True, slots=True)
class Variant:
    """A named member of a family."""

    name: str
    """What a user types."""
    arguments: Mapping[str, SettingValue]
    """What the builder is called with.  An argument that is also a setting may be overridden."""
    parameters: int
    """Its parameters with the default settings; tests compare it with the built network."""
    paper: str = ""
    """Where this variant is from, if not from the family's paper: table or page."""
    year: int | None = None
    """When it was published, if not in the family's year."""


@dataclass(frozen=True, slots=True)
class Family:
    """Architectures that one builder makes."""

    name: str
    """Module of the zoo that holds it, or a name within it."""
    title: str
    """As a user would call it."""
    paper: str
    """Authors, title, where to find it."""
    year: int
    """When it was published."""
    builder: str
    """`package.module:callable`, imported when a model is built."""
    settings: tuple[Setting, ...]
    """What `name@key=value` can change."""
    variants: tuple[Variant, ...]
    """Its named members."""
    input_shape: tuple[int | str, ...]
    """Shape of one input without the batch; a string stands for the setting of that name."""
    input_dtype: str = "float32"
    """Dtype of the input."""
    input_high: int | str | None = None
    """For integer inputs: values lie under this; a string stands for the setting of that name."""
    input_settings: tuple[str, ...] = ()
    """Settings that say only what goes in: the module is the same whatever they are."""
    input_name: str = "x"
    """The argument of `forward`."""
    extra: Mapping[str, SettingValue] = field(default_factory=dict)
    """Arguments that every variant shares and no setting changes."""
    derive: str = ""
    """`package.module:callable` that turns these values into the builder's arguments, where some
    follow from others: called with all of them by keyword, returns a dictionary."""

    def settings_of(self, variant: Variant) -> tuple[Setting, ...]:
        """The settings with the defaults that hold for this variant."""
        return tuple(
            replace(s, default=variant.arguments[s.name], type=s.type or s.type_name)
            if s.name in variant.arguments
            else s
            for s in self.settings
        )

    def arguments_of(
        self, variant: Variant, given: Mapping[str, SettingValue]
    ) -> dict[str, SettingValue]:
        """What the builder of this variant is called with when settings are `given`.

        `input_shape` and `input_high` name values among these.
        """
        defaults = {setting.name: setting.default for setting in self.settings}
        arguments = {**self.extra, **defaults, **variant.arguments, **given}
        if not self.derive:
            return arguments
        module, _, name = self.derive.partition(":")
        return dict(getattr(import_module(module), name)(**arguments))
