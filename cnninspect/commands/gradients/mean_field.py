"""How the gradient of a plain stack must change from layer to layer, by mean field theory.

Between the outputs of two neighbouring layers a gradient is multiplied by the upper layer's
weights, by the derivative of the activation between them, and by 1/σ where batch normalisation
divides by a deviation σ.  With weights that are drawn independently, mean squares multiply:

    ‖g(lower)‖² = ‖g(upper)‖² · fan-in · mean(w²) · E[φ′(z)²] · 1/σ²

where z is normal with the spread that was measured (1 after batch normalisation).

Sources: Glorot, Bengio 2010 (variance 2/(fan-in + fan-out), for a slope of 1); He et al. 2015,
arXiv:1502.01852, section 2.2 (E[φ′²] = 1/2 for ReLU, hence 2/fan-in); Schoenholz et al. 2017,
arXiv:1611.01232, equation 9 (χ = σw² E[φ′²]); Yang et al. 2019, arXiv:1902.08129 (with batch
normalisation and ReLU √(π/(π−1)) = 1.21 per layer, whatever the weights).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from cnninspect.commands.gradients.report import LayerGradients
from cnninspect.metrics.depth import is_weighted_work
from cnninspect.records.operations import Call
from cnninspect.records.traces import Trace

Function = Callable[[float], float]


def _logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation and its derivative."""

    value: Function
    derivative: Function


ACTIVATIONS = {
    "relu": Activation(lambda z: max(z, 0.0), lambda z: float(z > 0)),
    "sigmoid": Activation(_logistic, lambda z: _logistic(z) * (1 - _logistic(z))),
    "tanh": Activation(math.tanh, lambda z: 1 - math.tanh(z) ** 2),
}
"""By the operator's name, without the mark of working in place."""
NEUTRAL = frozenset(
    ("view", "reshape", "_unsafe_view", "flatten", "t", "transpose", "permute", "alias", "detach",
     "empty", "add_", "expand", "clone")
)  # fmt: skip
"""Operators that leave a gradient's norm as it is; `add_` counts the batches of a normalisation."""
HALVES = 400
"""Points on either side of 0 at which expectations are summed."""


def predicted_slope(trace: Trace, layers: Sequence[LayerGradients], *, paths: int) -> float | None:
    """The slope of log10 of the gradient's root mean square over depth; above 0, it shrinks.

    `layers` are the weighted ones with their measured sizes, `paths` the gradient paths; the last
    layer, which gives the classes, is left out as in the measured slope.  None for what is no plain
    stack: several paths, or an operator between layers that is not known here.
    """
    layers = layers[:-1]
    if paths != 1 or len(layers) < 2:
        return None
    gains = []
    between = _between(trace, [layer.path for layer in layers])
    for number, (lower, upper) in enumerate(pairwise(layers)):
        found = between[number] if between else None
        gain = None if found is None else _gain(lower, upper, found, is_first=number == 0)
        if gain is None:
            return None
        gains.append(gain)
    curve = [0.0]
    for gain in reversed(gains):
        curve.append(curve[-1] + gain)
    return median_slope(list(enumerate(reversed(curve))))


@dataclass(frozen=True, slots=True)
class Between:
    """What lies between two layers, and how large the tensors at its ends are."""

    activation: Activation | None
    is_normalised: bool
    lower_elements: int
    """Of the lower layer's output."""
    connections: float
    """Weights that meet in one element of the upper layer's output."""
    upper_weights: int
    upper_elements: int


def _between(trace: Trace, paths: Sequence[str]) -> list[Between | None]:
    """For each pair of neighbours what lies between them; empty where the calls are no chain."""
    work = {}
    for call in trace.calls:
        if call.layer in paths and is_weighted_work(call):
            if call.layer in work:
                return []
            work[call.layer] = call
    if set(work) != set(paths):
        return []
    return [_found(trace, work[lower], work[upper]) for lower, upper in pairwise(paths)]


def _found(trace: Trace, lower: Call, upper: Call) -> Between | None:
    activation, is_normalised = None, False
    for call in trace.calls[lower.index + 1 : upper.index]:
        name = call.operation.name.partition(".")[2].rstrip("_")
        if name in ACTIVATIONS and activation is None:
            activation = ACTIVATIONS[name]
        elif "batch_norm" in name and not is_normalised and activation is None:
            is_normalised = True
        elif call.operation.name.partition(".")[2] not in NEUTRAL:
            return None
    layer = next(layer for layer in trace.layers if layer.path == upper.layer)
    weights = [p.spec.shape for p in layer.parameters if len(p.spec.shape) > 1]
    if len(weights) != 1 or 0 in weights[0]:
        return None
    count = math.prod(weights[0])
    return Between(
        activation,
        is_normalised,
        lower.operation.output.numel,
        count / weights[0][0],
        count,
        upper.operation.output.numel,
    )


def _gain(
    lower: LayerGradients, upper: LayerGradients, between: Between, *, is_first: bool
) -> float | None:
    """Powers of ten by which the root mean square grows from the upper output to the lower."""
    if not upper.parameter_norm or not lower.activation_rms:
        return None
    if not all(map(math.isfinite, (upper.parameter_norm, lower.activation_rms))):
        return None
    mean_square = upper.parameter_norm**2 / between.upper_weights  # biases are few and small
    gain = between.connections * mean_square * between.upper_elements / between.lower_elements
    spread = 1.0 if between.is_normalised else lower.activation_rms
    if between.is_normalised:
        gain /= _variance(lower.activation_rms, between.activation, is_first=is_first)
    activation = between.activation
    if activation is not None:
        gain *= _mean(lambda z: activation.derivative(spread * z) ** 2)
    return 0.5 * math.log10(gain) if gain > 0 else None


def _variance(rms: float, activation: Activation | None, *, is_first: bool) -> float:
    """The variance by which batch normalisation divides, from the mean square before it.

    The inputs of a layer are outputs of the activation, whose mean is the same for all examples and
    so no part of the variance; those of the first layer have mean 0.
    """
    if is_first or activation is None:
        return rms**2
    mean, square = _mean(activation.value), _mean(lambda z: activation.value(z) ** 2)
    return rms**2 * (square - mean**2) / square


def _mean(function: Function) -> float:
    """The expectation of a function of a standard normal number, by the midpoint rule."""
    width = 8 / HALVES
    places = ((k + 0.5) * width - 8 for k in range(2 * HALVES))
    return sum(function(z) * math.exp(-z * z / 2) for z in places) * width / math.sqrt(2 * math.pi)


def median_slope(points: Sequence[tuple[float, float]]) -> float | None:
    """The median of the slopes between all pairs of points; None for fewer than two points.

    One outlier, such as the layer that gives the classes, cannot move it.  Source: Theil 1950, A
    Rank-Invariant Method of Linear and Polynomial Regression Analysis; Sen 1968.
    """
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 != x1]
    return statistics.median(slopes) if slopes else None
