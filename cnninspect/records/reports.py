"""What every report can do: turn into plain data, and show itself in a notebook."""

from __future__ import annotations

import dataclasses
from enum import Enum
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar


class Report:
    """Base of all reports.  A report holds raw numbers; `cnninspect.render` makes text of it."""

    __slots__ = ()

    schema: ClassVar[str] = ""
    """Name and version of its JSON form, as in `cnninspect.summary/1`."""

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data: what `--format json` writes."""
        header = {
            "schema": self.schema,
            "cnninspect": installed_version("cnninspect"),
            "torch": installed_version("torch"),
        }
        return {**header, **plain(self)}

    def _repr_html_(self) -> str:
        # By name: records lie below the renderers and must not import them.
        render = import_module("cnninspect.render").render
        return str(render(self, format="html"))


def plain(value: Any) -> Any:
    """A record as dictionaries, lists and scalars, field by field.

    A record with a method `as_plain` says itself what it is written as.
    """
    if hasattr(value, "as_plain"):
        return value.as_plain()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    return value


def installed_version(package: str) -> str | None:
    """The version of an installed package, without importing it; None where it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
