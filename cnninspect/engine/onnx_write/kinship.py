"""What became of weights that a file stores otherwise than the network: told by their values.

Names say that a parameter is gone or that a tensor is new, and nothing of why.  Their values do:
two layers whose weights are all ones are stored once, a table of positions as far as it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from onnx import ModelProto, TensorProto, numpy_helper
from torch import Tensor, nn

from cnninspect.records.exports import Kinship

SMALLEST = 2
"""Elements of a tensor whose values say something."""
MOST_SOUGHT = 64
"""Parameters that are looked for within each new tensor, and the other way round."""


def kinships(model: ModelProto, folder: Path, module: nn.Module) -> tuple[Kinship, ...]:
    """What can be told of parameters that the file lacks and of tensors that only the file has."""
    stored = {
        tensor.name: tensor for tensor in model.graph.initializer if _elements(tensor) >= SMALLEST
    }
    names = dict(module.named_parameters(remove_duplicate=False))
    gone = {name: value for name, value in names.items() if name not in stored}
    come = {
        name: values
        for name, tensor in stored.items()
        if name not in names and (values := _array(tensor, folder)) is not None
    }
    if not gone and not come:
        return ()
    return (*_lost(gone, stored, come, folder), *_new(come, names, module))


def _lost(
    gone: Mapping[str, Tensor], stored: Mapping[str, TensorProto], come: Mapping[str, np.ndarray],
    folder: Path,
) -> Iterator[Kinship]:  # fmt: skip
    """For each parameter that the file has not under its name: where its values are."""
    if not gone:
        return
    shapes = {tuple(value.shape) for value in gone.values()}
    held = {
        _digest(values): name
        for name, tensor in stored.items()
        if tuple(tensor.dims) in shapes and (values := _array(tensor, folder)) is not None
    }
    for name, parameter in gone.items():
        values = _numbers(parameter)
        twin = held.get(_digest(values))
        if twin is not None:
            yield Kinship(name, "same", twin)
        elif other := next((n for n, v in come.items() if _is_transposed(v, values)), None):
            yield Kinship(name, "form", other)
        elif other := next(
            (n for n, v in list(come.items())[:MOST_SOUGHT] if _is_part(v, values)), None
        ):
            yield Kinship(name, "cut", other)
        elif other := next(
            (n for n, v in list(come.items())[:MOST_SOUGHT] if _is_part(values, v)), None
        ):
            yield Kinship(name, "joined", other)
        elif not values.any():
            yield Kinship(name, "zeros")


def _new(
    come: Mapping[str, np.ndarray], names: Mapping[str, Tensor], module: nn.Module
) -> Iterator[Kinship]:
    """For each tensor that only the file has: which parameter or buffer it is, or is part of."""
    for name, values in come.items():
        for own, how in ((names, "of"), (dict(module.named_buffers()), "buffer")):
            found = next((n for n, t in own.items() if _is_kin(values, _numbers(t))), None)
            if found is not None:
                yield Kinship(name, how, found)
                break


def _is_kin(values: np.ndarray, other: np.ndarray) -> bool:
    return (
        (values.shape == other.shape and _is_same(values, other))
        or _is_transposed(values, other)
        or _is_part(values, other)
    )


def _is_same(one: np.ndarray, two: np.ndarray) -> bool:
    return one.shape == two.shape and bool(np.array_equal(one, two, equal_nan=True))


def _is_transposed(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether both hold the same values in another order of axes, or in another shape."""
    if one.size != two.size or one.size < SMALLEST:
        return False
    if _is_same(one.reshape(-1), two.reshape(-1)):
        return True
    return any(
        two.swapaxes(i, j).shape == one.shape and _is_same(one, two.swapaxes(i, j))
        for i in range(two.ndim)
        for j in range(i)
    )


def _is_part(part: np.ndarray, whole: np.ndarray) -> bool:
    """Whether one is a run of the other along a single axis; axes of size 1 do not matter."""
    a, b = part.squeeze(), whole.squeeze()
    if a.ndim != b.ndim or not a.ndim or not SMALLEST <= a.size < b.size:
        return False
    axes = [i for i in range(a.ndim) if a.shape[i] != b.shape[i]]
    if len(axes) != 1:
        return False
    a, b = np.moveaxis(a, axes[0], 0), np.moveaxis(b, axes[0], 0)
    first = a.reshape(a.shape[0], -1)[0]
    rows = np.flatnonzero((b.reshape(b.shape[0], -1) == first).all(axis=1))
    return any(_is_same(a, b[i : i + len(a)]) for i in rows[:MOST_SOUGHT])


def _elements(tensor: TensorProto) -> int:
    count = 1
    for size in tensor.dims:
        count *= size
    return count


def _array(tensor: TensorProto, folder: Path) -> np.ndarray | None:
    """The values as floating-point numbers; None for those of another kind."""
    kinds = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    if tensor.data_type not in kinds:
        return None
    values = np.asarray(numpy_helper.to_array(tensor, base_dir=str(folder)))
    if tensor.data_location == TensorProto.EXTERNAL:
        tensor.ClearField("raw_data")  # which reading has filled
    return values.astype(np.float32) if tensor.data_type == TensorProto.BFLOAT16 else values


def _numbers(tensor: Tensor) -> np.ndarray:
    """The same of a tensor of torch; NumPy has no bfloat16, so wider numbers stand for those."""
    value = tensor.detach()
    return np.asarray((value.float() if value.dtype == torch.bfloat16 else value).numpy())


def _digest(values: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return values.shape, hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()
