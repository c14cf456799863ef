"""Formulas that other installed packages offer.

A package teaches cnninspect the cost of its own operators by an entry point of the group
`cnninspect.costs`: the name is the operator's (`mylib.fused_scan`), the value a function of an
`Operation`, as for `register`.  Nothing is imported before such an operator is met.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "cnninspect.costs"


class BrokenFormula(Exception):
    """A package offers a formula that cannot be loaded.  Ends up as a reason, not as an error."""

    def __init__(self, entry: EntryPoint, problem: BaseException) -> None:
        super().__init__(
            f"the formula {entry.value} could not be loaded: {type(problem).__name__}: {problem}"
        )


@cache
def formula_of(op_name: str) -> Any:
    """The formula that a package offers for this operator, or None.

    Raises:
        BrokenFormula: it is offered and cannot be loaded.
    """
    entry = _offers().get(op_name)
    if entry is None:
        return None
    try:
        formula = entry.load()
    except Exception as problem:
        raise BrokenFormula(entry, problem) from problem
    if not callable(formula):
        raise BrokenFormula(entry, TypeError("it is not a function"))
    return formula


@cache
def _offers() -> dict[str, EntryPoint]:
    """Entry points by operator; of several for the same one, the first."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry)
    return found
