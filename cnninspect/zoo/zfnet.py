"""ZFNet: AlexNet with a finer start (Zeiler, Fergus 2013, arXiv:1311.2901, Figure 3).

    image ─ conv 7 ─ pool ─ conv 5 ─ pool ─ conv 3 ─ conv 3 ─ conv 3 ─ pool ─ fc ─ fc ─ fc ─▶

The first convolution is 7×7 with stride 2 where AlexNet's is 11×11 with stride 4, and the second
has stride 2, so that the map reaches 13×13 at the same place.  The figure prints the sizes of all
maps (110, 55, 26, 13, 6): the first convolution then pads by 1 and the pooling rounds up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from cnninspect.errors import BadSetting

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class Convolution(nn.Module):
    """A convolution, activated; batch normalisation comes before that, the other kind after.

    The paper normalises across neighbouring maps without giving numbers: AlexNet's are taken.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        activation: str,
        norm: str,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding)
        self.bn = nn.BatchNorm2d(outputs) if norm == "batch" else None
        self.activation = ACTIVATIONS[activation]()
        self.lrn = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2) if norm == "local" else None

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        x = self.conv(x)  # (N, outputs, H', W')
        if self.bn is not None:
            x = self.bn(x)
        x = self.activation(x)
        return x if self.lrn is None else self.lrn(x)


class ZFNet(nn.Module):
    """Five convolutions, three linear layers; `head="gap"` leaves only the last of those."""

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        resolution: int = 224,
        head: str = "flatten",
        activation: str = "relu",
        norm: str = "local",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        early = partial(Convolution, activation=activation, norm=norm)
        # Contrast is normalised after the first two convolutions only.
        late = partial(early, norm="none" if norm == "local" else norm)
        self.features = nn.Sequential(
            early(in_channels, 96, 7, stride=2, padding=1),  # (N, 96, 110, 110)
            nn.MaxPool2d(3, 2, ceil_mode=True),  # (N, 96, 55, 55)
            early(96, 256, 5, stride=2),  # (N, 256, 26, 26)
            nn.MaxPool2d(3, 2, ceil_mode=True),  # (N, 256, 13, 13)
            late(256, 384, 3, padding=1),  # (N, 384, 13, 13)
            late(384, 384, 3, padding=1),  # (N, 384, 13, 13)
            late(384, 256, 3, padding=1),  # (N, 256, 13, 13)
            nn.MaxPool2d(3, 2, ceil_mode=True),  # (N, 256, 6, 6)
        )
        side = (resolution - 5) // 2 + 1  # 7×7, stride 2, padded by 1
        side = (side // 2 - 5) // 2 + 1  # pooled, then 5×5 with stride 2
        side = side // 2 // 2  # pooled twice: a 3×3 window and stride 2, rounded up, halve
        if side < 1:
            raise BadSetting("zfnet", "resolution", str(resolution), "at least 47")
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        if head == "gap":
            self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(256, num_classes))
        else:
            self.classifier = nn.Sequential(
                nn.Linear(256 * side**2, 4096),
                ACTIVATIONS[activation](),
                nn.Dropout(dropout),
                nn.Linear(4096, 4096),
                ACTIVATIONS[activation](),
                nn.Dropout(dropout),
                nn.Linear(4096, num_classes),
            )

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 224, 224)
        x = self.features(x)  # (N, 256, 6, 6)
        x = self.avgpool(x)  # (N, 256, 6, 6)
        x = torch.flatten(x, 1)  # (N, 256·36)
        return self.classifier(x)  # (N, num_classes)
