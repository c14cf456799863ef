"""Norms of tensors: accurate to seven digits at little more than the cost of reading it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ROW = 1024
"""Elements whose squares are summed in single precision; the sums are summed in double."""
CHUNK = 2**20
"""Elements that are turned to double precision at a time."""
SAFE = (1e-12, 1e15)
"""Root mean squares between these have squares that single precision holds."""


def norm_of(tensor: Tensor) -> float:
    """The L2 norm of all elements, accumulated in double precision.

    Nothing as large as the tensor is made on the way.  The squares of numbers below 1e-19 are lost
    in single precision, and those above 1e19 are infinite, so tensors of such are taken the slow
    way.
    """
    flat = _flat(tensor)
    count = flat.numel()
    if not count:
        return 0.0
    if flat.dtype == torch.float64 or count < ROW:
        return _exact_norm(flat)
    whole = count - count % ROW
    rows = torch.linalg.vector_norm(flat[:whole].view(-1, ROW), dim=1, dtype=torch.float32)
    squares = float(rows.cpu().double().square().sum())
    norm = math.sqrt(squares + _exact_norm(flat[whole:]) ** 2)
    if SAFE[0] < norm / math.sqrt(count) < SAFE[1]:
        return norm
    return _exact_norm(flat)


def zeros_in(tensor: Tensor) -> int:
    """How many elements are exactly 0; of a sparse tensor, those that it leaves out too."""
    return tensor.numel() - int(torch.count_nonzero(_flat(tensor)))


def _flat(tensor: Tensor) -> Tensor:
    """The elements in one row, without copying where the memory has no gaps."""
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if tensor.is_contiguous():
        return tensor.view(-1)
    order = sorted(range(tensor.dim()), key=tensor.stride, reverse=True)
    return tensor.permute(order).reshape(-1)  # a view of any dense layout, as channels last


def _exact_norm(flat: Tensor) -> float:
    total = 0.0
    for chunk in flat.split(CHUNK):
        total = math.hypot(total, float(torch.linalg.vector_norm(chunk.cpu().double())))
    return total


class Sizes:
    """Norm, elements and zeros of tensors that are taken together."""

    __slots__ = ("elements", "norm", "zeros")

    def __init__(self) -> None:
        self.norm = 0.0
        self.elements = 0
        self.zeros = 0

    def add(self, tensor: Tensor, *, counts_zeros: bool) -> None:
        """Take one more tensor in."""
        self._add(norm_of(tensor), tensor.numel(), zeros_in(tensor) if counts_zeros else 0)

    def add_zeros(self, elements: int) -> None:
        """Take in a gradient that never arrived, since nothing depends on its tensor."""
        self._add(0.0, elements, elements)

    def add_sizes(self, other: Sizes) -> None:
        """Take in all that others took together."""
        self._add(other.norm, other.elements, other.zeros)

    def _add(self, norm: float, elements: int, zeros: int) -> None:
        self.norm = math.hypot(self.norm, norm) if math.isfinite(norm) else self.norm + norm
        self.elements += elements
        self.zeros += zeros

    @property
    def rms(self) -> float:
        """The root mean square of all elements."""
        return self.norm / math.sqrt(self.elements) if self.elements else 0.0

    @property
    def zero_share(self) -> float:
        """The share of elements that are exactly 0."""
        return self.zeros / self.elements if self.elements else 0.0
