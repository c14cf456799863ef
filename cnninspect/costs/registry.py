"""The three states of an operation: counted, free or unknown.

Each name is in one of them at most: `register` gives an operation a formula, `register_free` a
reason why it costs nothing, `register_unknown` a reason why nobody can say.  A name that is in no
table is unknown as well, never silently zero.

A formula takes an `Operation` and returns terms (see `laws`), a `Cost`, or plain multiply-
accumulates.  It raises whatever it likes where it cannot tell: the operation is then unknown, with
the message as the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Union

from cnninspect.costs.laws import NotCounted, Terms, macs, spell
from cnninspect.records.costs import Cost, Costed, CostState
from cnninspect.records.operations import Operation, ShapeNotKnown

Formula = Callable[[Operation], Union[Terms, Cost, int]]


_counted: dict[str, Formula] = {}
_free: dict[str, str] = {}
_unknown: dict[str, str] = {}


def register(op_name: str, formula: Formula) -> None:
    """Gives the operations of this name a formula.

    Raises:
        ValueError: the name is registered already.
    """
    _check_new(op_name)
    _counted[op_name] = formula


def register_free(op_name: str, reason: str) -> None:
    """Says that the operations of this name do no multiply-accumulates, and why.

    Raises:
        ValueError: the name is registered already.
    """
    _check_new(op_name)
    _free[op_name] = reason


def register_unknown(op_name: str, reason: str) -> None:
    """Says why the operations of this name cannot be counted.

    Raises:
        ValueError: the name is registered already.
    """
    _check_new(op_name)
    _unknown[op_name] = reason


def registered() -> dict[str, CostState]:
    """Every name in the tables with its state."""
    return {
        **dict.fromkeys(_counted, CostState.COUNTED),
        **dict.fromkeys(_free, CostState.FREE),
        **dict.fromkeys(_unknown, CostState.UNKNOWN),
    }


def cost_of(operation: Operation) -> Costed:
    """What an operation costs, and what that rests on.

    The name of an operation in place (`aten.add_`) stands for the one without the underscore.
    Names in no table are looked for among the formulas that installed packages offer.
    """
    for name in names_of(operation):
        if name in _counted:
            return _apply(_counted[name], operation)
        if name in _free:
            return Costed(CostState.FREE, Cost(), _free[name])
        if name in _unknown:
            return _not_known(_unknown[name])
    return _offered(operation)


def names_of(operation: Operation) -> tuple[str, ...]:
    """The names to look an operation up under: its own, then the one that is not in place."""
    name = operation.name
    return (name, name[:-1]) if name.endswith("_") and not name.endswith("__") else (name,)


def written(operation: Operation) -> int:
    """Elements of the first tensor that it returns; 0 where it returns none."""
    return operation.output.numel if operation.outputs else 0


def _check_new(op_name: str) -> None:
    for table, state in ((_counted, "counted"), (_free, "free"), (_unknown, "unknown")):
        if op_name in table:
            raise ValueError(f"{op_name} is registered already: it is {state}")


def _apply(formula: Formula, operation: Operation) -> Costed:
    # Whatever a formula stumbles over, somebody's own one included, must not stop the count.
    try:
        result = formula(operation)
    except NotCounted as problem:
        return _not_known(str(problem))
    except Exception as problem:
        unknown = operation.unknown_inputs
        if unknown:
            name, given = unknown[0]
            return _not_known(str(ShapeNotKnown(name, given.because)), lacks_shape=True)
        if not operation.outputs:
            return _not_known("the shape of its output is not known", lacks_shape=True)
        return _not_known(f"its formula failed: {type(problem).__name__}: {problem}")
    if isinstance(result, Cost):
        return Costed(CostState.COUNTED, result, getattr(formula, "__name__", ""))
    if isinstance(result, int):
        cost = Cost(macs=result, activations=written(operation))
        return Costed(CostState.COUNTED, cost, getattr(formula, "__name__", ""))
    cost = Cost(macs=macs(result), activations=written(operation))
    return Costed(CostState.COUNTED, cost, spell(result))


def _offered(operation: Operation) -> Costed:
    for name in names_of(operation):
        try:
            formula = formula_of(name)
        except BrokenFormula as problem:
            return _not_known(str(problem))
        if formula is not None:
            return _apply(formula, operation)
    return _not_known("it has no formula")


def _not_known(reason: str, *, lacks_shape: bool = False) -> Costed:
    return Costed(CostState.UNKNOWN, Cost(), reason, lacks_shape)


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
