"""How a gradient goes back through an operation: the rule, and a small example in numbers.

The examples are worked out here in plain Python, with the layer's own window as far as that is
small; the tests hold them against `torch.autograd`.

Source: Rumelhart, Hinton, Williams 1986; for convolution and subsampling LeCun et al. 1989,
Backpropagation Applied to Handwritten Zip Code Recognition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from cnninspect.commands.explain.report import Backward, Matrix
from cnninspect.errors import UnknownLayer
from cnninspect.metrics.summarizing import costed_calls
from cnninspect.records.operations import Operation, TensorSpec
from cnninspect.records.traces import Trace

Grid = list[list[float]]

VALUES = (1, 5, 2, 0, 3, 2, 4, 1, 0, 3, 6, 2, 4, 0, 5, 3, 1, 2, 7, 1, 0, 4, 2, 3, 5)
SIGNED = (-2, 1, 3, -1, 2, 0, -3, 2, 1)
WEIGHTS = (1, 0, -1, 2, 1, 0, 0, -1, 1)
MOST_TAPS = 3
"""Taps of a window to a side that an example has room for."""
EPS = 1e-5


@dataclass(frozen=True, slots=True)
class Side:
    """One dimension of a window that slides: which inputs meet which outputs."""

    inputs: int
    outputs: int
    taps: int
    meets: tuple[tuple[int, int, int], ...]
    """Output, input and tap that belong together; what lies in the padding is left out."""


@dataclass(frozen=True, slots=True)
class Window:
    """What slides, in one dimension."""

    taps: int
    stride: int
    padding: int
    dilation: int = 1
    transposed: bool = False

    def shrunk(self) -> Window:
        """The same or a smaller one, that an example has room for."""
        dilation = min(self.dilation, 2)
        if self.taps <= MOST_TAPS:
            return replace(self, dilation=dilation, stride=min(self.stride, MOST_TAPS))
        taps = MOST_TAPS if self.taps % 2 else 2
        padding = min(self.padding, taps // 2)
        return replace(
            self, taps=taps, padding=padding, stride=min(self.stride, taps), dilation=dilation
        )

    @property
    def reach(self) -> int:
        """Positions from its first to its last tap."""
        return self.dilation * (self.taps - 1) + 1

    def side(self) -> Side:
        """The smallest dimension that shows what it does."""
        if self.transposed:
            inputs = 2
            outputs = max((inputs - 1) * self.stride - 2 * self.padding + self.reach, 1)
        else:
            outputs = 2
            while (inputs := self._inputs(outputs)) < max(self.taps, 2):
                outputs += 1
        meets = []
        for one in range(inputs if self.transposed else outputs):
            for tap in range(self.taps):
                other = one * self.stride - self.padding + tap * self.dilation
                q, p = (other, one) if self.transposed else (one, other)
                if 0 <= q < outputs and 0 <= p < inputs:
                    meets.append((q, p, tap))
        return Side(inputs, outputs, self.taps, tuple(meets))

    def _inputs(self, outputs: int) -> int:
        return (outputs - 1) * self.stride + self.reach - 2 * self.padding


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule says of one operation."""

    title: str
    formulas: tuple[str, ...]
    example: tuple[Matrix, ...]
    about: str = ""
    """Of the example: what it is made with."""
    has_weights: bool = False
    """Whether it has multiply-accumulates: going back, as many for each factor."""


# --- windows ---


def _grid(values: Sequence[float], rows: int, columns: int) -> Grid:
    numbers = islice(cycle(values), rows * columns)
    return [[next(numbers) for _ in range(columns)] for _ in range(rows)]


def _zeros(rows: int, columns: int) -> Grid:
    return [[0.0] * columns for _ in range(rows)]


def _counting(rows: int, columns: int) -> Grid:
    """1, 2, 3, …: a gradient that is easy to find again."""
    return [[float(i * columns + j + 1) for j in range(columns)] for i in range(rows)]


