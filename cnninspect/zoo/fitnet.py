"""FitNets: the deep, thin maxout networks that highway networks were measured against.

    image ─ three stages of (3×3 convolutions, maxout ─ max-pool) ─ fc, maxout ─ fc ─▶ logits

Romero et al. 2014 (arXiv:1412.6550), tables 5 and 7, CIFAR-10: students too deep to train without
hints from a teacher.  A maxout unit is the largest of two linear pieces, so a layer has twice the
weights of a plain one.  The printed counts leave biases out, and fit a hidden layer of 500 units
with two pieces: 249,576 for 250K (`fitnet1`), 861,928 for 862K (`fitnet2`), 2,544,712 for 2.5M
(`fitnet4`).  Srivastava et al. 2015 call the first and the last "Fitnet A" and "Fitnet B".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cnninspect.errors import BadSetting

PIECES = 2


class MaxoutConvolution(nn.Module):
    """A 3×3 convolution to two maps for each output, of which the larger value counts."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.conv = nn.Conv2d(inputs, outputs * PIECES, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        x = self.conv(x).unflatten(1, (self.outputs, PIECES))  # (N, outputs, 2, H, W)
        return x.amax(2)  # (N, outputs, H, W)


class MaxoutLinear(nn.Module):
    """A linear layer to two values for each output, of which the larger counts."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.linear = nn.Linear(inputs, outputs * PIECES)

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs)
        x = self.linear(x).unflatten(1, (self.outputs, PIECES))  # (N, outputs, 2)
        return x.amax(2)  # (N, outputs)


class FitNet(nn.Module):
    """Three stages of convolutions with these widths, a hidden layer, and the classes."""

    def __init__(
        self,
        *,
        stage1: Sequence[int],
        stage2: Sequence[int],
        stage3: Sequence[int],
        hidden: int = 500,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if resolution < 4:
            raise BadSetting("fitnet", "resolution", str(resolution), "at least 4")
        stages = []
        for widths in (stage1, stage2, stage3):
            layers = []
            for width in widths:
                layers.append(MaxoutConvolution(in_channels, width))
                in_channels = width
            stages.append(nn.Sequential(*layers))
        self.stage1, self.stage2, self.stage3 = stages
        self.pool = nn.MaxPool2d(2)
        self.last_pool = nn.AdaptiveMaxPool2d(1)
        self.hidden = MaxoutLinear(in_channels, hidden)
        self.dropout = nn.Dropout(dropout) if dropout else None
        self.fc = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.pool(self.stage1(x))  # (N, stage1[-1], 16, 16)
        x = self.pool(self.stage2(x))  # (N, stage2[-1], 8, 8)
        x = self.last_pool(self.stage3(x))  # (N, stage3[-1], 1, 1)
        x = self.hidden(torch.flatten(x, 1))  # (N, hidden)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc(x)  # (N, num_classes)
