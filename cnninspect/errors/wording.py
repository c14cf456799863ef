"""Words that several errors use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean a, b or c?` with the nearest of `known`, or `""` where none is near."""
    nearest = get_close_matches(name, list(known), n=3, cutoff=0.6)
    if not nearest:
        return ""
    *first, last = nearest
    return f"did you mean {', '.join(first)} or {last}?" if first else f"did you mean {last}?"


def some(names: Sequence[str], shown: int = 3) -> str:
    """The first few of the names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