def _matrix(name: str, grid: Grid) -> Matrix:
    return Matrix(name, tuple(tuple(float(v) for v in row) for row in grid))


def _numbers(operation: Operation, name: str, count: int, default: int) -> tuple[int, ...]:
    """An argument for each of `count` dimensions."""
    value = operation.argument(name)
    if isinstance(value, int):
        return (value,) * count
    if isinstance(value, tuple) and value and all(isinstance(v, int) for v in value):
        numbers = tuple(int(v) for v in value)  # type: ignore[arg-type]
        return numbers * count if len(numbers) == 1 else numbers
    return (default,) * count


def _flat(windows: Sequence[Window]) -> tuple[Window, Window]:
    """The last two dimensions; one of one is a row."""
    *_, one, other = (Window(1, 1, 0), *windows)
    return one, other


def _sides(windows: Sequence[Window]) -> tuple[Side, Side]:
    rows, columns = (window.shrunk() for window in _flat(windows))
    one = Side(1, 1, 1, ((0, 0, 0),)) if len(windows) == 1 else rows.side()
    return one, columns.side()


def _pairs(rows: Side, columns: Side) -> Iterator[tuple[tuple[int, int], ...]]:
    """Places (output, input, tap) that belong together."""
    for q1, p1, t1 in rows.meets:
        for q2, p2, t2 in columns.meets:
            yield (q1, q2), (p1, p2), (t1, t2)


def _about(windows: Sequence[Window]) -> str:
    shrunk = [window.shrunk() for window in windows]
    if len(windows) <= 2 and list(windows) == shrunk:
        return ""
    shown = _flat(shrunk) if len(windows) > 1 else shrunk
    return f"shown with a window of {_times(w.taps for w in shown)}"


def _times(numbers: Iterator[int] | Sequence[int]) -> str:
    return "×".join(map(str, numbers))


def _slides(windows: Sequence[Window]) -> str:
    """`window 3×3, stride 2, padding 1`."""
    parts = [
        f"window {_times(w.taps for w in windows)}",
        f"stride {_once([w.stride for w in windows])}",
    ]
    if any(w.padding for w in windows):
        parts.append(f"padding {_once([w.padding for w in windows])}")
    if any(w.dilation > 1 for w in windows):
        parts.append(f"dilation {_once([w.dilation for w in windows])}")
    return ", ".join(parts)


def _once(numbers: Sequence[int]) -> str:
    """The number where all are alike, else all of them."""
    return f"{numbers[0]}" if len(set(numbers)) == 1 else _times(numbers)


def _place(window: Window) -> str:
    """Which position is under tap t of window q: `2·q − 1 + t`."""
    moved = "q" if window.stride == 1 else f"{window.stride}·q"
    padding = f" − {window.padding}" if window.padding else ""
    tap = "t" if window.dilation == 1 else f"{window.dilation}·t"
    return f"{moved}{padding} + {tap}"


