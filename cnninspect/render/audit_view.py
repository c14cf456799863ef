"""What a person may choose for an audit."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.errors import BadOption
from cnninspect.render.renderers import View


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView(View):
    """What to show of an audit's layers, and how.

    Raises:
        BadOption: the level or the number of rows is of no use.
    """

    level: int | None = None
    """Names in the paths down to which layers are shown, those below added; None: all."""
    top: int | None = None
    """Only so many layers, those that differ most."""

    def __post_init__(self) -> None:
        if self.level is not None and self.level < 0:
            raise BadOption("--level", self.level, "0 or more")
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")
