"""Learns the layout of a result by computing it once, where PyTorch cannot work it out.

Some operators have a kernel for real tensors and none for the meta device.  Run on zeros of the
same layouts they say what comes out, since what depends on values is asked for elsewhere.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.fake_tensors import Arguments
from cnninspect.engine.layouts import META
from cnninspect.engine.operators import Operator
from cnninspect.engine.recording import tensors_in
from cnninspect.engine.torch_private import _disable_current_modes

OF_PYTORCH = ("aten.", "quantized.")
"""Namespaces of operators whose results depend on values in known cases only."""
MOST_BYTES = 64 * 2**20
"""Bytes of all arguments up to which an operator is tried out."""


def by_execution(operator: Operator, call: Arguments) -> Any:
    """What an operator of PyTorch itself gives for zeros, made fake; None if that is no answer."""
    nbytes = sum(t.numel() * t.element_size() for t in call.stand_ins)
    if not operator.name.startswith(OF_PYTORCH) or operator.writes or nbytes > MOST_BYTES:
        return None
    zeros = iter([_zeros_like(given, seen) for given, seen in zip(call.given, call.stand_ins)])
    args, kwargs = _filled(call.args, zeros), _filled(call.kwargs, zeros)
    with _disable_current_modes(), torch.no_grad():
        try:
            result = operator.function(*args, **kwargs)
        except (RuntimeError, ValueError, IndexError):
            return None
        if any(tensor.is_quantized for tensor in tensors_in(result)):
            return None  # whose fake ones have no scale, which networks ask for
        return _faked(result)


def _zeros_like(given: Tensor, seen: Tensor) -> Tensor:
    """A real tensor of that layout; with its own values where they are known."""
    with _disable_current_modes():
        if not given.is_meta and given.numel() and not given.dtype.is_floating_point:
            return given.detach().cpu()
        if seen.dtype.is_floating_point or seen.dtype.is_complex:
            return torch.zeros(seen.shape, dtype=seen.dtype)
        return torch.ones(seen.shape, dtype=seen.dtype)


def _filled(value: Any, zeros: Any) -> Any:
    if isinstance(value, Tensor):
        return next(zeros)
    if isinstance(value, (list, tuple)):
        return [_filled(item, zeros) for item in value]
    if isinstance(value, dict):
        filled = {key: _filled(item, zeros) for key, item in value.items()}
        return {k: v if k != "device" else None for k, v in filled.items()}
    return value


def _faked(result: Any) -> Any:
    if isinstance(result, Tensor):
        return torch.empty_strided(result.shape, result.stride(), dtype=result.dtype, device=META)
    if isinstance(result, (list, tuple)):
        return tuple(_faked(item) for item in result)
    return result
