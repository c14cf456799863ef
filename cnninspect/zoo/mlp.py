"""The multi-layer perceptron: fully connected layers on the pixels of an image.

    image ─ flatten ─ linear ─ activation ─ … ─ linear ─▶ one number per class

Every pixel meets every hidden unit, so a small grey image of 16×16 pixels, 100 hidden units and 26
letters already take 256·100 + 100 + 100·26 + 26 = 28,326 parameters.
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


class HiddenLayer(nn.Module):
    """A linear layer, normalised where asked for, then activated."""

    def __init__(self, inputs: int, outputs: int, *, activation: str, norm: str) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.norm = nn.BatchNorm1d(outputs) if norm == "batch" else None
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs)
        x = self.linear(x)  # (N, outputs)
        if self.norm is not None:
            x = self.norm(x)
        return self.activation(x)


class MLP(nn.Module):
    """`hidden_layers` layers of `hidden` units each, and a linear layer to the classes."""

    def __init__(
        self,
        *,
        num_classes: int = 26,
        in_channels: int = 1,
        resolution: int = 16,
        hidden: int = 100,
        hidden_layers: int = 1,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        units = in_channels * resolution**2
        layers = []
        for _ in range(hidden_layers):
            layers.append(HiddenLayer(units, hidden, activation=activation, norm=norm))
            units = hidden
        self.hidden = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.output = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 16, 16)
        x = torch.flatten(x, 1)  # (N, in_channels·256)
        x = self.hidden(x)  # (N, hidden)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.output(x)  # (N, num_classes)
