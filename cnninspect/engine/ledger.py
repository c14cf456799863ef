"""A list of what a run changed and how each change is undone, whatever interrupts the run.

Ctrl-C may come at any line, also while things are put back.  So an entry is made before its change,
undoing it twice does no harm, and a ledger is closed twice, by two context managers around the run:
whatever keeps the inner one from finishing, the outer one finishes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")
MISSING: Any = object()
"""In place of a value where there is none."""


class Ledger:
    """What is to be undone, last change first.  To be entered twice:

    `with Ledger() as ledger, ledger:`
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def undo(self, function: Callable[[], object]) -> None:
        """Note, before a change, how it is undone; calling that twice must do no harm."""
        self._undo.append(function)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute, to be set back."""
        before = vars(owner).get(name, MISSING)
        self.undo(lambda: _set_back(owner, name, before))
        setattr(owner, name, value)

    def switch(self, *, to: Value, now: Callable[[], Value], by: Callable[[Value], Any]) -> None:
        """Switch a setting that one function reads and another one changes, to be switched back."""
        before = now()
        if before != to:
            self.undo(lambda: by(before))
            by(to)

    def enter(self, context: Any) -> Any:
        """Enter a context manager whose `__exit__` may be called twice, or without `__enter__`."""
        self.undo(lambda: context.__exit__(None, None, None))
        return context.__enter__()

    def close(self) -> None:
        """Undo everything; an interruption is raised only when all is done.

        Raises:
            Exception: the first that undoing something raised, once all the rest is undone.
        """
        problem: Exception | None = None
        interruption: BaseException | None = None
        while self._undo:
            try:
                self._undo[-1]()
            except Exception as raised:  # the others are to be undone all the same
                problem = problem or raised
            except BaseException as raised:  # what was cut short is undone anew
                interruption = raised
                continue
            self._undo.pop()
        if interruption is not None:
            raise interruption
        if problem is not None:
            raise problem


def _set_back(owner: Any, name: str, before: Any) -> None:
    if before is not MISSING:
        setattr(owner, name, before)
    elif name in vars(owner):
        delattr(owner, name)
