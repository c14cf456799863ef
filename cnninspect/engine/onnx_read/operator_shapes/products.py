"""Shapes of matrix products, Einstein sums, recurrent layers and attention."""

from __future__ import annotations

from collections.abc import Callable

from cnninspect.costs.products import parse
from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.operator_shapes.known_node import (
    KnownNode,
    NotKnown,
    broadcast,
    tensor,
)
from cnninspect.engine.onnx_read.values import Dims, Value
from cnninspect.records.operations import shape_text

Rule = Callable[[KnownNode], list[Value]]
FLOAT, INT32 = 1, 6


def matrix_product(left: int, right: int, *, element: Callable[[KnownNode], int]) -> Rule:
    """A rule: the product of the inputs at these places."""

    def rule(node: KnownNode) -> list[Value]:
        return [tensor(element(node), multiplied(node.dims(left), node.dims(right)))]

    return rule


def multiplied(left: Dims, right: Dims) -> Dims:
    """The sizes of a product by the rules of `matmul`.

    Raises:
        Malformed: the factors do not fit.
    """
    if not left or not right:
        raise Malformed("a scalar has no matrix product")
    rows = left[-2:-1]
    columns = right[-1:] if len(right) > 1 else ()
    inner = left[-1], right[-2] if len(right) > 1 else right[0]
    if None not in inner and inner[0] != inner[1]:
        shown = " and ".join(shape_text(dims) for dims in (left, right))
        raise Malformed(f"{shown} have no product: {inner[0]} is not {inner[1]}")
    batch = broadcast(left[:-2], right[:-2]) if len(left) > 2 or len(right) > 2 else ()
    return (*batch, *rows, *columns)


def gemm(node: KnownNode) -> list[Value]:
    """A product of two matrices, transposed if so said."""
    rows = inner = other = columns = None
    if node.value(0).dims is not None:
        rows, inner = _matrix(node, 0, turned=node.whole("transA", 0))
    if node.value(1).dims is not None:
        other, columns = _matrix(node, 1, turned=node.whole("transB", 0))
    if inner is not None and other is not None and inner != other:
        raise Malformed(f"its factors do not fit: {inner} is not {other}")
    return [tensor(node.element(0), (rows, columns))]


def _matrix(node: KnownNode, i: int, *, turned: int) -> Dims:
    dims = node.dims(i)
    if len(dims) != 2:
        raise Malformed(f"its factor has {len(dims)} axes, and must have 2")
    return dims[::-1] if turned else dims


def einsum(node: KnownNode) -> list[Value]:
    """An Einstein sum: the axes that the equation names on its right."""
    shapes = [node.dims(i) for i in range(len(node.inputs))]
    equation = node.text("equation").replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if len(terms) != len(shapes):
        raise Malformed(f"its equation is for {len(terms)} tensors, and it has {len(shapes)}")
    for text in (*terms, equation.partition("->")[2]):
        letters = text.replace("...", "", 1)
        if letters and not (letters.isascii() and letters.isalpha()):
            raise Malformed(f"its equation {equation[:40]!r} is none")
    for text, dims in zip(terms, shapes):
        letters = text.replace("...", "")
        if len(letters) > len(dims) or ("..." not in text and len(letters) != len(dims)):
            raise Malformed(f"its equation names {len(letters)} axes, and a tensor has {len(dims)}")
    labels, result = parse(equation, [len(dims) for dims in shapes])
    sizes: dict[str, int | None] = {}
    for names, dims in zip(labels, shapes):
        for name, size in zip(names, dims):
            before = sizes.get(name, 1)
            if None not in (before, size) and 1 not in (before, size) and before != size:
                raise Malformed(f"its equation gives {name} the sizes {before} and {size}")
            sizes[name] = size if before == 1 or before is None else before
    if any(name not in sizes for name in result):
        raise Malformed("its equation has a result that is in no tensor")
    return [tensor(node.element(0), [sizes[name] for name in result])]


def recurrent(node: KnownNode) -> list[Value]:
    """All outputs of a recurrent layer, and its last states."""
    x = node.dims(0)
    if len(x) != 3:
        raise Malformed(f"it takes sequences, and is given {len(x)} axes")
    directions = 2 if node.text("direction", "forward") == "bidirectional" else 1
    weight = node.dims(1)
    if len(weight) == 3 and weight[2] is not None and x[2] not in (None, weight[2]):
        raise Malformed(f"its weight is for {weight[2]} inputs, and it is given {x[2]}")
    hidden: int | None = node.whole("hidden_size", 0) or None
    if hidden is None:
        hidden = node.dims(2)[-1]
    is_batch_first = node.whole("layout", 0)
    if is_batch_first:
        outputs: Dims = (x[0], x[1], directions, hidden)
        state: Dims = (x[0], directions, hidden)
    else:
        outputs, state = (x[0], directions, x[1], hidden), (directions, x[1], hidden)
    element = node.element(0)
    return [tensor(element, outputs), tensor(element, state), tensor(element, state)]


def attention(node: KnownNode) -> list[Value]:
    """Attention on (batch, heads, length, width) or (batch, length, heads · width).

    Gives the result, the keys and values with those of the past, and the scores.
    """
    query, key, value = node.dims(0), node.dims(1), node.dims(2)
    if not len(query) == len(key) == len(value) or len(query) not in (3, 4):
        raise Malformed("query, key and value have to have 3 or 4 axes")
    heads, width = _heads(query, node, "q_num_heads")
    shared, key_width = _heads(key, node, "kv_num_heads")
    _, value_width = _heads(value, node, "kv_num_heads")
    past = node.dims(4)[-2] if node.has(4) else 0
    length = _plus(key[-2], past)
    if len(query) == 4:
        result: Dims = (query[0], heads, query[2], value_width)
    else:
        result = (query[0], query[1], None if None in (heads, value_width) else heads * value_width)  # type: ignore[operator]
    del width
    return [
        tensor(node.element(0), result),
        tensor(node.element(1), (key[0], shared, length, key_width)),
        tensor(node.element(2), (value[0], shared, length, value_width)),
        tensor(node.element(0), (query[0], heads, query[-2], length)),
    ]


def _heads(dims: Dims, node: KnownNode, name: str) -> tuple[int | None, int | None]:
    """Heads, and the width of one."""
    if len(dims) == 4:
        return dims[1], dims[3]
    heads = node.whole(name)
    if heads <= 0:
        raise Malformed(f"its {name} are {heads}")
    return heads, None if dims[2] is None else dims[2] // heads


def _plus(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def affine_grid(node: KnownNode) -> list[Value]:
    """A place in the input for each place of an output of this size."""
    n, _, *spatial = node.wholes_in(1)
    return [tensor(node.element(0), (n, *spatial, len(spatial)))]


def _zero_point(node: KnownNode) -> int:
    element = node.element(7)
    if not element:
        raise NotKnown
    return element


RULES: dict[str, Rule] = {
    "MatMul": matrix_product(0, 1, element=lambda node: node.element(0)),
    "MatMulInteger": matrix_product(0, 1, element=lambda _: INT32),
    "QLinearMatMul": matrix_product(0, 3, element=_zero_point),
    "Gemm": gemm,
    "Einsum": einsum,
    "LSTM": recurrent,
    "GRU": recurrent,
    "RNN": recurrent,
    "Attention": attention,
    "AffineGrid": affine_grid,
}
"""Shape of the outputs, by operator of ONNX."""
