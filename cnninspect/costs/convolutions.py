"""Convolutions, from the operation to its law.

A weight is (out channels, in channels / groups, *window); a transposed convolution's is (in
channels, out channels / groups, *window).  Inputs are (batch, channels, *positions), or without
the batch.
"""

from __future__ import annotations

from math import prod

from cnninspect.costs import laws
from cnninspect.costs.laws import Terms
from cnninspect.records.operations import Operation, TensorSpec


def convolution(operation: Operation) -> Terms:
    """A convolution, transposed if its argument `transposed` says so.

    The input is called `input` by some operators and `self` by others.
    """
    if operation.argument("transposed"):
        return transposed_convolution(operation)
    return convolution_of(_input(operation), operation.tensor("weight"), operation.output)


def transposed_convolution(operation: Operation) -> Terms:
    """A transposed convolution."""
    return transposed_of(_input(operation), operation.tensor("weight"))


def time_first_convolution(operation: Operation) -> Terms:
    """`conv_tbc`: input (time, batch, in channels), weight (window, in channels, out channels)."""
    kernel, in_channels, out_channels = operation.tensor("weight").shape
    time, batch = operation.output.shape[:2]
    return laws.convolution(
        batch=batch,
        positions=time,
        out_channels=out_channels,
        in_channels_per_group=in_channels,
        kernel=kernel,
    )


def packed_convolution(operation: Operation) -> Terms:
    """A quantised convolution, whose first two arguments are the input and the weight."""
    given, weight = _packed(operation)
    return convolution_of(given, weight, operation.output)


def packed_transposed_convolution(operation: Operation) -> Terms:
    """The same, transposed."""
    given, weight = _packed(operation)
    return transposed_of(given, weight)


def _packed(operation: Operation) -> tuple[TensorSpec, TensorSpec]:
    given, *weights = operation.inputs or (None,)
    if given is None or not weights:
        raise ValueError("its weight is packed and shows no shape")
    return given, weights[0]


def convolution_backward(operation: Operation) -> Terms:
    """As many again as forward for the input's gradient, and for the weight's.

    `output_mask` says which of (input, weight, bias) is wanted.
    """
    weight, grad = operation.tensor("weight"), operation.tensor("grad_output")
    if operation.argument("transposed"):
        forward = transposed_of(_input(operation), weight)
    else:
        forward = convolution_of(_input(operation), weight, grad)
    return forward * _wanted(operation)


def deformable_convolution_backward(operation: Operation) -> Terms:
    """As many again as forward for the columns that the windows gather, and for the weight."""
    weight, grad = operation.tensor("weight"), operation.tensor("grad")
    return convolution_of(_input(operation), weight, grad) * 2


def transposed_convolution_backward(operation: Operation) -> Terms:
    """The same for operators that are always transposed."""
    return transposed_of(_input(operation), operation.tensor("weight")) * _wanted(operation)


def convolution_of(given: TensorSpec, weight: TensorSpec, output: TensorSpec) -> Terms:
    """A convolution of these tensors."""
    out_channels, in_channels_per_group, *window = weight.shape
    spatial = len(window)
    return laws.convolution(
        batch=prod(given.shape[: -spatial - 1]),
        positions=prod(output.shape[-spatial:]),
        out_channels=out_channels,
        in_channels_per_group=in_channels_per_group,
        kernel=prod(window),
    )


def transposed_of(given: TensorSpec, weight: TensorSpec) -> Terms:
    """A transposed convolution of these tensors."""
    in_channels, out_channels_per_group, *window = weight.shape
    spatial = len(window)
    return laws.transposed_convolution(
        batch=prod(given.shape[: -spatial - 1]),
        in_positions=prod(given.shape[-spatial:]),
        in_channels=in_channels,
        out_channels_per_group=out_channels_per_group,
        kernel=prod(window),
    )


def _input(operation: Operation) -> TensorSpec:
    first = operation.argument("input")
    return first if isinstance(first, TensorSpec) else operation.tensor("self")


def _wanted(operation: Operation) -> int:
    mask = operation.argument("output_mask")
    if not isinstance(mask, tuple):
        raise TypeError("output_mask is not a tuple")
    return sum(bool(wanted) for wanted in mask[:2])
