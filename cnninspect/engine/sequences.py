"""Output layouts of what networks over sequences are made of, as plain arithmetic.

As in `elementwise`, what matters is that PyTorch's own Python is not started for them; a function
returns None where the case is not the plain one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.elementwise import is_plain, like
from cnninspect.engine.layouts import Layout, contiguous


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