def convolution(operation: Operation) -> Rule | None:
    """Each product of the forward pass gives one to each of its two factors."""
    weight = operation.tensor("weight").shape
    count = len(weight) - 2
    transposed = operation.argument("transposed") is True
    if count < 1:
        return None
    windows = [
        Window(taps, stride, padding, dilation, transposed)
        for taps, stride, padding, dilation in zip(
            weight[2:],
            _numbers(operation, "stride", count, 1),
            _numbers(operation, "padding", count, 0),
            _numbers(operation, "dilation", count, 1),
        )
    ]
    rows, columns = _sides(windows)
    x = _grid(VALUES, rows.inputs, columns.inputs)
    w = _grid(WEIGHTS, rows.taps, columns.taps)
    g = _counting(rows.outputs, columns.outputs)
    has_bias = isinstance(operation.argument("bias"), TensorSpec)
    y = [[float(has_bias)] * columns.outputs for _ in range(rows.outputs)]
    dx, dw = _zeros(rows.inputs, columns.inputs), _zeros(rows.taps, columns.taps)
    for (q1, q2), (p1, p2), (t1, t2) in _pairs(rows, columns):
        y[q1][q2] += w[t1][t2] * x[p1][p2]
        dx[p1][p2] += w[t1][t2] * g[q1][q2]
        dw[t1][t2] += g[q1][q2] * x[p1][p2]
    groups = operation.argument("groups")
    channels = "o" if groups in (None, 1) else "o of c's group"
    inner, outer = ("p", "q") if not transposed else ("q", "p")
    place = _place(windows[-1]).replace("q", outer)
    w_ = "w[c, o, t]" if transposed else "w[o, c, t]"
    formulas = [
        f"∂L/∂x[c, p] = Σ over {channels}, t of {w_}·∂L/∂y[o, q], where {inner} = {place}",
        f"∂L/∂{w_} = Σ over examples, {outer} of ∂L/∂y[o, q]·x[c, p]",
    ]
    formulas += ["∂L/∂b[o] = Σ over examples, q of ∂L/∂y[o, q]"] if has_bias else []
    if not transposed and all(w.stride == 1 for w in windows) and max(weight[2:]) > 1:
        formulas.append("so ∂L/∂x is ∂L/∂y convolved with the kernel turned by 180°")
    example = [
        _matrix("x", x), _matrix("w", w), _matrix("y", y), _matrix("∂L/∂y", g),
        _matrix("∂L/∂x", dx), _matrix("∂L/∂w", dw),
    ]  # fmt: skip
    if has_bias:
        example.append(Matrix("∂L/∂b", ((float(sum(map(sum, g))),),)))
    about = [_about(windows), "b = 1" if has_bias else ""]
    title = "transposed convolution" if transposed else "convolution"
    return Rule(
        f"{title}, {_slides(windows)}",
        tuple(formulas),
        tuple(example),
        "; ".join(part for part in about if part),
        has_weights=True,
    )


def _pooling_windows(operation: Operation) -> list[Window]:
    shape = operation.tensor("self").shape
    name = operation.name
    count = next((n for n in (1, 2, 3) if f"pool{n}d" in name), 2)
    taps = _numbers(operation, "kernel_size", min(count, len(shape)), 2)
    if isinstance(operation.argument("stride"), int) or operation.argument("stride"):
        strides = _numbers(operation, "stride", len(taps), 1)
    else:
        strides = taps
    return [
        Window(*each)
        for each in zip(
            taps,
            strides,
            _numbers(operation, "padding", len(taps), 0),
            _numbers(operation, "dilation", len(taps), 1),
        )
    ]


def max_pooling(operation: Operation) -> Rule:
    """Each output's gradient goes to the element that was the maximum."""
    windows = _pooling_windows(operation)
    rows, columns = _sides(windows)
    x = _grid(VALUES, rows.inputs, columns.inputs)
    g, dx = _counting(rows.outputs, columns.outputs), _zeros(rows.inputs, columns.inputs)
    y = [[-math.inf] * columns.outputs for _ in range(rows.outputs)]
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for (q1, q2), (p1, p2), _ in _pairs(rows, columns):
        if x[p1][p2] > y[q1][q2]:  # of equal ones the first, as in PyTorch
            y[q1][q2], best[q1, q2] = x[p1][p2], (p1, p2)
    for (q1, q2), (p1, p2) in best.items():
        dx[p1][p2] += g[q1][q2]
    formulas = (
        "∂L/∂x[p] = Σ of ∂L/∂y[q] over the windows q whose maximum is at p, and 0 elsewhere",
        "windows that overlap may have the same maximum: it gets the sum"
        if any(w.stride < w.reach for w in windows)
        else "windows do not overlap: each hands its gradient on to one element",
    )
    example = _pooled(x, y, g, dx)
    return Rule(f"max pooling, {_slides(windows)}", formulas, example, _about(windows))


