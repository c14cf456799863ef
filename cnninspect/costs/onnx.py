"""What is counted, free or unknown among the operators of ONNX.

Arguments go by ONNX's own names: the inputs of the schema (`X`, `W`, `B`; a variadic one is a
tuple), then the attributes (`group`, `transB`).  An input that is left out is None or missing, and
so is an attribute at its default.  Names are those of the domain `ai.onnx`; operators of other
domains are unknown until somebody registers them.
"""

from __future__ import annotations

from math import prod

from cnninspect.costs import laws
from cnninspect.costs.convolutions import convolution_of, transposed_of
from cnninspect.costs.laws import NotCounted, Terms
from cnninspect.costs.products import affine_grid, einsum_of, multiply, product_of
from cnninspect.costs.recurrent import layer_of
from cnninspect.costs.registry import Formula
from cnninspect.records.operations import Cost, Operation, ShapeNotKnown


def convolution(given: str, weight: str) -> Formula:
    """A formula: the convolution of the inputs of these names."""

    def formula(operation: Operation) -> Terms:
        return convolution_of(operation.tensor(given), operation.tensor(weight), operation.output)

    return formula


def transposed_convolution(operation: Operation) -> Terms:
    """Every input position is multiplied with the window."""
    return transposed_of(operation.tensor("X"), operation.tensor("W"))


def gemm(operation: Operation) -> Terms:
    """A product of two matrices, either of them transposed if `transA` or `transB` says so."""
    left, right = operation.tensor("A").shape, operation.tensor("B").shape
    return multiply(
        left[::-1] if operation.argument("transA") else left,
        right[::-1] if operation.argument("transB") else right,
    )


def einsum(operation: Operation) -> Terms:
    """An Einstein sum of all inputs, from the left."""
    equation = operation.argument("equation")
    if not isinstance(equation, str):
        raise TypeError("the equation is missing")
    for name, given in operation.unknown_inputs:
        raise ShapeNotKnown(name, given.because)
    return einsum_of(equation, [spec.shape for spec in operation.inputs])


def recurrent(gates: int) -> Formula:
    """A formula: one layer; `W` is (directions, gates·hidden, inputs), `R` the state's weight."""

    def layer(operation: Operation) -> Terms:
        directions, *inputs = operation.tensor("W").shape
        _, *state = operation.tensor("R").shape
        shapes = [tuple(inputs), tuple(state)] * directions
        return layer_of(steps_of(operation), gates, shapes, directions)

    return layer


def steps_of(operation: Operation) -> int:
    """Steps of all sequences: fewer than there is room for where their lengths are known."""
    steps = operation.argument("steps")
    return steps if isinstance(steps, int) else prod(operation.tensor("X").shape[:-1])


def attention(operation: Operation) -> Terms:
    """Attention on (batch, heads, length, width), or (batch, length, heads · width)."""
    query, key, value = (operation.tensor(name).shape for name in ("Q", "K", "V"))
    heads, queries, key_width = _heads(query, operation.argument("q_num_heads"))
    _, keys, _ = _heads(key, operation.argument("kv_num_heads"))
    _, _, value_width = _heads(value, operation.argument("kv_num_heads"))
    past = operation.argument("past_key")
    before = 0 if past is None else operation.tensor("past_key").shape[-2]
    return laws.attention(
        heads=query[0] * heads,
        queries=queries,
        keys=keys + before,
        key_width=key_width,
        value_width=value_width,
    )


def _heads(shape: tuple[int, ...], heads: object) -> tuple[int, int, int]:
    """Heads, length and width of one head."""
    if len(shape) == 4:
        return shape[1:]
    if not isinstance(heads, int):
        raise TypeError("the number of heads is missing")
    return heads, shape[1], shape[2] // heads


def repeated(operation: Operation) -> Cost:
    """A loop whose rounds are all alike, and too many to follow: the work of one, multiplied.

    Raises:
        NotCounted: how often it runs is not known, or what a round of it does.
    """
    rounds, each = operation.argument("rounds"), operation.argument("macs_per_round")
    written = operation.argument("activations_per_round")
    unknown = operation.argument("unknown_in_a_round")
    if not isinstance(rounds, int) or not isinstance(each, int) or not isinstance(written, int):
        raise NotCounted(str(operation.argument("why") or "how often it runs depends on data"))
    if isinstance(unknown, tuple) and unknown:
        raise NotCounted(f"its body holds what is not counted: {', '.join(map(str, unknown))}")
    return Cost(macs=rounds * each, activations=rounds * written)


COUNTED: dict[str, Formula] = {
    "onnx.Conv": convolution("X", "W"),
    "onnx.ConvInteger": convolution("x", "w"),
    "onnx.QLinearConv": convolution("x", "w"),
    "onnx.DeformConv": convolution("X", "W"),
    "onnx.ConvTranspose": transposed_convolution,
    "onnx.Gemm": gemm,
    "onnx.MatMul": product_of("A", "B"),
    "onnx.MatMulInteger": product_of("A", "B"),
    "onnx.QLinearMatMul": product_of("a", "b"),
    "onnx.Einsum": einsum,
    "onnx.Attention": attention,
    "onnx.AffineGrid": affine_grid,
    "onnx.LSTM": recurrent(4),
    "onnx.GRU": recurrent(3),
    "onnx.RNN": recurrent(1),
    "ai.onnx.preview.FlexAttention": attention,
    "onnx.Loop": repeated,
    "onnx.Scan": repeated,
}
