"""What is remembered, where, and how to forget it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnninspect.commands.cache.report import Remembered


def cache(*, clear: bool = False) -> Remembered:
    """What is remembered of named architectures: traces and figures, their place and size.

    With `clear`, all of it is forgotten, and the answer is what there was.

    Raises:
        FileUnreadable, FileUnwritable: the file of what is remembered cannot be read or emptied.
    """
    from cnninspect.commands.cache.report import remembered
    from cnninspect.store.cache import MOST_BYTES, Memory

    memory = Memory()
    if clear:
        return remembered(memory.clear(), MOST_BYTES, memory.notes, cleared=True)
    return remembered(memory.contents(), MOST_BYTES, memory.notes)
