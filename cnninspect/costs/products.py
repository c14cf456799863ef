"""Matrix products and their relatives, from the operation to its law."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import zip_longest
from math import prod

from cnninspect.costs import laws
from cnninspect.costs.laws import Term, Terms
from cnninspect.records.operations import Argument, Operation, TensorSpec

Shape = tuple[int, ...]
Formula = Callable[[Operation], Terms]


def product_of(left: str, right: str) -> Formula:
    """A formula: the matrix product of the arguments of these names.

    A last dimension that packs two numbers into one element (`float4_e2m1fn_x2`) counts double.
    """

    def product(operation: Operation) -> Terms:
        a, b = operation.tensor(left), operation.tensor(right)
        return multiply(a.shape, b.shape) * (2 if a.dtype.endswith("_x2") else 1)

    return product


def multiply(left: Shape, right: Shape) -> Terms:
    """A product by the rules of `matmul`: vectors become a row or a column, batches broadcast."""
    if not left or not right:
        raise ValueError("a scalar has no matrix product")
    rows, inner = (1, left[0]) if len(left) == 1 else left[-2:]
    columns = 1 if len(right) == 1 else right[-1]
    batch = prod(broadcast(left[:-2], right[:-2]))
    return laws.matrix_product(batch=batch, rows=rows, inner=inner, columns=columns)


def linear(operation: Operation) -> Terms:
    """Every row of the input times a weight of (outputs, inputs), or of (inputs)."""
    given = operation.inputs[0].shape
    *outputs, inner = operation.tensor("weight").shape
    return laws.matrix_product(rows=prod(given[:-1]), inner=inner, columns=prod(outputs))


def packed_linear(operation: Operation) -> Terms:
    """A linear layer whose weight is packed: inputs and outputs are read off the activations."""
    given, result = operation.inputs[0].shape, operation.output.shape
    return laws.matrix_product(rows=prod(given[:-1]), inner=given[-1], columns=result[-1])


def linear_backward(operation: Operation) -> Terms:
    """As many again as forward for the input's gradient, and for the weight's, as wanted."""
    mask = operation.argument("output_mask")
    wanted = sum(map(bool, mask[:2])) if isinstance(mask, tuple) else 1
    grad, weight = operation.tensor("grad_output").shape, operation.tensor("weight").shape
    return wanted * laws.matrix_product(
        rows=prod(grad[:-1]), inner=weight[-1], columns=prod(weight[:-1])
    )


def matmul_backward(operation: Operation) -> Terms:
    """As many again as forward for each of the two factors whose gradient is wanted."""
    mask = operation.argument("mask")
    wanted = sum(map(bool, mask)) if isinstance(mask, tuple) else 2
    return wanted * multiply(operation.tensor("self").shape, operation.tensor("other").shape)


def grouped_product(operation: Operation) -> Terms:
    """Products of groups of rows, of columns or of the inner dimension, given by offsets.

    Whichever is split, each element of it is in one group, so that only two stacks of matrices
    (three dimensions each) multiply the count.  Rows behind the last offset are counted as well.
    """
    left, right = (spec.shape for spec in operation.inputs[:2])
    batch = left[0] if len(left) == 3 and len(right) == 3 else 1
    return laws.matrix_product(batch=batch, rows=left[-2], inner=left[-1], columns=right[-1])


def list_of_products(operation: Operation) -> Terms:
    """One matrix product for each pair of two lists of matrices."""
    left, right = operation.argument("self"), operation.argument("mat2")
    pairs = zip(_specs(left), _specs(right))
    return tuple(t for a, b in pairs for t in multiply(a.shape, b.shape))


def inner(operation: Operation) -> Terms:
    """Sums over the last dimensions of both; with a scalar it is a scaling, and costs nothing."""
    left, right = operation.tensor("self").shape, operation.tensor("other").shape
    if not left or not right:
        return ()
    return laws.matrix_product(rows=prod(left[:-1]), inner=left[-1], columns=prod(right[:-1]))


def tensordot(operation: Operation) -> Terms:
    """Sums over pairs of dimensions; with none to sum over it is an outer product, and free."""
    left, right = operation.tensor("self").shape, operation.tensor("other").shape
    mine = [d % len(left) for d in _ints(operation.argument("dims_self"))]
    theirs = [d % len(right) for d in _ints(operation.argument("dims_other"))]
    if not mine:
        return ()
    # A dimension of size 1 broadcasts: its partner is summed up before the product.
    summed = prod(min(left[i], right[j]) for i, j in zip(mine, theirs))
    rows = prod(size for d, size in enumerate(left) if d not in mine)
    columns = prod(size for d, size in enumerate(right) if d not in theirs)
    return laws.matrix_product(rows=rows, inner=summed, columns=columns)


def affine_grid(operation: Operation) -> Terms:
    """Every position of the grid, a 1 added to it, times (dimensions, dimensions + 1)."""
    batch, dimensions, extended = operation.tensor("theta").shape
    positions = prod(operation.output.shape[1:-1])
    return laws.matrix_product(batch=batch, rows=positions, inner=extended, columns=dimensions)


def bilinear(operation: Operation) -> Terms:
    """`x1ᵀ W x2` for a weight of (outputs, left, right)."""
    outputs, left, right = operation.tensor("weight").shape
    batch = prod(operation.tensor("input1").shape[:-1])
    return laws.bilinear(batch=batch, outputs=outputs, left=left, right=right)


def trilinear(operation: Operation) -> Terms:
    """Sums of products of three tensors: what a bilinear layer becomes.

    `expand1` lists the dimensions that the first tensor lacks, and so on; `sumdim` those that are
    summed over.  Each element of the full product counts once, as in `laws.bilinear`.
    """
    if not operation.argument("sumdim"):
        return ()
    full: Shape = ()
    for i in ("1", "2", "3"):
        shape = list(operation.tensor(f"i{i}").shape)
        for dim in sorted(_ints(operation.argument(f"expand{i}"))):
            shape.insert(dim, 1)
        full = broadcast(full, tuple(shape))
    return (laws.term(products=prod(full)),)


def broadcast(left: Shape, right: Shape) -> Shape:
    """The shape of an operation between the two, element by element."""
    pairs = zip_longest(reversed(left), reversed(right), fillvalue=1)
    return tuple(b if a == 1 else a for a, b in pairs)[::-1]


def _specs(value: Argument) -> list[TensorSpec]:
    return [v for v in value if isinstance(v, TensorSpec)] if isinstance(value, tuple) else []


def _ints(value: Argument) -> list[int]:
    return [v for v in value if isinstance(v, int)] if isinstance(value, tuple) else []


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
