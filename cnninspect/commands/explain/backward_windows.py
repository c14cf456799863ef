"""How a gradient goes back through windows that slide: convolution and pooling, with examples.

The examples have the layer's own window, as far as that is small.

Source: LeCun et al. 1989, Backpropagation Applied to Handwritten Zip Code Recognition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from cnninspect.commands.explain.report import Matrix
from cnninspect.records.operations import Operation, TensorSpec

Grid = list[list[float]]

VALUES = (1, 5, 2, 0, 3, 2, 4, 1, 0, 3, 6, 2, 4, 0, 5, 3, 1, 2, 7, 1, 0, 4, 2, 3, 5)
WEIGHTS = (1, 0, -1, 2, 1, 0, 0, -1, 1)
MOST_TAPS = 3
"""Taps of a window to a side that an example has room for."""


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


def grid(values: Sequence[float], rows: int, columns: int) -> Grid:
    """So many numbers, over and over again."""
    numbers = islice(cycle(values), rows * columns)
    return [[next(numbers) for _ in range(columns)] for _ in range(rows)]


def _zeros(rows: int, columns: int) -> Grid:
    return [[0.0] * columns for _ in range(rows)]


def _counting(rows: int, columns: int) -> Grid:
    """1, 2, 3, …: a gradient that is easy to find again."""
    return [[float(i * columns + j + 1) for j in range(columns)] for i in range(rows)]


def matrix(name: str, rows: Sequence[Sequence[float]]) -> Matrix:
    """A tensor of an example."""
    return Matrix(name, tuple(tuple(float(v) for v in row) for row in rows))


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
    x = grid(VALUES, rows.inputs, columns.inputs)
    w = grid(WEIGHTS, rows.taps, columns.taps)
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
        matrix("x", x), matrix("w", w), matrix("y", y), matrix("∂L/∂y", g),
        matrix("∂L/∂x", dx), matrix("∂L/∂w", dw),
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
    x = grid(VALUES, rows.inputs, columns.inputs)
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
    x = grid(VALUES, rows.inputs, columns.inputs)
    y, dx = _zeros(rows.outputs, columns.outputs), _zeros(rows.inputs, columns.inputs)
    g = _counting(rows.outputs, columns.outputs)
    for (q1, q2), (p1, p2), _ in _pairs(rows, columns):
        y[q1][q2] += x[p1][p2] / sizes[q1, q2]
        dx[p1][p2] += g[q1][q2] / sizes[q1, q2]
    return _pooled(x, y, g, dx)


def _pooled(x: Grid, y: Grid, g: Grid, dx: Grid) -> tuple[Matrix, ...]:
    return matrix("x", x), matrix("y", y), matrix("∂L/∂y", g), matrix("∂L/∂x", dx)
