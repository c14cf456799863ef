"""What the readers of this package raise; `read_checkpoint` adds the file's name."""

from __future__ import annotations


class Malformed(Exception):
    """The content is not what it should be."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


def excerpt(text: object, limit: int = 80) -> str:
    """A name or message out of a file, cut to a length that fits a sentence."""
    shown = str(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