def average_pooling(operation: Operation) -> Rule:
    """Each output's gradient is shared by its window."""
    windows = _pooling_windows(operation)
    rows, columns = _sides(windows)
    size = rows.taps * columns.taps
    counts_padding = operation.argument("count_include_pad") is not False
    divisor = operation.argument("divisor_override")
    sizes: dict[tuple[int, int], float] = {}
    for q, _, _ in _pairs(rows, columns):
        sizes[q[0], q[1]] = sizes.get((q[0], q[1]), 0) + 1
    if counts_padding or divisor:
        sizes = dict.fromkeys(sizes, float(divisor) if isinstance(divisor, int) else float(size))
    example = _shared(rows, columns, sizes)
    whole = divisor if divisor else math.prod(w.taps for w in windows)
    formulas = [f"∂L/∂x[p] = Σ over the windows q that hold p of ∂L/∂y[q] / {whole}"]
    if not counts_padding and any(w.padding for w in windows):
        formulas.append("at the edge the divisor is the number of elements without the padding")
    return Rule(f"average pooling, {_slides(windows)}", tuple(formulas), example, _about(windows))


def adaptive_average_pooling(operation: Operation) -> Rule | None:
    """As average pooling, with windows as large as the sizes need."""
    given, made = operation.tensor("self").shape, operation.output.shape
    if len(given) != len(made) or len(given) < 3:
        return None
    window = math.ceil(given[-1] / max(made[-1], 1)) * math.ceil(given[-2] / max(made[-2], 1))
    outputs = 1 if made[-2:] == (1, 1) else 2
    meets = tuple(
        (q, p, 0)
        for q in range(outputs)
        for p in range(q * 4 // outputs, -(-(q + 1) * 4 // outputs))
    )
    side = Side(4, outputs, 1, meets)
    sizes = {(i, j): 16.0 / outputs**2 for i in range(outputs) for j in range(outputs)}
    if outputs == 1:
        formula = f"∂L/∂x[p] = ∂L/∂y / {window}, the same for every position"
    else:
        formula = f"∂L/∂x[p] = Σ over the windows q that hold p of ∂L/∂y[q] / {window}"
    title = f"average pooling to {_times(made[2:] if len(made) > 3 else made[1:])}"
    return Rule(title, (formula,), _shared(side, side, sizes), f"shown with {_times([4, 4])}")


def global_mean(operation: Operation) -> Rule | None:
    """The mean over all positions."""
    given = operation.tensor("self").shape
    size = operation.tensor("self").numel // max(operation.output.numel, 1)
    if len(given) < 2 or size < 2:
        return None
    side = Side(4, 1, 1, tuple((0, p, 0) for p in range(4)))
    formula = f"∂L/∂x[p] = ∂L/∂y / {size}, the same for every position"
    return Rule("mean", (formula,), _shared(side, side, {(0, 0): 16.0}), "shown with 4×4")


def _shared(rows: Side, columns: Side, sizes: dict[tuple[int, int], float]) -> tuple[Matrix, ...]:
    x = _grid(VALUES, rows.inputs, columns.inputs)
    y, dx = _zeros(rows.outputs, columns.outputs), _zeros(rows.inputs, columns.inputs)
    g = _counting(rows.outputs, columns.outputs)
    for (q1, q2), (p1, p2), _ in _pairs(rows, columns):
        y[q1][q2] += x[p1][p2] / sizes[q1, q2]
        dx[p1][p2] += g[q1][q2] / sizes[q1, q2]
    return _pooled(x, y, g, dx)


def _pooled(x: Grid, y: Grid, g: Grid, dx: Grid) -> tuple[Matrix, ...]:
    return _matrix("x", x), _matrix("y", y), _matrix("∂L/∂y", g), _matrix("∂L/∂x", dx)


# --- the others ---


def linear(operation: Operation) -> Rule:
    """Going back, the transposed matrix."""
    w, x, g = _grid(SIGNED, 2, 3), [1.0, 2.0, -1.0], [1.0, 2.0]
    has_bias = operation.name == "aten.addmm" or isinstance(operation.argument("bias"), TensorSpec)
    y = [sum(a * b for a, b in zip(row, x)) + has_bias for row in w]
    dx = [sum(w[i][j] * g[i] for i in range(2)) for j in range(3)]
    formulas = ["∂L/∂x = Wᵀ·∂L/∂y", "∂L/∂W = ∂L/∂y·xᵀ, summed over examples"]
    formulas += ["∂L/∂b = ∂L/∂y, summed over examples"] if has_bias else []
    example = [
        _matrix("x", [[v] for v in x]), _matrix("W", w), _matrix("y", [[v] for v in y]),
        _matrix("∂L/∂y", [[v] for v in g]), _matrix("∂L/∂x", [[v] for v in dx]),
        _matrix("∂L/∂W", [[a * b for b in x] for a in g]),
    ]  # fmt: skip
    return Rule(
        "linear layer, y = W·x" + (" + b" if has_bias else ""),
        tuple(formulas),
        tuple(example),
        "b = 1" if has_bias else "",
        has_weights=True,
    )


def batch_norm(operation: Operation) -> Rule:
    """In training mean and deviation depend on every element, so each gradient has three terms."""
    shape = operation.inputs[0].shape
    count = math.prod(shape) // shape[1] if len(shape) > 1 else 1
    x, g, gamma, beta = [1.0, 5.0, 0.0], [1.0, 2.0, 3.0], 2.0, 1.0
    size = len(x)
    mean = sum(x) / size
    deviation = math.sqrt(sum((v - mean) ** 2 for v in x) / size + EPS)
    normal = [(v - mean) / deviation for v in x]
    d_gamma, d_beta = sum(a * b for a, b in zip(g, normal)), sum(g)
    dx = [
        gamma / (size * deviation) * (size * gradient - d_beta - value * d_gamma)
        for gradient, value in zip(g, normal)
    ]
    formulas = (
        "z = (x − μ) / σ, y = γ·z + β, with μ and σ of the n elements of a channel",
        f"∂L/∂x = γ/(n·σ)·(n·∂L/∂y − Σ ∂L/∂y − z·Σ(∂L/∂y·z)), here n = {count:,}",
        "∂L/∂γ = Σ ∂L/∂y·z, ∂L/∂β = Σ ∂L/∂y",
        "in testing μ and σ are constants, and ∂L/∂x = γ/σ·∂L/∂y",
    )
    example = (
        _matrix("x", [x]), _matrix("y", [[gamma * v + beta for v in normal]]),
        _matrix("∂L/∂y", [g]), _matrix("∂L/∂x", [dx]),
        Matrix("∂L/∂γ", ((d_gamma,),)), Matrix("∂L/∂β", ((d_beta,),)),
    )  # fmt: skip
    return Rule("batch normalisation", formulas, example, "γ = 2, β = 1, in training")


def _activation(
    title: str, formula: str, value: Callable[[float], float], slope: Callable[[float], float]
) -> Callable[[Operation], Rule]:
    """A rule for a function of each element by itself."""

    def rule(operation: Operation) -> Rule:  # noqa: ARG001
        x = [-2.0, 0.0, 1.0, 3.0]
        g = [1.0, 2.0, 3.0, 4.0]
        example = (
            _matrix("x", [x]), _matrix("y", [[value(v) for v in x]]), _matrix("∂L/∂y", [g]),
            _matrix("∂L/∂x", [[d * slope(v) for d, v in zip(g, x)]]),
        )  # fmt: skip
        return Rule(title, (formula,), example)

    return rule


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def addition(operation: Operation) -> Rule | None:
    """Both summands get the whole gradient: why a shortcut carries it on."""
    if len(operation.inputs) < 2 or operation.argument("alpha") not in (None, 1):
        return None
    a, b, g = [1.0, 5.0, 2.0], [3.0, -1.0, 0.0], [1.0, 2.0, 3.0]
    example = (
        _matrix("a", [a]), _matrix("b", [b]), _matrix("y", [[u + v for u, v in zip(a, b)]]),
        _matrix("∂L/∂y", [g]), _matrix("∂L/∂a", [g]), _matrix("∂L/∂b", [g]),
    )  # fmt: skip
    formula = "∂L/∂a = ∂L/∂b = ∂L/∂y: each summand gets the whole gradient"
    return Rule("addition, y = a + b", (formula, *_repeated(operation)), example)


def multiplication(operation: Operation) -> Rule | None:
    """Each factor gets the gradient times the other."""
    if len(operation.inputs) < 2:
        return None
    a, b, g = [1.0, 5.0, 2.0], [3.0, -1.0, 0.0], [1.0, 2.0, 3.0]
    example = (
        _matrix("a", [a]), _matrix("b", [b]), _matrix("y", [[u * v for u, v in zip(a, b)]]),
        _matrix("∂L/∂y", [g]), _matrix("∂L/∂a", [[u * v for u, v in zip(b, g)]]),
        _matrix("∂L/∂b", [[u * v for u, v in zip(a, g)]]),
    )  # fmt: skip
    formula = "∂L/∂a = b·∂L/∂y, ∂L/∂b = a·∂L/∂y"
    return Rule("product, y = a·b", (formula, *_repeated(operation)), example)


def _repeated(operation: Operation) -> tuple[str, ...]:
    """What is added where one of the two is smaller than the result."""
    if all(spec.shape == operation.output.shape for spec in operation.inputs):
        return ()
    return ("the smaller one was repeated, so its gradient is summed over where it was",)


def concatenation(operation: Operation) -> Rule:
    """Each part gets its part of the gradient."""
    parts = len(operation.inputs)
    example = (
        _matrix("a", [[1.0, 5.0]]), _matrix("b", [[2.0, 0.0, 3.0]]),
        _matrix("y", [[1.0, 5.0, 2.0, 0.0, 3.0]]), _matrix("∂L/∂y", [[1.0, 2.0, 3.0, 4.0, 5.0]]),
        _matrix("∂L/∂a", [[1.0, 2.0]]), _matrix("∂L/∂b", [[3.0, 4.0, 5.0]]),
    )  # fmt: skip
    formula = f"each of the {parts} parts gets its part of ∂L/∂y, unchanged"
    return Rule("concatenation", (formula,), example)


def softmax(operation: Operation) -> Rule:  # noqa: ARG001
    """The scores compete: each gradient has the mean of all taken off."""
    x, g = [1.0, 2.0, 0.0], [1.0, 2.0, 3.0]
    total = sum(map(math.exp, x))
    y = [math.exp(v) / total for v in x]
    mean = sum(a * b for a, b in zip(g, y))
    example = (
        _matrix("x", [x]), _matrix("y", [y]), _matrix("∂L/∂y", [g]),
        _matrix("∂L/∂x", [[b * (a - mean) for a, b in zip(g, y)]]),
    )  # fmt: skip
    return Rule("softmax", ("∂L/∂x = y·(∂L/∂y − Σ y·∂L/∂y)",), example)


RULES: dict[str, Callable[[Operation], Rule | None]] = {
    **dict.fromkeys(("convolution", "_convolution", "conv1d", "conv2d", "conv3d"), convolution),
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices",
         "max_pool2d_with_indices", "max_pool3d_with_indices"), max_pooling,
    ),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), average_pooling),
    **dict.fromkeys(
        ("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d",
         "adaptive_avg_pool2d", "adaptive_avg_pool3d"), adaptive_average_pooling,
    ),
    "mean": global_mean,
    **dict.fromkeys(("addmm", "linear", "mm"), linear),
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm", "batch_norm",
         "_native_batch_norm_legit_no_training", "_batch_norm_with_update"), batch_norm,
    ),
    "relu": _activation(
        "ReLU", "∂L/∂x = ∂L/∂y where x > 0, and 0 elsewhere",
        lambda x: max(x, 0.0), lambda x: float(x > 0),
    ),
    "sigmoid": _activation(
        "sigmoid", "∂L/∂x = y·(1 − y)·∂L/∂y, at most a quarter of it",
        _sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x)),
    ),
    "tanh": _activation(
        "tanh", "∂L/∂x = (1 − y²)·∂L/∂y", math.tanh, lambda x: 1 - math.tanh(x) ** 2,
    ),
    "silu": _activation(
        "SiLU (swish), y = x·σ(x)", "∂L/∂x = (σ(x) + y·(1 − σ(x)))·∂L/∂y",
        lambda x: x * _sigmoid(x),
        lambda x: _sigmoid(x) + x * _sigmoid(x) * (1 - _sigmoid(x)),
    ),
    "hardtanh": _activation(
        "clipping to 0…6 (ReLU6)", "∂L/∂x = ∂L/∂y between the ends, and 0 beyond",
        lambda x: min(max(x, 0.0), 6.0), lambda x: float(0 < x < 6),
    ),
    "add": addition,
    "mul": multiplication,
    "cat": concatenation,
    **dict.fromkeys(("_softmax", "softmax"), softmax),
}  # fmt: skip
"""Rule by name of the operator, without namespace and without what says that it is in place."""

