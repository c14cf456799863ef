"""The smallest convolutional network: one convolution, ReLU, max-pooling, one linear layer.

    image ─ conv ─ relu ─ max-pool ─ flatten ─ linear ─▶ one number per class

It shows the two laws of a convolution.  A side of `in` pixels becomes
(in − kernel + 2·padding) // stride + 1 of them, and the layer multiplies and accumulates
kernel·kernel·in_channels·channels·height·width times per image, with the output's height and width.
A separable convolution does the same for a share of 1/kernel² + 1/channels of that work.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnninspect.errors import BadSetting

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
POOLS: dict[str, Callable[[int], nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class SeparableConv(nn.Sequential):
    """A convolution in each channel by itself, then one over all channels at each position.

    The first has no bias: the second would take it in.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            inputs, inputs, kernel, stride, padding, groups=inputs, bias=False
        )
        self.pointwise = nn.Conv2d(inputs, outputs, 1)


CONVS: dict[str, Callable[[int, int, int, int, int], nn.Module]] = {
    "standard": nn.Conv2d,
    "separable": SeparableConv,
}


class ShallowCNN(nn.Module):
    """One convolution with `channels` maps, pooled 2×2 or not, and a linear layer to classes."""

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        channels: int = 16,
        kernel: int = 5,
        stride: int = 1,
        padding: int = 2,
        conv: str = "standard",
        pool: str = "max",
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        window = 2 if pool in POOLS else 1
        side = ((resolution - kernel + 2 * padding) // stride + 1) // window
        if side < 1:
            smallest = kernel + stride * (window - 1) - 2 * padding
            pooling = f", stride {stride} and 2x2 pooling" if pool in POOLS else ""
            raise BadSetting(
                "shallow_cnn", "resolution", str(resolution), f"at least {smallest}, so that"
                f" a map is left after kernel {kernel}{pooling}",
            )  # fmt: skip
        self.conv = CONVS[conv](in_channels, channels, kernel, stride, padding)
        self.norm = nn.BatchNorm2d(channels) if norm == "batch" else None
        self.activation = ACTIVATIONS[activation]()
        self.pool = POOLS[pool](2) if pool in POOLS else None
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.fc = nn.Linear(channels * side**2, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.conv(x)  # (N, channels, 32, 32)
        if self.norm is not None:
            x = self.norm(x)
        x = self.activation(x)
        if self.pool is not None:
            x = self.pool(x)  # (N, channels, 16, 16)
        x = torch.flatten(x, 1)  # (N, channels·256)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc(x)  # (N, num_classes)
