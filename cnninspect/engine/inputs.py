"""Makes the tensors that a network is run with, and names those that go in and come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.layouts import DTYPE_NAMES, spec_of
from cnninspect.errors import BadInput, did_you_mean
from cnninspect.records.models import InputRequest
from cnninspect.records.tensors import NamedTensor

MOST_ELEMENTS = 2**63 // 16
"""Elements whose bytes PyTorch can count in 64 bits, whatever the dtype."""
DTYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}
USUAL_DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "uint8", "bool")
"""Those that a hint names."""


def completed(request: InputRequest, expected: InputRequest | None, batch: int) -> InputRequest:
    """The request with its batch, dtype and range filled in from what the model expects.

    Raises:
        BadInput: a size is negative, they are too large, or there is no such dtype.
    """
    shape = request.shape
    if any(size < 0 for size in shape):
        raise BadInput("x".join(map(str, shape)), "sizes cannot be negative")
    has_batch = request.batched
    if has_batch is None and expected is not None:
        has_batch = len(shape) >= len(expected.shape)
    elif has_batch is None:  # nothing tells the rank: `x:float32:8x3` is all of it, as a hint says
        has_batch = request.dtype is not None
    at = expected.batch_dim if expected is not None else request.batch_dim
    if at is not None and has_batch and len(shape) > at:
        shape = (*shape[:at], batch * shape[at], *shape[at + 1 :])
    elif at is not None and not has_batch:
        shape = (*shape[:at], batch, *shape[at:])
    if prod(shape) > MOST_ELEMENTS:
        raise BadInput("x".join(map(str, shape)), "no tensor of PyTorch can be as large as that")
    filled = replace(request, shape=shape, batched=True)
    if expected is not None:
        filled = replace(
            filled,
            dtype=request.dtype or expected.dtype,
            name=request.name or expected.name,
            high=request.high if request.high is not None else expected.high,
        )
    if filled.dtype is not None and filled.dtype not in DTYPES:
        hint = did_you_mean(filled.dtype, DTYPES) or f"usual are {', '.join(USUAL_DTYPES)}"
        raise BadInput(filled.dtype, "there is no such dtype", hint)
    return filled


def make(request: InputRequest, *, device: str, dtype: torch.dtype) -> Tensor:
    """A tensor as requested; floats are standard normal, integers count up and wrap around."""
    wanted = DTYPES[request.dtype] if request.dtype else dtype
    if wanted.is_floating_point or wanted.is_complex:
        if torch.device(device).type == "meta":  # no values; and randn imports sympy there
            return torch.empty(request.shape, dtype=wanted, device=device)
        return torch.randn(request.shape, dtype=wanted, device=device)
    count = torch.Size(request.shape).numel()
    high = request.high if request.high is not None else 2
    return (torch.arange(count) % max(high, 1)).reshape(request.shape).to(wanted)


def requested(value: Any) -> Any:
    """A request for a tensor, where the value is the shape of one."""
    is_shape = isinstance(value, tuple) and value and all(type(size) is int for size in value)
    return InputRequest(value) if is_shape else value


def filled(value: Any, expected: Any, make_tensor: Callable[[InputRequest, Any], Tensor]) -> Any:
    """A value with a tensor in place of each request, however deep."""
    if isinstance(value, InputRequest):
        return make_tensor(value, expected)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(filled(item, item, make_tensor) for item in value)
    if type(value) is dict:
        return {key: filled(item, item, make_tensor) for key, item in value.items()}
    return value


def converted(value: Any, convert: Callable[[Tensor], Tensor]) -> Any:
    """The same nested lists, tuples and dictionaries with every tensor converted."""
    if isinstance(value, Tensor):
        return convert(value)
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "__array__"):
        return convert(torch.as_tensor(value))
    if isinstance(value, nn.utils.rnn.PackedSequence):
        return value._replace(data=convert(value.data))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(converted(item, convert) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(converted(item, convert) for item in value)
    if isinstance(value, Mapping):
        try:
            return type(value)({k: converted(v, convert) for k, v in value.items()})  # type: ignore[call-arg]
        except TypeError:
            return {k: converted(v, convert) for k, v in value.items()}
    return value


def named(prefix: str, value: Any) -> Iterable[NamedTensor]:
    """Every tensor in a nested value, named by its keys and positions."""
    if isinstance(value, Tensor):
        yield NamedTensor(prefix, spec_of(value))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from named(f"{prefix}.{key}" if prefix else str(key), item)
    elif isinstance(value, (list, tuple)):
        keys = getattr(value, "_fields", range(len(value)))
        for key, item in zip(keys, value):
            yield from named(f"{prefix}.{key}" if prefix else str(key), item)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for key in value.__dataclass_fields__:
            yield from named(f"{prefix}.{key}" if prefix else key, getattr(value, key, None))
