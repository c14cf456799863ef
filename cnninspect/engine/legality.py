"""Refuses what PyTorch's kernels refuse and its shape functions let pass.

A product of float64 and float32 raises on every device, but not on the meta device: there only
shapes are looked at.  Each check here raises what the kernel would, in its words, before the layout
of a result is worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Check = Callable[..., None]
NARROW = (torch.float16, torch.bfloat16)


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def product(left: Tensor, right: Tensor, *_: Any, **__: Any) -> None:
    """`mm`, `bmm`, `mv`, `dot`: both of one dtype."""
    if left.dtype != right.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {_name(left)} != {_name(right)}"
        )


def added_product(added: Tensor, left: Tensor, right: Tensor, *_: Any, **__: Any) -> None:
    """`addmm` and its kin: all three of one dtype, and the first as large as the product."""
    product(left, right)
    if added.dtype != right.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {_name(added)} and {_name(right)}"
        )
    if left.dim() == right.dim() and left.dim() in (2, 3):
        target = (*left.shape[:-1], right.shape[-1])
        pairs = zip(reversed(added.shape), reversed(target))
        if added.dim() > len(target) or any(size not in (1, wanted) for size, wanted in pairs):
            raise RuntimeError(
                f"The expanded size of the tensor {target} must match the existing size "
                f"{tuple(added.shape)}"
            )


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, output_padding: Sequence[int], groups: int,
) -> None:  # fmt: skip
    """`convolution`: dtypes, dimensions, channels, and what is left over at the end."""
    if x.dtype != weight.dtype:
        raise RuntimeError(
            f"Input type ({_name(x)}) and weight type ({_name(weight)}) should be the same"
        )
    if bias is not None and bias.dtype != x.dtype and not transposed:
        raise RuntimeError(
            f"Input type ({_name(x)}) and bias type ({_name(bias)}) should be the same"
        )
    if x.dim() != weight.dim():
        raise RuntimeError(
            f"Expected {weight.dim()}-dimensional input for {weight.dim()}-dimensional weight "
            f"{list(weight.shape)}, but got {x.dim()}-dimensional input of size {list(x.shape)} "
            "instead"
        )
    if weight.shape[0] < groups or weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0 and "
            f"divisible by it, but got weight of size {list(weight.shape)} instead"
        )
    wanted = weight.shape[0] if transposed else weight.shape[1] * groups
    if x.shape[1] != wanted:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(weight.shape)}, expected input"
            f"{list(x.shape)} to have {wanted} channels, but got {x.shape[1]} channels instead"
        )
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise RuntimeError(
            f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with "
            f"{outputs} elements, but got bias of size {list(bias.shape)} instead"
        )
    if transposed and any(
        more >= step and more >= dilate
        for more, step, dilate in zip(output_padding, stride, dilation)
    ):
        raise RuntimeError("output padding must be smaller than either stride or dilation")


def embedding(weight: Tensor, indices: Tensor, *_: Any, **__: Any) -> None:
    """`embedding`: indices are whole numbers."""
    if indices.dtype not in (torch.int64, torch.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {_name(indices)} instead"
        )


def softmax(x: Tensor, dim: int, *_: Any, **__: Any) -> None:
    """`softmax`: the dimension exists."""
    rank = max(x.dim(), 1)
    if not -rank <= dim < rank:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got "
            f"{dim})"
        )


def normalisation(x: Tensor, *others: Any, **_: Any) -> None:
    """Batch, layer and group normalisation: parameters of the input's dtype, or of float32."""
    given = [other for other in others if isinstance(other, Tensor)]
    are_wide = x.dtype in NARROW and all(other.dtype == torch.float32 for other in given)
    for other in given:
        if other.dtype != x.dtype and not are_wide:
            raise RuntimeError(
                f"mixed dtype: expect parameter to have scalar type of {_name(x)} or, beside half "
                f"precision, float32, but got {_name(other)}"
            )


def clamping(x: Tensor, low: Any = None, high: Any = None, **_: Any) -> None:
    """`clamp`: of real numbers, and by something."""
    if x.is_complex():
        raise NotImplementedError("clamp is not supported for complex types")
    if low is None and high is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")


def difference(x: Any, y: Any, **_: Any) -> None:
    """`sub`: not of truth values."""
    if any(isinstance(value, Tensor) and value.dtype == torch.bool for value in (x, y)):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported; use "
            "logical_xor() or logical_not() instead"
        )


CHECKS: dict[str, Check] = {
    **dict.fromkeys(("aten.mm", "aten.bmm", "aten.mv", "aten.dot", "aten.vdot"), product),
    **dict.fromkeys(
        ("aten.addmm", "aten.baddbmm", "aten.addbmm", "aten.addmv"), added_product
    ),
    "aten.convolution": convolution,
    "aten.embedding": embedding,
    **dict.fromkeys(("aten._softmax", "aten._log_softmax"), softmax),
    **dict.fromkeys(
        (
            "aten.native_batch_norm", "aten._native_batch_norm_legit_no_training",
            "aten._native_batch_norm_legit", "aten.native_layer_norm", "aten.native_group_norm",
        ),
        normalisation,
    ),
    **dict.fromkeys(("aten.clamp", "aten.hardtanh"), clamping),
    "aten.sub": difference,
}  # fmt: skip
"""By operator; each takes the operator's own arguments."""