REARRANGING = frozenset(
    ("alias", "as_strided", "chunk", "clone", "contiguous", "copy", "detach", "empty",
     "empty_like", "expand", "flatten", "permute", "reshape", "select", "slice", "split",
     "split_with_sizes", "squeeze", "t", "to", "_to_copy", "transpose", "unbind", "unflatten",
     "unsqueeze", "_unsafe_view", "view")
)  # fmt: skip
"""Operators that only rearrange: the gradient is rearranged back."""


def backward_of(trace: Trace, path: str) -> tuple[tuple[Backward, ...], tuple[str, ...]]:
    """How gradients go back through what runs in a layer and under it, last operation first.

    Each rule comes once, with the shapes of the operation that runs last.  The second result are
    operators without a rule here.

    Raises:
        UnknownLayer: the model has no layer of that path.
    """
    if all(layer.path != path for layer in trace.layers):
        raise UnknownLayer(trace.model.reference, path, [x.path for x in trace.layers if x.path])
    prefix = f"{path}." if path else ""
    found: dict[tuple[str, str], Backward] = {}
    without: dict[str, None] = {}
    for call, costed in reversed(tuple(costed_calls(trace))):
        if call.layer != path and not call.layer.startswith(prefix):
            continue
        operation = call.operation
        name = operation.name.removeprefix("aten.").rstrip("_")
        if name in REARRANGING or not operation.outputs or "float" not in operation.output.dtype:
            continue
        make = RULES.get(name)
        rule = make(operation) if make and operation.inputs else None
        if rule is None:
            without[operation.name] = None
            continue
        key = rule.title, "".join(rule.formulas)
        macs = costed.cost.macs if rule.has_weights else 0
        before = found.get(key)
        if before is not None:
            found[key] = replace(
                before, calls=before.calls + 1, input_macs=before.input_macs + macs,
                weight_macs=before.weight_macs + macs,
            )  # fmt: skip
            continue
        found[key] = Backward(
            op=operation.name,
            layer=call.layer,
            calls=1,
            rule=rule.title,
            formulas=rule.formulas,
            gradient_in=operation.output,
            gradient_out=operation.inputs[_given(operation)],
            input_macs=macs,
            weight_macs=macs,
            example=rule.example,
            about_example=rule.about,
        )
    return tuple(found.values()), tuple(without)


def _given(operation: Operation) -> int:
    """Which of its tensors is the layer's input: of `addmm` the second, after the bias."""
    return 1 if operation.name == "aten.addmm" and len(operation.inputs) > 1 else 0
