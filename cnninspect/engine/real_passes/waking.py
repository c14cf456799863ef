"""Whether layers without any gradient wake up when the others are updated.

Residual branches are often started at 0, since that trains better (Goyal et al. 2017,
arXiv:1706.02677, section 5.1; Bachlechner et al. 2020, arXiv:2003.04887).  Their layers then have a
gradient of exactly 0 in the first pass, and live after one update of what scales the branch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from cnninspect.engine.module_tree import parameters_of, walk
from cnninspect.engine.real_passes.gradient_hooks import Measurement
from cnninspect.engine.real_passes.norms import norm_of
from cnninspect.records.passes import WAKING_UPDATES

STEP = 1e-3
"""Root mean square of the change of every tensor: small beside weights, and enough beside 0."""


def woken(
    model: nn.Module,
    measurement: Measurement,
    silent: Collection[str],
    *,
    run: Callable[[], float],
) -> tuple[str, ...]:
    """Those of the layers `silent` that have a gradient after a few updates of the model.

    `run` goes forward and back once, under `measurement`.  Parameters, buffers and gradients come
    out as they went in.
    """
    parameters = [p for p in parameters_of(model) if p.requires_grad]
    asleep, found = set(silent), []
    kept = [(p, p.grad) for p in parameters]
    values = [(tensor, tensor.detach().clone()) for tensor in (*parameters, *_buffers(model))]
    kept_gradients, was_on = measurement.keeps_gradients, measurement.is_on
    measurement.keeps_gradients = measurement.is_on = True
    try:
        _run(parameters, measurement, run)
        for _ in range(WAKING_UPDATES):
            _update(parameters)
            _run(parameters, measurement, run)
            awake = {
                layer.path
                for layer in measurement.layers()
                if layer.path in asleep and layer.norms.gradient_norm != 0
            }
            found += sorted(awake)
            asleep -= awake
            if not asleep:
                break
    finally:
        measurement.keeps_gradients, measurement.is_on = kept_gradients, was_on
        for parameter, gradient in kept:
            parameter.grad = gradient
        with torch.no_grad():
            for tensor, value in values:
                tensor.copy_(value)
    return tuple(found)


def _buffers(model: nn.Module) -> list[Tensor]:
    return [b for _, module in walk(model) for b in module._buffers.values() if b is not None]


def _run(
    parameters: Collection[Tensor], measurement: Measurement, run: Callable[[], float]
) -> None:
    for parameter in parameters:
        parameter.grad = None
    measurement.forget()
    run()


def _update(parameters: Collection[Tensor]) -> None:
    """Move every tensor against its gradient by the same root mean square, however small it is."""
    with torch.no_grad():
        for parameter in parameters:
            gradient = parameter.grad
            size = 0.0 if gradient is None else norm_of(gradient)
            if gradient is not None and 0 < size < float("inf"):
                parameter.add_(gradient, alpha=-STEP * parameter.numel() ** 0.5 / size)
