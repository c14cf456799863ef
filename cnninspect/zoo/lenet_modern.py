"""What is built today under the name of LeNet-5: its sizes, without its peculiarities.

    image ─ conv ─ pool ─ conv ─ pool ─ flatten ─ linear ─ … ─ linear ─▶ logits

Against the network of 1998 (`lenet`), pooling has no parameters, every map of the second
convolution sees every map before it, and the output is linear: 61,706 parameters, not 60,000.
Caffe's variant has 20 and 50 maps, one hidden layer of 500 units, 28×28 pixels, and a ReLU only
after that hidden layer: 431,080 parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


class PooledConvolution(nn.Module):
    """A 5×5 convolution without padding, activated where asked for, pooled 2×2."""

    def __init__(
        self, inputs: int, outputs: int, *, activation: nn.Module | None, norm: str, pool: str
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 5)
        self.norm = nn.BatchNorm2d(outputs) if norm == "batch" else None
        self.activation = activation
        self.pool = POOLS[pool](2)

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        x = self.conv(x)  # (N, outputs, H-4, W-4)
        if self.norm is not None:
            x = self.norm(x)
        if self.activation is not None:
            x = self.activation(x)
        return self.pool(x)  # (N, outputs, (H-4)/2, (W-4)/2)


class ModernLeNet(nn.Module):
    """Two pooled convolutions, and linear layers with `hidden` units before the last.

    With `head="gap"` global average pooling and one linear layer replace the hidden ones.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        hidden: Sequence[int],
        activate_convolutions: bool = True,
        num_classes: int = 10,
        in_channels: int = 1,
        resolution: int = 32,
        head: str = "flatten",
        pool: str = "max",
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        side = ((resolution - 4) // 2 - 4) // 2
        if side < 1:
            raise BadSetting("lenet5_modern", "resolution", str(resolution), "at least 16")
        stages = []
        for outputs in channels:
            after = ACTIVATIONS[activation]() if activate_convolutions else None
            stages.append(
                PooledConvolution(in_channels, outputs, activation=after, norm=norm, pool=pool)
            )
            in_channels = outputs
        self.features = nn.Sequential(*stages)
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else None
        units = in_channels if head == "gap" else in_channels * side**2
        layers: list[nn.Module] = []
        for width in () if head == "gap" else hidden:
            layers += [nn.Linear(units, width), ACTIVATIONS[activation]()]
            units = width
        if dropout:
            layers.append(nn.Dropout(dropout))
        self.classifier = nn.Sequential(*layers, nn.Linear(units, num_classes))

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.features(x)  # (N, channels[1], 5, 5)
        if self.avgpool is not None:
            x = self.avgpool(x)  # (N, channels[1], 1, 1)
        x = torch.flatten(x, 1)  # (N, channels[1]·25)
        return self.classifier(x)  # (N, num_classes)
