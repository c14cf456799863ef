"""What can be named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnninspect.commands.list.report import Listing


def models(pattern: str = "*", *, source: str | None = None, family: str | None = None) -> Listing:
    """What can be named, without importing torch.

    `pattern` is matched against names as a shell does, and otherwise as a part of them.

    Raises:
        UnknownChoice: there is no such source or family.
    """
    from cnninspect.commands.list.analysis import list_models

    return list_models(pattern, source=source, family=family)
