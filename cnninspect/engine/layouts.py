"""Layouts of tensors (shape, strides, dtype), numbered, so that comparing them is cheap."""

from __future__ import annotations

import math
from weakref import ref

import torch
from torch import Tensor

from cnninspect.records.tensors import TensorSpec

Layout = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
"""Shape, strides in elements, dtype.  What is not laid out in strides has one negative number in
their place, which says how it is."""

UNSTRIDED = (
    torch.strided, torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr,
    torch.sparse_bsc, torch.jagged, torch._mkldnn,  # type: ignore[attr-defined]
)  # fmt: skip
"""The other layouts, whose number is minus their place here."""

META = torch.device("meta")

DTYPE_NAMES = {
    value: str(value).removeprefix("torch.")
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}

MARK = "_cnninspect"
"""Attribute of a tensor that was made during a trace: the call that made it, or -1 - i for input
number i, and the number of its layout."""


MADE: list[ref[Tensor]] = []
"""Every tensor that was marked by the runs that are under way, in the order of marking."""


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a tensor laid out row by row."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


LAYOUTS: list[Layout] = []
"""By number."""
SPECS: list[TensorSpec] = []
"""What a record says of each, by number."""
_numbers: dict[Layout, int] = {}


def number_of(layout: Layout) -> int:
    """The number of a layout; equal layouts have the same one as long as the process lives."""
    number = _numbers.get(layout)
    if number is None:
        number = _numbers[layout] = len(LAYOUTS)
        LAYOUTS.append(layout)
        SPECS.append(TensorSpec(tuple(layout[0]), DTYPE_NAMES[layout[2]]))
    return number


def layout_of(tensor: Tensor) -> int:
    """The number of a tensor's layout."""
    try:
        if tensor.layout is torch.strided:
            return _numbers[tensor.shape, tensor.stride(), tensor.dtype]
    except (KeyError, RuntimeError):  # it is new, or has no shape or no strides
        pass
    return number_of((shape_of(tensor), strides_of(tensor), tensor.dtype))


def spec_of(tensor: Tensor) -> TensorSpec:
    """Shape and dtype of a tensor."""
    return SPECS[layout_of(tensor)]


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """The sizes of a tensor; one of nothing for a lazy parameter, which has no shape yet.

    Of a nested tensor, whose parts have sizes of their own, all of its rows.
    """
    try:
        return tensor.shape
    except RuntimeError:
        return packed_shape(tensor) if tensor.is_nested else (0,)


def packed_shape(nested: Tensor) -> tuple[int, ...]:
    """The sizes of the parts of a nested tensor laid one after the other, row by row."""
    sizes: list[list[int]] = nested._nested_tensor_size().tolist()
    widths = {part[-1] for part in sizes if part}
    elements = sum(map(math.prod, sizes))
    if len(widths) != 1 or 0 in widths:
        return (elements,)
    (width,) = widths
    return (elements // width, width)


def strides_of(tensor: Tensor) -> tuple[int, ...]:
    """The strides of a tensor in elements, or what tells how it is laid out instead."""
    if tensor.layout is not torch.strided and not tensor.is_nested:
        return (-UNSTRIDED.index(tensor.layout),) if tensor.layout in UNSTRIDED else ()
    try:
        return tensor.stride()
    except (RuntimeError, ValueError):  # the latter of a lazy parameter
        return ()


def abstract(number: int, made_by: int | None = None, device: torch.device = META) -> Tensor:
    """A new abstract tensor of that layout, marked as made by a call if there is one."""
    shape, strides, dtype = LAYOUTS[number]
    if strides and strides[0] < 0:
        layout = UNSTRIDED[-strides[0]]
        tensor = torch.empty(shape, dtype=dtype, layout=layout, device=device)
    else:
        tensor = torch.empty_strided(shape, strides, dtype=dtype, device=device)
    if made_by is not None:
        tensor.__dict__[MARK] = (made_by, number)
        MADE.append(ref(tensor))
    return tensor
