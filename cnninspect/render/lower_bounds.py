"""What is said where operations have no formula, and numbers are lower bounds for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cnninspect.records.summary import Uncounted
from cnninspect.render.pages import Notice, Style
from cnninspect.render.quantities import plural


def lower_bounds(uncounted: Iterable[tuple[str, Sequence[Uncounted]]]) -> Iterator[Notice]:
    """The operations without a formula, by model; nothing where there are none."""
    items = tuple(
        f"{name}: {', '.join(gap.op for gap in gaps)}" for name, gaps in uncounted if gaps
    )
    if items:
        verb = "has" if len(items) == 1 else "have"
        who = f"{plural(len(items), 'model')} {verb} operations without a formula"
        yield Notice(f"{who}; ≥ is a lower bound:", items, Style.WARNING)
