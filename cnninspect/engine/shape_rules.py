"""Output layouts of operators whose meta kernels are slow, as plain arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.layouts import Layout, contiguous


def of_one_tensor(x: Any, *others: Any, **options: Any) -> tuple[Layout, ...] | None:
    """A function of each element: `aten.relu(x)`, `aten.clamp(x, 0, 6)`."""
    if not gives_rows(x) or any(isinstance(v, Tensor) for v in (*others, *options.values())):
        return None
    return (like(x),)


def of_two_tensors(x: Any, y: Any, *_others: Any, **_options: Any) -> tuple[Layout, ...] | None:
    """A sum, product, … of two tensors, one of them as large as the result, or with a number."""
    if not gives_rows(x):
        return None
    if not isinstance(y, Tensor):
        return (like(x),) if isinstance(y, (bool, int, float)) else None
    if not gives_rows(y) or x.dtype != y.dtype or x.dim() == 0 or y.dim() == 0:
        return None  # a tensor without dimensions has its own rules for dtypes
    if _covers(x.shape, y.shape):
        return (like(x),)
    return (like(y),) if _covers(y.shape, x.shape) else None


def _covers(large: Sequence[int], small: Sequence[int]) -> bool:
    """Whether the smaller shape stretches to the larger one."""
    if len(small) > len(large):
        return False
    return all(a in (1, b) for a, b in zip(reversed(small), reversed(large)))


def joined(tensors: Sequence[Tensor], dim: int = 0) -> tuple[Layout, ...] | None:
    """`aten.cat`: tensors one after the other along a dimension."""
    first = tensors[0]
    rank = first.dim()
    if rank == 0 or not -rank <= dim < rank:
        return None
    axis = dim % rank
    length = 0
    for tensor in tensors:
        if not is_plain(tensor) or tensor.dtype != first.dtype or tensor.dim() != rank:
            return None
        if any(i != axis and tensor.shape[i] != first.shape[i] for i in range(rank)):
            return None
        length += tensor.shape[axis]
    shape = (*first.shape[:axis], length, *first.shape[axis + 1 :])
    return ((shape, contiguous(shape), first.dtype),)


def stacked(tensors: Sequence[Tensor], dim: int = 0) -> tuple[Layout, ...] | None:
    """`aten.stack`: tensors of one shape along a new dimension."""
    first = tensors[0]
    rank = first.dim() + 1
    if not -rank <= dim < rank or not all(
        is_plain(t) and t.dtype == first.dtype and t.shape == first.shape for t in tensors
    ):
        return None
    axis = dim % rank
    shape = (*first.shape[:axis], len(tensors), *first.shape[axis:])
    return ((shape, contiguous(shape), first.dtype),)


def multiplied(x: Any, y: Any) -> tuple[Layout, ...] | None:
    """`aten.mul`, with a mask as well."""
    if isinstance(y, Tensor) and y.dtype == torch.bool and gives_rows(x) and y.is_contiguous():
        return (like(x),) if x.dim() and y.dim() and _covers(x.shape, y.shape) else None
    return of_two_tensors(x, y)


def compared(x: Any, y: Any) -> tuple[Layout, ...] | None:
    """`aten.ge` and its kin: of two tensors, or of one with a number."""
    layouts = of_two_tensors(x, y)
    return None if layouts is None else ((*layouts[0][:2], torch.bool),)


def made_like(
    x: Any, *_values: Any, dtype: torch.dtype | None = None, layout: torch.layout | None = None,
    memory_format: torch.memory_format | None = None, **_place: Any,
) -> tuple[Layout, ...] | None:  # fmt: skip
    """`aten.empty_like` and its kin."""
    if not is_plain(x) or layout not in (None, torch.strided):
        return None
    if memory_format not in (None, torch.preserve_format, torch.contiguous_format):
        return None
    shape = tuple(x.shape)
    return ((shape, contiguous(shape), dtype or x.dtype),)


def is_plain(x: Any) -> bool:
    """Whether this is a tensor of real floats, row by row in memory, with elements."""
    return (
        isinstance(x, Tensor)
        and x.dtype.is_floating_point
        and x.is_contiguous()
        and 0 not in x.shape
    )


def gives_rows(x: Any) -> bool:
    """Whether what is made of it element by element lies row by row: it does, but for expansion."""
    if not isinstance(x, Tensor) or not x.dtype.is_floating_point or 0 in x.shape:
        return False
    if x.is_contiguous():
        return True
    strides = [stride for stride in x.stride() if stride]
    return all(a > b for a, b in pairwise(strides))


def like(x: Tensor) -> Layout:
    """The layout of a new tensor of the same shape."""
    shape = tuple(x.shape)
    return shape, contiguous(shape), x.dtype


OF_ONE = """abs celu clamp clamp_max clamp_min cos elu erf exp gelu hardsigmoid hardswish hardtanh
    leaky_relu log log_sigmoid mish neg reciprocal relu rsqrt selu sigmoid silu sin softplus sqrt
    tanh"""
OF_TWO = """add div pow rsub sub gelu_backward hardsigmoid_backward hardswish_backward
    hardtanh_backward leaky_relu_backward sigmoid_backward silu_backward tanh_backward
    threshold_backward"""
COMPARING = "eq ge gt le lt ne"

ELEMENTWISE: dict[str, Callable[..., tuple[Layout, ...] | None]] = {
    **{f"aten.{name}": of_one_tensor for name in OF_ONE.split()},
    **{f"aten.{name}": of_two_tensors for name in OF_TWO.split()},
    **{f"aten.{name}": compared for name in COMPARING.split()},
    **{
        f"aten.{name}_like": made_like
        for name in ("empty", "full", "ones", "rand", "randn", "zeros")
    },
    "aten.mul": multiplied,
    "aten.cat": joined,
    "aten.stack": stacked,
}
"""By operator."""


Arithmetic = Callable[..., "tuple[Layout, ...] | None"]


def max_pooling(rank: int) -> Arithmetic:
    """`aten.max_pool2d_with_indices` of a batch: the largest elements, and where they are."""

    def pooling(
        x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> tuple[Layout, ...] | None:  # fmt: skip
        windows = _windows(rank, kernel, stride, padding, dilation)
        shape = _pooled(x, windows, ceil_mode=ceil_mode)
        if shape is None:
            return None
        strides = contiguous(shape)
        return (shape, strides, x.dtype), (shape, strides, torch.int64)

    return pooling


def average_pooling(rank: int) -> Arithmetic:
    """`aten.avg_pool2d` of a batch."""

    def pooling(
        x: Tensor, kernel: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
        *_how: Any, **_also: Any,
    ) -> tuple[Layout, ...] | None:  # fmt: skip
        shape = _pooled(x, _windows(rank, kernel, stride, padding, 1), ceil_mode=ceil_mode)
        return None if shape is None else ((shape, contiguous(shape), x.dtype),)

    return pooling


def adaptive_average_pooling(x: Tensor, sizes: Sequence[int]) -> tuple[Layout, ...] | None:
    """`aten._adaptive_avg_pool2d` of a batch."""
    if not is_plain(x) or x.dim() != 4 or len(sizes) != 2 or min(sizes) < 1:
        return None
    shape = (*x.shape[:2], *sizes)
    return ((shape, contiguous(shape), x.dtype),)


def reduction(
    x: Tensor, dims: Sequence[int] | None = None, keepdim: bool = False, **options: Any
) -> tuple[Layout, ...] | None:
    """`aten.mean`, `sum`, `amax` or `amin` over dimensions that are named."""
    if options or not is_plain(x) or not isinstance(dims, (list, tuple)) or not dims:
        return None
    rank = x.dim()
    if any(not -rank <= dim < rank for dim in dims):
        return None
    gone = {dim % rank for dim in dims}
    if len(gone) != len(dims):
        return None
    shape = tuple(
        1 if i in gone else size for i, size in enumerate(x.shape) if keepdim or i not in gone
    )
    return ((shape, contiguous(shape), x.dtype),)


Window = tuple[int, int, int, int]
"""Size, step, padding and dilation in one dimension."""


def _windows(rank: int, kernel: Any, stride: Any, padding: Any, dilation: Any) -> list[Window]:
    def spread(value: Any) -> Sequence[int]:
        values = (value,) if isinstance(value, int) else tuple(value)
        return values * rank if len(values) == 1 else values

    return list(
        zip(spread(kernel), spread(stride) or spread(kernel), spread(padding), spread(dilation))
    )


def _pooled(x: Tensor, windows: list[Window], *, ceil_mode: bool) -> tuple[int, ...] | None:
    if not is_plain(x) or x.dim() != len(windows) + 2:
        return None
    sizes = []
    for size, (window, step, pad, dilate) in zip(x.shape[2:], windows):
        span = size + 2 * pad - dilate * (window - 1) - 1
        if window < 1 or step < 1 or dilate < 1 or span < 0 or not 0 <= 2 * pad <= window:
            return None
        steps = -(-span // step) if ceil_mode else span // step
        if ceil_mode and steps * step >= size + pad:
            steps -= 1  # the last window must begin within the input or the padding before it
        sizes.append(steps + 1)
    return (*x.shape[:2], *sizes)


POOLING: dict[str, Arithmetic] = {
    "aten.max_pool2d_with_indices": max_pooling(2),
    "aten.max_pool3d_with_indices": max_pooling(3),
    "aten.avg_pool2d": average_pooling(2),
    "aten.avg_pool3d": average_pooling(3),
    "aten._adaptive_avg_pool2d": adaptive_average_pooling,
    "aten.mean": reduction,
    "aten.sum": reduction,
    "aten.amax": reduction,
    "aten.amin": reduction,
}
"""By operator."""


def matrix_product(left: Tensor, right: Tensor) -> tuple[Layout, ...] | None:
    """`aten.mm` of `(M, K)` and `(K, N)`, `aten.bmm` of `(B, M, K)` and `(B, K, N)`."""
    if left.dim() != right.dim() or left.dtype != right.dtype or not left.dtype.is_floating_point:
        return None
    if left.shape[-1] != right.shape[-2] or left.shape[:-2] != right.shape[:-2]:
        return None
    shape = (*left.shape[:-1], right.shape[-1])
    return ((shape, contiguous(shape), left.dtype),) if 0 not in shape else None


def layer_norm(
    x: Tensor,
    normalised: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    _epsilon: float,
) -> tuple[Layout, ...] | None:
    """`aten.native_layer_norm` over the last dimensions: output, means, inverse deviations."""
    rank = len(normalised)
    if not is_plain(x) or x.dtype != torch.float32 or tuple(x.shape[-rank:]) != tuple(normalised):
        return None
    if any(t is not None and tuple(t.shape) != tuple(normalised) for t in (weight, bias)):
        return None
    statistics = (*x.shape[:-rank], *(1,) * rank)
    of_rows: Layout = (statistics, contiguous(statistics), x.dtype)
    return like(x), of_rows, of_rows


def softmax(x: Tensor, dim: int, half_to_float: bool) -> tuple[Layout, ...] | None:
    """`aten._softmax` and `aten._log_softmax`."""
    if half_to_float or not is_plain(x) or not -x.dim() <= dim < x.dim():
        return None
    return (like(x),)


def clone(x: Tensor, memory_format: torch.memory_format | None = None) -> tuple[Layout, ...] | None:
    """`aten.clone` row by row, or of what is laid out so already."""
    if memory_format is not torch.contiguous_format and not x.is_contiguous():
        return None
    shape = tuple(x.shape)
    return ((shape, contiguous(shape), x.dtype),)


def view_of_new(x: Tensor, size: Sequence[int]) -> tuple[Layout, ...] | None:
    """`aten._unsafe_view`: a tensor that nobody else has seen yet, in another shape."""
    if not x.is_contiguous() or any(length < 0 for length in size):
        return None
    if math.prod(size) != x.numel():
        return None
    return ((tuple(size), contiguous(tuple(size)), x.dtype),)


def embedding(weight: Tensor, indices: Tensor, *_how: Any) -> tuple[Layout, ...] | None:
    """`aten.embedding`: a row of the table for each index."""
    if weight.dim() != 2 or not indices.is_contiguous() or indices.dtype.is_floating_point:
        return None
    shape = (*indices.shape, weight.shape[1])
    return ((shape, contiguous(shape), weight.dtype),)


SEQUENCES: dict[str, Callable[..., tuple[Layout, ...] | None]] = {
    "aten.mm": matrix_product,
    "aten.bmm": matrix_product,
    "aten.native_layer_norm": layer_norm,
    "aten._softmax": softmax,
    "aten._log_softmax": softmax,
    "aten.clone": clone,
    "aten._unsafe_view": view_of_new,
    "aten.embedding": embedding,
}
"""By operator."""


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
) -> tuple[Layout | None, ...] | None:  # fmt: skip
    """`aten.native_batch_norm_backward`: gradients of the input, the weight and the bias.

    None in place of those that are not `wanted`, as of a frozen layer or of one without weights.
    """
    if not is_plain(gradient) or not is_plain(x) or x.dim() < 2:
        return None
    if weight is None and any(wanted[1:]):
        return None
    held = (gradient, x, weight, mean, variance, saved_mean, saved_deviation)
    if any(t is not None and t.dtype != x.dtype for t in held):
        return None
    per_channel: Layout = ((x.shape[1],), (1,), x.dtype)
    made = (like(x), per_channel, per_channel)
    return tuple(layout if is_wanted else None for layout, is_wanted in zip(made, wanted))


def group_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, batch: int, channels: int, _size: int,
    groups: int, _epsilon: float,
) -> tuple[Layout, ...] | None:  # fmt: skip
    """`aten.native_group_norm`: output, and mean and inverse deviation of each group."""
    if not is_plain(x) or x.dtype != torch.float32 or x.dim() < 2 or batch * channels == 0:
        return None
    if groups < 1 or channels % groups or tuple(x.shape[:2]) != (batch, channels):
        return None
    for tensor in (weight, bias):
        if tensor is not None and (tuple(tensor.shape) != (channels,) or tensor.dtype != x.dtype):
            return None
    of_groups: Layout = ((batch, groups), (groups, 1), x.dtype)
    return like(x), of_groups, of_groups


def group_norm_backward(
    gradient: Tensor, x: Tensor, mean: Tensor, deviation: Tensor, weight: Tensor | None,
    batch: int, channels: int, _size: int, groups: int, wanted: Sequence[bool],
) -> tuple[Layout | None, ...] | None:  # fmt: skip
    """`aten.native_group_norm_backward`: gradients of the input, the weight and the bias."""
    if not is_plain(gradient) or not is_plain(x) or x.dtype != torch.float32:
        return None
    if any(t is not None and t.dtype != x.dtype for t in (gradient, mean, deviation, weight)):
        return None
    per_channel: Layout = ((channels,), (1,), x.dtype)
    made = (like(x), per_channel, per_channel)
    return tuple(layout if is_wanted else None for layout, is_wanted in zip(made, wanted))


def layer_norm_backward(
    gradient: Tensor, x: Tensor, normalised: Sequence[int], mean: Tensor, deviation: Tensor,
    weight: Tensor | None, bias: Tensor | None, wanted: Sequence[bool],
) -> tuple[Layout | None, ...] | None:  # fmt: skip
    """`aten.native_layer_norm_backward`: gradients of the input, the weight and the bias."""
    if not is_plain(gradient) or not is_plain(x) or x.dtype != torch.float32:
        return None
    held = (gradient, mean, deviation, weight, bias)
    if any(t is not None and t.dtype != x.dtype for t in held):
        return None
    if (weight is None and wanted[1]) or (bias is None and wanted[2]):
        return None
    shape = tuple(normalised)
    of_rows: Layout = (shape, contiguous(shape), x.dtype)
    made = (like(x), of_rows, of_rows)
    return tuple(layout if is_wanted else None for layout, is_wanted in zip(made, wanted))


def addmm(bias: Tensor, left: Tensor, right: Tensor, **scales: Any) -> tuple[Layout, ...] | None:
    """`aten.addmm` of a bias per column, `(M, K)` and `(K, N)`."""
    if scales or left.dim() != 2 or right.dim() != 2 or left.shape[1] != right.shape[0]:
        return None
    if left.dtype != right.dtype:  # which PyTorch checks on every device but meta
        kinds = f"{left.dtype} and {right.dtype}"
        raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {kinds}")
    if bias.dtype != left.dtype:
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


ARITHMETIC: dict[str, Callable[..., tuple[Layout | None, ...] | None]] = {
    "aten.convolution": convolution,
    "aten._native_batch_norm_legit_no_training": batch_norm_testing,
    "aten.native_batch_norm": batch_norm,
    "aten.native_batch_norm_backward": batch_norm_backward,
    "aten.native_group_norm": group_norm,
    "aten.native_group_norm_backward": group_norm_backward,
    "aten.native_layer_norm_backward": layer_norm_backward,
    "aten.addmm": addmm,
    "aten._grouped_mm": grouped_product,
    **ELEMENTWISE,
    **POOLING,
    **SEQUENCES,
}
"""By operator; each takes the operator's own arguments."""
