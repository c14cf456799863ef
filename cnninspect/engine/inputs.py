"""Makes the tensors that a network is run with, and works out their shapes where nobody said."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.layouts import DTYPE_NAMES, spec_of
from cnninspect.errors import BadInput
from cnninspect.records.models import InputRequest
from cnninspect.records.tensors import NamedTensor

DTYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}
IMAGE, VIDEO, TOKENS, STEPS = 224, (16, 112, 112), 128, 128
"""Sizes that are assumed where nothing says otherwise."""


def requests_for(
    model: nn.Module, *, typed: Sequence[InputRequest], known: Sequence[InputRequest], batch: int
) -> tuple[tuple[InputRequest, ...], tuple[str, ...]]:
    """The inputs to run a model with, and notes on how they were found.

    `typed` is what a person asked for, `known` what the model's source says.

    Raises:
        BadInput: nothing was typed and nothing can be worked out, or a size is not possible.
    """
    notes: tuple[str, ...] = ()
    expected = tuple(known)
    if not expected:
        expected = worked_out(model)
        if not typed and expected:
            shapes = ", ".join("x".join(map(str, request.shape)) for request in expected)
            notes = (f"input {shapes} worked out from the first layers",)
    if not typed and not expected:
        raise BadInput("", f"cannot work out what {type(model).__name__} takes")
    chosen = [
        _completed(request, expected[i] if i < len(expected) else None, batch)
        for i, request in enumerate(typed or expected)
    ]
    return tuple(chosen), notes


def worked_out(model: nn.Module) -> tuple[InputRequest, ...]:
    """The input that a model's first layer takes, for a batch of one; empty where none tells."""
    for module in model.modules():
        request = _taken_by(module)
        if request is not None:
            return (request,)
    return ()


def _taken_by(module: nn.Module) -> InputRequest | None:
    if isinstance(module, nn.modules.conv._ConvNd) and not _is_lazy_width(module.in_channels):
        rank = len(module.kernel_size)
        sizes = {1: (IMAGE,), 2: (IMAGE, IMAGE), 3: VIDEO}[rank]
        return InputRequest((1, module.in_channels, *sizes))
    if isinstance(module, nn.Linear) and not _is_lazy_width(module.in_features):
        return InputRequest((1, module.in_features))
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return InputRequest((1, TOKENS), "int64", high=module.num_embeddings)
    if isinstance(module, nn.RNNBase):
        shape = (1, STEPS) if module.batch_first else (STEPS, 1)
        return InputRequest((*shape, module.input_size))
    return None


def _is_lazy_width(width: int) -> bool:
    return width == 0


def _completed(request: InputRequest, expected: InputRequest | None, batch: int) -> InputRequest:
    """The request with its batch, dtype and range filled in from what the model expects."""
    shape = request.shape
    if any(size < 0 for size in shape):
        raise BadInput("x".join(map(str, shape)), "sizes cannot be negative")
    has_batch = request.batched
    if has_batch is None:
        has_batch = expected is not None and len(shape) >= len(expected.shape)
    shape = (batch * shape[0], *shape[1:]) if has_batch and shape else shape
    shape = shape if has_batch else (batch, *shape)
    filled = replace(request, shape=shape, batched=True)
    if expected is not None:
        filled = replace(
            filled,
            dtype=request.dtype or expected.dtype,
            name=request.name or expected.name,
            high=request.high if request.high is not None else expected.high,
        )
    if filled.dtype is not None and filled.dtype not in DTYPES:
        raise BadInput(filled.dtype, "there is no such dtype", f"dtypes: {', '.join(DTYPES)}")
    return filled


def make(request: InputRequest, *, device: str, dtype: torch.dtype) -> Tensor:
    """A tensor as requested; floats are standard normal, integers count up and wrap around."""
    wanted = DTYPES[request.dtype] if request.dtype else dtype
    if wanted.is_floating_point or wanted.is_complex:
        return torch.randn(request.shape, dtype=wanted, device=device)
    count = torch.Size(request.shape).numel()
    high = request.high if request.high is not None else 2
    return (torch.arange(count) % max(high, 1)).reshape(request.shape).to(wanted)


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


def argument_names(model: nn.Module) -> tuple[str, ...]:
    """The positional parameters of `forward`, as far as it says."""
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    )
