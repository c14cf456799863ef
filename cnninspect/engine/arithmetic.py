"""Output shapes of the operators that are dear to work out, as plain arithmetic.

PyTorch works out a convolution of abstract tensors in Python, in 0.2 to 0.4 ms.  Each function
here gives the same layouts in microseconds, or None where the case is not the plain one (mixed
memory formats, shapes that do not fit): then PyTorch is asked, and raises its own error.
The tests compare each with PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.elementwise import ELEMENTWISE, is_plain, like
from cnninspect.engine.layouts import Layout, contiguous
from cnninspect.engine.pooling import POOLING
from cnninspect.engine.sequences import SEQUENCES


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int,
) -> tuple[Layout, ...] | None:  # fmt: skip
    """`aten.convolution` of a batch `(N, C, *spatial)`, row by row in memory."""
    rank = x.dim() - 2
    if transposed or rank not in (1, 2, 3) or weight.dim() != x.dim() or x.dtype != weight.dtype:
        return None
    if not (x.is_contiguous() and weight.is_contiguous()):
        return None
    if len(stride) != rank or len(padding) != rank or len(dilation) != rank:
        return None
    (batch, channels), outputs = x.shape[:2], weight.shape[0]
    if batch == 0 or groups < 1 or weight.shape[1] * groups != channels or outputs % groups:
        return None
    if bias is not None and tuple(bias.shape) != (outputs,):
        return None
    sizes = []
    for size, kernel, step, pad, dilate in zip(
        x.shape[2:], weight.shape[2:], stride, padding, dilation
    ):
        span = size + 2 * pad - dilate * (kernel - 1) - 1
        if span < 0 or step < 1 or pad < 0 or dilate < 1 or size < 1:
            return None
        sizes.append(span // step + 1)
    shape = (batch, outputs, *sizes)
    return ((shape, contiguous(shape), x.dtype),)


def batch_norm_testing(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor,
    momentum: float, epsilon: float,
) -> tuple[Layout, ...] | None:  # fmt: skip
    """`aten._native_batch_norm_legit_no_training`: the output and two empty statistics."""
    return batch_norm(x, weight, bias, mean, variance, False, momentum, epsilon)


def batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None,
    variance: Tensor | None, training: bool, momentum: float, epsilon: float,
) -> tuple[Layout, ...] | None:  # fmt: skip
    """`aten.native_batch_norm`: the output, and mean and inverse deviation when training."""
    if x.dim() < 2 or x.dtype != torch.float32 or not x.is_contiguous() or 0 in x.shape:
        return None
    if not training and (mean is None or variance is None):
        return None
    for tensor in (weight, bias, mean, variance):
        if tensor is not None and (
            tuple(tensor.shape) != (x.shape[1],) or tensor.dtype != torch.float32
        ):
            return None
    shape = tuple(x.shape)
    per_channel: Layout = ((shape[1] if training else 0,), (1,), x.dtype)
    return ((shape, contiguous(shape), x.dtype), per_channel, per_channel)


def batch_norm_backward(
    gradient: Tensor, x: Tensor, weight: Tensor | None, mean: Tensor | None,
    variance: Tensor | None, saved_mean: Tensor | None, saved_deviation: Tensor | None,
    training: bool, epsilon: float, wanted: Sequence[bool],
) -> tuple[Layout, ...] | None:  # fmt: skip
    """`aten.native_batch_norm_backward`: gradients of the input, the weight and the bias."""
    if not all(wanted) or weight is None or not is_plain(gradient) or not is_plain(x):
        return None
    if any(t.dtype != torch.float32 for t in (gradient, x, weight)) or x.dim() < 2:
        return None
    per_channel: Layout = ((x.shape[1],), (1,), x.dtype)
    return (like(x), per_channel, per_channel)


def addmm(bias: Tensor, left: Tensor, right: Tensor, **scales: Any) -> tuple[Layout, ...] | None:
    """`aten.addmm` of a bias per column, `(M, K)` and `(K, N)`."""
    if scales or left.dim() != 2 or right.dim() != 2 or left.shape[1] != right.shape[0]:
        return None
    if bias.dtype != left.dtype or left.dtype != right.dtype:
        return None
    shape = (left.shape[0], right.shape[1])
    if bias.dim() != 1 or bias.shape[0] != shape[1] or math.prod(shape) == 0:
        return None
    return ((shape, contiguous(shape), left.dtype),)


def grouped_product(
    left: Tensor,
    right: Tensor,
    offsets: Tensor | None = None,
    bias: Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[Layout, ...] | None:
    """`aten._grouped_mm`: rows `(M, K)` by group times `(G, K, N)`, or each group's own pair.

    PyTorch answers for one dtype only.
    """
    if bias is not None or left.dim() != 2 or right.dim() != 3 or offsets is None:
        return None
    if left.shape[1] != right.shape[1] or left.dtype != right.dtype:
        return None
    shape = (left.shape[0], right.shape[2])
    return ((shape, contiguous(shape), dtype or left.dtype),)


ARITHMETIC: dict[str, Callable[..., tuple[Layout, ...] | None]] = {
    "aten.convolution": convolution,
    "aten._native_batch_norm_legit_no_training": batch_norm_testing,
    "aten.native_batch_norm": batch_norm,
    "aten.native_batch_norm_backward": batch_norm_backward,
    "aten.addmm": addmm,
    "aten._grouped_mm": grouped_product,
    **ELEMENTWISE,
    **POOLING,
    **SEQUENCES,
}
"""By operator; each takes the operator's own arguments."""
