"""Output layouts of what works element by element, as plain arithmetic.

PyTorch 2.13 works many of these out in Python, and the first one imports its whole compiler: a
second of time and 80 MB that nothing here needs.  As in `arithmetic`, a function returns None
where the case is not the plain one, and PyTorch is asked.
"""

from __future__ import annotations

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
