"""Inception modules by themselves, with and without 1×1 bottlenecks, on 28×28×256.

        ┌─ 1×1 ─────────┐              ┌─ 1×1 ─────────────────┐
    x ──┼─ 3×3 ─────────┼─▶        x ──┼─ 1×1 ─ 3×3 ───────────┼─▶
        ├─ 5×5 ─────────┤              ├─ 1×1 ─ 5×5 ───────────┤
        └─ pool ────────┘              └─ pool ─ 1×1 ──────────┘
             naive                              reduced

The idea is from Szegedy et al. 2014 (arXiv:1409.4842, Figure 2), the sizes from lecture 9 of
Stanford's CS231n of 2017: 128 maps of 1×1, 192 of 3×3, 96 of 5×5, and bottlenecks of 64.  The
lecture prints 854M and 358M multiplications.  The first is the sum of its terms; the terms of the
second add up to 271M, and are 358M when the 86.7M of the 3×3 convolution count twice.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
ONE, THREE, FIVE = 128, 192, 96  # maps of the 1×1, 3×3 and 5×5 convolutions


def convolution(inputs: int, outputs: int, kernel: int, *, activation: str) -> nn.Module:
    """An activated convolution that keeps the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), ACTIVATIONS[activation]()
    )


class InceptionNaive(nn.Module):
    """The kernels straight on the input, whose own maps are passed on beside theirs."""

    def __init__(
        self, *, in_channels: int = 256, resolution: int = 28, activation: str = "relu"
    ) -> None:
        super().__init__()
        self.resolution = resolution  # of the input it is measured with; any will do
        self.branch1 = convolution(in_channels, ONE, 1, activation=activation)
        self.branch2 = convolution(in_channels, THREE, 3, activation=activation)
        self.branch3 = convolution(in_channels, FIVE, 5, activation=activation)
        self.branch4 = nn.MaxPool2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:  # (N, 256, 28, 28)
        branches = (self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x))
        return torch.cat(branches, 1)  # (N, 672, 28, 28)


class InceptionReduced(nn.Module):
    """1×1 convolutions to `bottleneck` maps before the 3×3 and the 5×5, and after the pooling."""

    def __init__(
        self,
        *,
        in_channels: int = 256,
        resolution: int = 28,
        bottleneck: int = 64,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.resolution = resolution  # of the input it is measured with; any will do
        self.branch1 = convolution(in_channels, ONE, 1, activation=activation)
        self.branch2 = nn.Sequential(
            convolution(in_channels, bottleneck, 1, activation=activation),
            convolution(bottleneck, THREE, 3, activation=activation),
        )
        self.branch3 = nn.Sequential(
            convolution(in_channels, bottleneck, 1, activation=activation),
            convolution(bottleneck, FIVE, 5, activation=activation),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1),
            convolution(in_channels, bottleneck, 1, activation=activation),
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, 256, 28, 28)
        branches = (self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x))
        return torch.cat(branches, 1)  # (N, 480, 28, 28)
