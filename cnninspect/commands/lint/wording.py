"""Words that the sentences of rules are made of."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.page.quantities import plural, sizes

FEW = 3


def some(paths: Sequence[str], few: int = FEW) -> str:
    """The first layers and how many more there are: `conv1, conv2 and 7 more`."""
    distinct = list(dict.fromkeys(paths))
    if len(distinct) <= few + 1:
        *most, last = distinct
        return f"{', '.join(most)} and {last}" if most else last
    return f"{', '.join(distinct[:few])} and {len(distinct) - few:,} more"


def percent(share: float) -> str:
    """A share: `41 %`, `0.3 %`, `<0.1 %`."""
    value = 100 * share
    if value >= 10:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.1 else "<0.1 %"


def many(number: int, one: str, more: str = "") -> str:
    """`one convolution`, `13 convolutions`."""
    if number == 1:
        return f"one {one}"
    return f"{number:,} {more}" if more else plural(number, one)


def verb(number: int, one: str, more: str) -> str:
    """The form of a verb after so many."""
    return one if number == 1 else more


__all__ = ["many", "percent", "plural", "sizes", "some", "verb"]
