"""Windows of convolutions and poolings, and the matrix product that a convolution becomes."""

from __future__ import annotations

import math

from cnninspect.metrics.summary import MatrixForm
from cnninspect.records.operations import Operation
from cnninspect.records.tensors import BITS, TensorSpec

CONVOLUTIONS = ("aten.convolution", "aten._convolution", "onnx.Conv", "onnx.ConvTranspose")
POOLINGS = ("onnx.AveragePool", "onnx.LpPool", "onnx.MaxPool")
"""Those of ONNX; those of aten have it in their names."""


def kernel_of(operation: Operation) -> tuple[int, ...] | None:
    """The window of a convolution or a pooling, by dimension; None for other operations."""
    if operation.name in CONVOLUTIONS:
        tensors = _input_and_weight(operation)
        return tensors[1].shape[2:] if tensors else None
    if "_pool" in operation.name:
        return _sizes(operation, "kernel_size")
    if operation.name in POOLINGS:
        return _sizes(operation, "kernel_shape")
    return None


def stride_of(operation: Operation) -> tuple[int, ...] | None:
    """The step of that window."""
    kernel = kernel_of(operation)
    if kernel is None:
        return None
    is_onnx = operation.name.startswith("onnx.")
    # Where none is given, aten moves a pooling by its window and ONNX by one.
    ones = operation.name in CONVOLUTIONS or is_onnx
    default = (1,) * len(kernel) if ones else kernel
    return _sizes(operation, "strides" if is_onnx else "stride") or default


def matrix_form(operation: Operation) -> MatrixForm | None:
    """The matrix product of a convolution whose input is unfolded (im2col); None for others.

    Source: Chellapilla, Puri, Simard 2006, High Performance Convolutional Neural Networks for
    Document Processing.
    """
    if operation.name not in CONVOLUTIONS or _is_transposed(operation):
        return None
    tensors = _input_and_weight(operation)
    if tensors is None or len(tensors[0].shape) != len(tensors[1].shape):
        return None
    x, weight = tensors
    groups = x.shape[1] // weight.shape[1] if weight.shape[1] else 1
    inner = math.prod(weight.shape[1:])
    columns = math.prod(operation.output.shape[2:])
    unfolded = x.shape[0] * groups * inner * columns
    return MatrixForm(
        rows=weight.shape[0] // max(groups, 1),
        inner=inner,
        columns=columns,
        groups=groups,
        batch=x.shape[0],
        unfolded_bytes=unfolded * BITS[x.dtype] // 8,
    )


def _input_and_weight(operation: Operation) -> tuple[TensorSpec, TensorSpec] | None:
    """The two, of a convolution; None where a shape is not known, as in some files."""
    names = ("X", "W") if operation.name.startswith("onnx.") else ("", "weight")
    found = [operation.argument(name) if name else operation.inputs[0] for name in names]
    x, weight = found
    if not isinstance(x, TensorSpec) or not isinstance(weight, TensorSpec):
        return None
    return (x, weight) if operation.outputs else None


def _is_transposed(operation: Operation) -> bool:
    return operation.name == "onnx.ConvTranspose" or operation.argument("transposed") is True


def _sizes(operation: Operation, name: str) -> tuple[int, ...] | None:
    value = operation.argument(name)
    if isinstance(value, int):
        return (value,)
    if not isinstance(value, tuple) or not value:
        return None
    return tuple(size for size in value if isinstance(size, int))
