"""How a gradient goes back through an operation: the rule, and a small example in numbers.

The examples are worked out here in plain Python; the tests hold them against `torch.autograd`.

Source: Rumelhart, Hinton, Williams 1986, Learning representations by back-propagating errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from cnninspect.commands.explain.backward_windows import (
    Rule,
    adaptive_average_pooling,
    average_pooling,
    convolution,
    global_mean,
    grid,
    matrix,
    max_pooling,
)
from cnninspect.commands.explain.report import Backward, Matrix
from cnninspect.errors import UnknownLayer
from cnninspect.metrics.summarizing import costed_calls
from cnninspect.records.operations import Operation, TensorSpec
from cnninspect.records.traces import Trace

SIGNED = (-2, 1, 3, -1, 2, 0, -3, 2, 1)
EPS = 1e-5


def linear(operation: Operation) -> Rule:
    """Going back, the transposed matrix."""
    w, x, g = grid(SIGNED, 2, 3), [1.0, 2.0, -1.0], [1.0, 2.0]
    has_bias = operation.name == "aten.addmm" or isinstance(operation.argument("bias"), TensorSpec)
    y = [sum(a * b for a, b in zip(row, x)) + has_bias for row in w]
    dx = [sum(w[i][j] * g[i] for i in range(2)) for j in range(3)]
    formulas = ["∂L/∂x = Wᵀ·∂L/∂y", "∂L/∂W = ∂L/∂y·xᵀ, summed over examples"]
    formulas += ["∂L/∂b = ∂L/∂y, summed over examples"] if has_bias else []
    example = [
        matrix("x", [[v] for v in x]), matrix("W", w), matrix("y", [[v] for v in y]),
        matrix("∂L/∂y", [[v] for v in g]), matrix("∂L/∂x", [[v] for v in dx]),
        matrix("∂L/∂W", [[a * b for b in x] for a in g]),
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
        matrix("x", [x]), matrix("y", [[gamma * v + beta for v in normal]]),
        matrix("∂L/∂y", [g]), matrix("∂L/∂x", [dx]),
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
            matrix("x", [x]), matrix("y", [[value(v) for v in x]]), matrix("∂L/∂y", [g]),
            matrix("∂L/∂x", [[d * slope(v) for d, v in zip(g, x)]]),
        )  # fmt: skip
        return Rule(title, (formula,), example)

    return rule


def leaky_relu(operation: Operation) -> Rule:
    """As ReLU, with a small slope below 0."""
    slope = operation.argument("negative_slope", 0.01)
    below = float(slope) if isinstance(slope, (int, float)) else 0.01
    return _activation(
        "leaky ReLU",
        f"∂L/∂x = ∂L/∂y where x > 0, and {below:g}·∂L/∂y elsewhere",
        lambda x: x if x > 0 else below * x,
        lambda x: 1.0 if x > 0 else below,
    )(operation)


def gelu(operation: Operation) -> Rule | None:
    """With Φ and φ of the normal distribution."""
    if operation.argument("approximate") not in (None, "none"):
        return None
    return _activation(
        "GELU, y = x·Φ(x)",
        "∂L/∂x = (Φ(x) + x·φ(x))·∂L/∂y",
        lambda x: x * _normal(x),
        lambda x: _normal(x) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    )(operation)


def _normal(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def addition(operation: Operation) -> Rule | None:
    """Both summands get the whole gradient: why a shortcut carries it on."""
    if len(operation.inputs) < 2 or operation.argument("alpha") not in (None, 1):
        return None
    a, b, g = [1.0, 5.0, 2.0], [3.0, -1.0, 0.0], [1.0, 2.0, 3.0]
    example = (
        matrix("a", [a]), matrix("b", [b]), matrix("y", [[u + v for u, v in zip(a, b)]]),
        matrix("∂L/∂y", [g]), matrix("∂L/∂a", [g]), matrix("∂L/∂b", [g]),
    )  # fmt: skip
    formula = "∂L/∂a = ∂L/∂b = ∂L/∂y: each summand gets the whole gradient"
    return Rule("addition, y = a + b", (formula, *_repeated(operation)), example)


def multiplication(operation: Operation) -> Rule | None:
    """Each factor gets the gradient times the other."""
    if len(operation.inputs) < 2:
        return scaling(operation)
    a, b, g = [1.0, 5.0, 2.0], [3.0, -1.0, 0.0], [1.0, 2.0, 3.0]
    example = (
        matrix("a", [a]), matrix("b", [b]), matrix("y", [[u * v for u, v in zip(a, b)]]),
        matrix("∂L/∂y", [g]), matrix("∂L/∂a", [[u * v for u, v in zip(b, g)]]),
        matrix("∂L/∂b", [[u * v for u, v in zip(a, g)]]),
    )  # fmt: skip
    formula = "∂L/∂a = b·∂L/∂y, ∂L/∂b = a·∂L/∂y"
    return Rule("product, y = a·b", (formula, *_repeated(operation)), example)


def scaling(operation: Operation) -> Rule | None:
    """Times a number, the gradient is taken times that number as well."""
    factor = operation.argument("other")
    if not isinstance(factor, (int, float)) or not factor or not operation.inputs:
        return None
    factor = 1 / factor if operation.name.startswith("aten.div") else float(factor)
    x, g = [1.0, 5.0, 2.0], [1.0, 2.0, 3.0]
    example = (
        matrix("x", [x]), matrix("y", [[factor * v for v in x]]), matrix("∂L/∂y", [g]),
        matrix("∂L/∂x", [[factor * v for v in g]]),
    )  # fmt: skip
    return Rule("scaling, y = c·x", (f"∂L/∂x = c·∂L/∂y, here c = {factor:g}",), example)


def _repeated(operation: Operation) -> tuple[str, ...]:
    """What is added where one of the two is smaller than the result."""
    if all(spec.shape == operation.output.shape for spec in operation.inputs):
        return ()
    return ("the smaller one was repeated, so its gradient is summed over where it was",)


def concatenation(operation: Operation) -> Rule:
    """Each part gets its part of the gradient."""
    parts = len(operation.inputs)
    example = (
        matrix("a", [[1.0, 5.0]]), matrix("b", [[2.0, 0.0, 3.0]]),
        matrix("y", [[1.0, 5.0, 2.0, 0.0, 3.0]]), matrix("∂L/∂y", [[1.0, 2.0, 3.0, 4.0, 5.0]]),
        matrix("∂L/∂a", [[1.0, 2.0]]), matrix("∂L/∂b", [[3.0, 4.0, 5.0]]),
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
        matrix("x", [x]), matrix("y", [y]), matrix("∂L/∂y", [g]),
        matrix("∂L/∂x", [[b * (a - mean) for a, b in zip(g, y)]]),
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
    "leaky_relu": leaky_relu,
    "gelu": gelu,
    "div": scaling,
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
        if not operation.inputs:  # made of nothing that has a gradient
            continue
        rule = make(operation) if make else None
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
