"""The trunk of the tree: what every error has, and the three things that it can mean."""

from __future__ import annotations


class CnnInspectError(Exception):
    """Base of all errors: a sentence, and a hint at what to type next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CnnInspectError):
    """What the person typed cannot be done."""

    exit_code = 2


class Failure(CnnInspectError):
    """What the person typed makes sense, and it failed."""


class AnswerIsNo(CnnInspectError):
    """The work was done and the answer is no."""

    exit_code = 3
