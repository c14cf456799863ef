"""How large the steps are that an optimizer makes, parameter by parameter.

Sources: Duchi, Hazan, Singer 2011 (AdaGrad); Tieleman, Hinton 2012 (RMSProp); Kingma, Ba 2015,
arXiv:1412.6980 (Adam), algorithm 1; as `torch.optim` computes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from cnninspect.records.passes import ParameterStep

SQUARES = ("sum", "square_avg", "exp_avg_sq")
"""What the optimizers of `torch.optim` call their sum or running mean of squared gradients."""


def steps_taken(
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, Tensor],
    before: Mapping[str, Tensor],
    *,
    number: int,
) -> Iterator[ParameterStep]:
    """What update `number` did, right after it; `before` are the values that it began with.

    A parameter that has no gradient is left out.
    """
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in parameters.items():
        if parameter.grad is None or id(parameter) not in groups:
            continue
        rates = rates_of(groups[id(parameter)], optimizer.state.get(parameter, {}), parameter)
        low, middle, high = (_part(rates, share) for share in (0.25, 0.5, 0.75))
        yield ParameterStep(
            name=name,
            step=number,
            gradient_rms=_rms(parameter.grad),
            change_rms=_rms(parameter.detach() - before[name]),
            rate=middle,
            low=low,
            high=high,
        )


def rates_of(group: Mapping[str, Any], state: Mapping[str, Any], like: Tensor) -> Tensor:
    """What each element's gradient, or its running mean, was multiplied with."""
    rate = float(group["lr"])
    squares = next((state[name] for name in SQUARES if name in state), None)
    if not isinstance(squares, Tensor):
        return torch.full((1,), rate, dtype=torch.float64)
    squares = squares.detach().double()
    if "exp_avg_sq" in state:  # the mean began at 0, which is made up for
        beta = group["betas"][1]
        squares = squares / (1 - beta ** float(state["step"]))
    assert squares.shape == like.shape
    return rate / (squares.sqrt() + float(group["eps"]))


def _part(values: Tensor, share: float) -> float:
    """The element below which such a share of them lies."""
    flat = values.flatten()
    place = min(int(share * flat.numel()), flat.numel() - 1) + 1
    return float(flat.kthvalue(place).values)


def _rms(tensor: Tensor) -> float:
    return float(tensor.detach().double().square().mean().sqrt())
