"""Words that several errors use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

LONG = 200
"""Characters of another error's text from which on only its first sentence is told."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean a, b or c?` with the nearest of `known`, or `""` where none is near."""
    nearest = get_close_matches(name, list(known), n=3, cutoff=0.6)
    if not nearest:
        return ""
    *first, last = nearest
    return f"did you mean {', '.join(first)} or {last}?" if first else f"did you mean {last}?"


def nearest_or_all(name: str, known: Iterable[str], title: str) -> str:
    """All that is known after `title`, and before it the nearest, where one is near."""
    known = list(known)
    nearest, allowed = did_you_mean(name, known), f"{title}: {', '.join(known)}"
    return f"{nearest} ({allowed})" if nearest else allowed


def some(names: Sequence[str], shown: int = 3) -> str:
    """The first few of the names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def first_line(problem: BaseException) -> str:
    """What somebody else's error says, in one line with its kind.

    That is its first line, with the next one if it ends with a colon; of a long one the first
    sentence.
    """
    text, *more = str(problem).strip().splitlines() or [""]
    if more and text.endswith(":"):
        text = f"{text} {more[0].strip()}"
    if len(text) > LONG:
        sentence, end, _ = text.partition(". ")
        text = f"{sentence}." if end else text
    text = text if len(text) <= LONG else f"{text[: LONG - 1]}…"
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__
