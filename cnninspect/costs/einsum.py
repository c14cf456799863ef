"""Einstein sums, as the matrix products that they fall apart into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

from cnninspect.costs.laws import Term, Terms
from cnninspect.records.operations import Argument, Operation
from cnninspect.records.tensors import TensorSpec

Sizes = dict[str, int]
"""Size of each labelled dimension of one operand; those of size 1 are left out, they broadcast."""


def einsum(operation: Operation) -> Terms:
    """Pairs of operands one after the other, in the order of `path`, else from the left.

    A label that only one of a pair has and nobody needs later is summed up before the product, and
    a pair that shares no label to sum over is multiplied element by element: neither counts.
    """
    equation, given = operation.argument("equation"), operation.argument("tensors")
    if not isinstance(equation, str) or not isinstance(given, tuple):
        raise TypeError("an equation and a list of tensors are needed")
    shapes = [spec.shape for spec in given if isinstance(spec, TensorSpec)]
    return einsum_of(equation, shapes, operation.argument("path"))


def einsum_of(equation: str, shapes: Sequence[tuple[int, ...]], path: Argument = None) -> Terms:
    """An Einstein sum over tensors of these shapes."""
    labels, result = parse(equation, [len(shape) for shape in shapes])
    operands: list[Sizes] = [
        {label: size for label, size in zip(names, shape) if size != 1}
        for names, shape in zip(labels, shapes)
    ]
    terms = []
    for i, j in _pairs(path, len(operands)):
        left, right = operands[i], operands[j]
        operands = [o for k, o in enumerate(operands) if k not in (i, j)]
        needed = set(result).union(*operands)
        summed = (left.keys() & right.keys()) - needed
        if summed:
            terms.append(_term(left, right, needed))
        operands.append({k: v for k, v in {**left, **right}.items() if k in needed})
    return tuple(terms)


def parse(equation: str, ranks: list[int]) -> tuple[list[list[str]], list[str]]:
    """The labels of each operand and of the result, `...` spelled out as `.0`, `.1` from the right.

    `ranks` are the numbers of dimensions of the operands.
    """
    given, arrow, result = equation.replace(" ", "").partition("->")
    labels = [_spell_out(names, rank) for names, rank in zip(given.split(","), ranks)]
    dots = max((sum(name[0] == "." for name in names) for names in labels), default=0)
    if arrow:
        return labels, _spell_out(result, len(result.replace("...", "")) + dots)
    counts = Counter(name for names in labels for name in names if name[0] != ".")
    once = sorted(name for name, times in counts.items() if times == 1)
    return labels, [f".{i}" for i in reversed(range(dots))] + once


def _spell_out(names: str, rank: int) -> list[str]:
    before, dots, after = names.partition("...")
    hidden = rank - len(before) - len(after) if dots else 0
    return [*before, *(f".{i}" for i in reversed(range(hidden))), *after]


def _pairs(path: Argument, operands: int) -> list[tuple[int, int]]:
    """Positions of the two operands of each step; a step's result goes to the end of the list."""
    if isinstance(path, tuple) and path:
        flat = [p for p in path if isinstance(p, int)]
        return list(zip(flat[::2], flat[1::2]))
    # From the left: the first two, then always the latest result (last) with the next (first).
    return [(0, 1) if step == 0 else (0, operands - step - 1) for step in range(operands - 1)]


def _term(left: Sizes, right: Sizes, needed: set[str]) -> Term:
    shared = left.keys() & right.keys()
    kinds = {
        "batch": {k for k in shared if k in needed},
        "rows": {k for k in left if k not in shared and k in needed},
        "inner": {k for k in shared if k not in needed},
        "columns": {k for k in right if k not in shared and k in needed},
    }
    sizes = {**left, **right}
    return Term(tuple((name, prod(sizes[k] for k in kind)) for name, kind in kinds.items()))
