"""Output layouts of pooling and of reductions over dimensions, as plain arithmetic.

As in `elementwise`, what matters is that PyTorch's own Python is not started for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.elementwise import is_plain
from cnninspect.engine.layouts import Layout, contiguous

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
