"""What people have counted: each a function of a trace and of the layer that the count is of.

`data/recomputed_papers.txt` calls them by their names in `MEASURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from math import prod

import cnninspect
from cnninspect.metrics.summary import Summary
from cnninspect.records.operations import Call
from cnninspect.records.traces import Parameter, Trace

Measure = Callable[[Trace, str], int]


@cache
def traced(reference: str, shape: tuple[int, ...] | None = None) -> Trace:
    """The trace of a reference, for an input of its own or of this shape; made once."""
    return cnninspect.trace(reference, inputs=None if shape is None else [shape])


@cache
def summarized(
    reference: str, shape: tuple[int, ...] | None = None, *, convention: str = "macs"
) -> Summary:
    """The summary of a reference, made once."""
    return cnninspect.summarize(traced(reference, shape), convention=convention)


def measured(measure: str, trace: Trace, layer: str = "") -> int:
    """The count of that name: one of this module, or a convention of `--count-as`."""
    if measure in MEASURES:
        return MEASURES[measure](trace, layer)
    summary = cnninspect.summarize(trace, convention=measure)
    return {row.path: row for row in summary.layers}[layer].total.convention


# --- parameters ---


def parameters(trace: Trace, layer: str) -> int:
    """All of them."""
    summary = cnninspect.summarize(trace)
    return {row.path: row for row in summary.layers}[layer].total.parameters


def weights(trace: Trace, layer: str) -> int:
    """All but the biases."""
    named = _parameters(trace, layer)
    return sum(p.spec.numel for _, p in named if not p.name.startswith("bias"))


def convolution_weights(trace: Trace, layer: str) -> int:
    """The weights of convolutions, without normalisation and without the last layer."""
    return sum(
        p.spec.numel
        for kind, p in _parameters(trace, layer)
        if kind == "Conv2d" and p.name == "weight"
    )


def with_statistics(trace: Trace, layer: str) -> int:
    """Parameters, and the running means and variances of batch normalisation, as Caffe has them."""
    return parameters(trace, layer) + sum(
        buffer.spec.numel
        for held in _under(trace, layer)
        for buffer in held.buffers
        if buffer.name.startswith("running_")
    )


def with_one_bias(trace: Trace, layer: str) -> int:
    """Parameters of recurrent layers with one bias for each gate: PyTorch has two, Keras one."""
    named = _parameters(trace, layer)
    return sum(p.spec.numel for _, p in named if not p.name.startswith("bias_hh"))


# --- work ---


def convolution_macs(trace: Trace, layer: str) -> int:
    """Multiply-accumulates of convolutions alone, as ResNet's paper quotes VGG-16's."""
    summary = cnninspect.summarize(trace)
    under = {held.path for held in _under(trace, layer) if held.type == "Conv2d"}
    return sum(row.own.macs for row in summary.layers if row.path in under)


def macs_and_se(trace: Trace, layer: str) -> int:
    """Multiply-accumulates, residual sums, squeezes and scalings, element by element.

    Source: Hu et al., arXiv:1709.01507v4, section 4, names the pooling of the squeeze and the
    scaling among what an SE block costs.
    """
    counted = measured("macs", trace, layer)
    for call in _calls(trace, layer):
        if call.operation.name == "aten.mean":
            counted += call.operation.inputs[0].numel
        elif call.operation.name in ("aten.add", "aten.add_", "aten.mul"):
            counted += call.operation.output.numel
    return counted


def convnet_burden(trace: Trace, layer: str) -> int:
    """Multiply-accumulates, biases, two for each ReLU and each position under a pooling's stride.

    Source: https://github.com/albanie/convnet-burden, core/burden.m, computeFlops.
    """
    counted = 0
    for call in _calls(trace, layer):
        operation = call.operation
        if operation.name in ("aten.relu", "aten.relu_"):
            counted += 2 * operation.output.numel
        elif operation.name == "aten.max_pool2d_with_indices":
            stride = operation.argument("stride")
            assert isinstance(stride, tuple)
            counted += 2 * operation.output.numel * prod(stride)
    return counted + measured("pycls", trace, layer)  # multiply-accumulates and biases


MEASURES: dict[str, Measure] = {
    "parameters": parameters,
    "weights": weights,
    "convolution weights": convolution_weights,
    "parameters and statistics": with_statistics,
    "parameters with one bias": with_one_bias,
    "convolution macs": convolution_macs,
    "macs, sums, squeezes, scalings": macs_and_se,
    "convnet-burden": convnet_burden,
}


def _under(trace: Trace, layer: str) -> Iterator:
    return (held for held in trace.layers if _is_under(held.path, layer))


def _is_under(path: str, layer: str) -> bool:
    return not layer or path == layer or path.startswith(f"{layer}.")


def _parameters(trace: Trace, layer: str) -> list[tuple[str, Parameter]]:
    """Type of the layer and each of its parameters, shared ones once."""
    return [
        (held.type, parameter)
        for held in _under(trace, layer)
        for parameter in held.parameters
        if parameter.shared_with is None
    ]


def _calls(trace: Trace, layer: str) -> list[Call]:
    return [call for call in trace.calls if _is_under(call.layer, layer)]
