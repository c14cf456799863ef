"""What is remembered, where, and how to forget it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnninspect.commands.cache.report import Remembered


def cache(*, clear: bool = False) -> Remembered:
    """What is remembered: traces and figures of named architectures, their place and size, and what
    was measured of this machine.

    With `clear`, all of it is forgotten, and the answer is what there was.

    Raises:
        FileUnreadable, FileUnwritable: the file of what is remembered cannot be read or emptied.
    """
    from cnninspect.commands.cache.report import remembered
    from cnninspect.store import this_machine
    from cnninspect.store.cache import MOST_BYTES, Memory

    memory = Memory()
    machines = this_machine.calibrations()
    if not clear:
        return remembered(memory.contents(), MOST_BYTES, memory.notes, machines=machines)
    found = memory.clear()
    this_machine.forget()
    return remembered(found, MOST_BYTES, memory.notes, machines=machines, cleared=True)
