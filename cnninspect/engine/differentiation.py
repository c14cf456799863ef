"""Gradients that a network takes within its own forward pass.

`torch.autograd.grad`, `backward()` and `torch.func.grad` start from a gradient of one.  Its value
is known, so that it would stay real, and autograd refuses a real gradient of a fake tensor: the
start is made fake here.  The weights of a live network are real; fake leaves stand in for them,
which get the gradients, so that none is left behind.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.catching import Catcher, Handler
from cnninspect.engine.fake_tensors import abstract_twin
from cnninspect.engine.kinds import TENSOR
from cnninspect.engine.layouts import MARK
from cnninspect.engine.recording import Recorder
from cnninspect.engine.torch_private import (
    _disable_current_modes,
    temporarily_clear_interpreter_stack,
)


class Leaves:
    """Fake leaves of the graph of gradients in place of the weights of a live network."""

    def __init__(self, recorder: Recorder, *, is_needed: bool) -> None:
        self.is_needed = is_needed
        """Whether weights are real and nothing is computed."""
        self._recorder = recorder
        self._twins: dict[int, tuple[Tensor, Tensor]] = {}

    def of(self, value: Any) -> Any:
        """The same nested value with each weight replaced by its leaf."""
        if TENSOR[value.__class__]:
            return self._leaf(value)
        if value.__class__ in (list, tuple):
            return value.__class__([self.of(item) for item in value])
        if value.__class__ is dict:
            return {key: self.of(item) for key, item in value.items()}
        return value

    def _leaf(self, tensor: Tensor) -> Tensor:
        known = self._twins.get(id(tensor))
        if known is not None:
            return known[1]
        name = self._recorder.names.get(id(tensor))
        if name is None or not tensor.requires_grad or tensor.is_meta or MARK in tensor.__dict__:
            return tensor
        with _disable_current_modes(), temporarily_clear_interpreter_stack():
            leaf = abstract_twin(tensor.detach()).requires_grad_()
        self._recorder.names[id(leaf)] = name
        self._twins[id(tensor)] = tensor, leaf
        return leaf


def _grad(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`torch.autograd.grad(outputs, inputs, grad_outputs)`."""
    if catcher.computes:
        return func(*args, **kwargs)
    named = dict(zip(("outputs", "inputs", "grad_outputs"), args)) | kwargs
    outputs = _as_tuple(named["outputs"])
    named["grad_outputs"] = _fake_starts(outputs, named.get("grad_outputs"))
    return func(*args[3:], **named)


def _backward(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`tensor.backward(gradient)`."""
    if catcher.computes:
        return func(*args, **kwargs)
    tensor, *others = args
    given = others[0] if others else kwargs.pop("gradient", None)
    start = _fake_starts((tensor,), given)
    return func(tensor, start[0], *others[1:], **kwargs)


def _backward_of_all(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`torch.autograd.backward(tensors, grad_tensors)`."""
    if catcher.computes:
        return func(*args, **kwargs)
    named = dict(zip(("tensors", "grad_tensors"), args)) | kwargs
    tensors = _as_tuple(named["tensors"])
    return func(**{**named, "grad_tensors": _fake_starts(tensors, named.get("grad_tensors"))})


def _as_tuple(value: Any) -> tuple[Tensor, ...]:
    return (value,) if isinstance(value, Tensor) else tuple(value)


def _fake_starts(outputs: tuple[Tensor, ...], given: Any) -> list[Tensor | None]:
    """The gradient that each output starts from, as fake as the output."""
    starts = [None] * len(outputs) if given is None else list(_as_tuple(given))
    return [
        _fake_start(output, start) if output.is_meta else start
        for output, start in zip(outputs, starts)
    ]


def _fake_start(output: Tensor, start: Tensor | None) -> Tensor | None:
    if start is None:
        return torch.empty_like(output) if output.numel() == 1 else None
    return start if start.is_meta else torch.empty_like(start, device="meta")


HANDLERS: dict[Any, Handler] = {
    torch.autograd.grad: _grad,
    torch.autograd.backward: _backward_of_all,
    Tensor.backward: _backward,
}
"""By the function that is caught."""
