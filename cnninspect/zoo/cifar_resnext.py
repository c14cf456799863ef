"""ResNeXt for small images (Xie et al. 2016, arXiv:1611.05431, section 5.3).

    image ─ 3×3 to 64 ─ n blocks to 256 ─ n blocks to 512 ─ n blocks to 1024 ─ average ─ linear

    block:  x ─┬─ 1×1 to C·d ─ 3×3 in C groups ─ 1×1 ─┬─ add ─ relu ─▶
               └─────────────── shortcut ─────────────┘

Depth 9n + 2; C is the cardinality; d, the width of a path, doubles from stage to stage.  The stride
sits in the 3×3 convolution.
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


class Style:
    """What all blocks of one network share: cardinality, norm and activation."""

    def __init__(self, *, cardinality: int, activation: str, norm: str) -> None:
        self.cardinality = cardinality
        self.activation = ACTIVATIONS[activation]
        self.norm: Callable[[int], nn.Module] = nn.BatchNorm2d if norm == "batch" else nn.Identity
        self.bias = norm == "none"  # a norm would cancel the bias


class Block(nn.Module):
    """1×1 to C·width channels, 3×3 in C groups on those, 1×1 to the outputs; and the shortcut."""

    def __init__(
        self, inputs: int, width: int, outputs: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        super().__init__()
        groups, bias = style.cardinality, style.bias
        channels = groups * width
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=bias)
        self.bn1 = style.norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, groups=groups, bias=bias)
        self.bn2 = style.norm(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=bias)
        self.bn3 = style.norm(outputs)
        self.relu = style.activation()
        self.downsample = (
            None
            if stride == 1 and inputs == outputs
            else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=bias), style.norm(outputs)
            )
        )
        self.drop_path = drop_path

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        x = self.relu(self.bn1(self.conv1(x)))  # (N, C·width, H, W)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, C·width, H/stride, W/stride)
        return self.bn3(self.conv3(x))  # (N, outputs, H/stride, W/stride)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        if self.drop_path == 0:
            return self.relu(identity + self.branch(x))
        # Stochastic depth (Huang et al. 2016, arXiv:1603.09382): in training a whole block is left
        # out with this chance; in testing it always runs, weighted by its chance to survive.
        if not self.training:
            return self.relu(identity + (1 - self.drop_path) * self.branch(x))
        if torch.rand(()).item() < self.drop_path:
            # An unchanged input has been through the activation already.
            return identity if self.downsample is None else self.relu(identity)
        return self.relu(identity + self.branch(x))


class CifarResNeXt(nn.Module):
    """One 3×3 convolution, three stages of blocks, global average pooling, one linear layer.

    The second and third stage halve the size and double the channels.  `drop_path` is the chance
    that the last block is skipped, falling linearly towards the first one.

    Raises:
        BadSetting: no whole number of blocks gives that depth.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential

    def __init__(
        self,
        *,
        depth: int = 29,
        cardinality: int = 8,
        base_width: int = 64,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        head: str = "gap",
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(cardinality=cardinality, activation=activation, norm=norm)
        blocks, left = divmod(depth - 2, 9)
        if blocks < 1 or left:
            raise BadSetting("ResNeXt", "depth", str(depth), "2 more than a multiple of 9")
        self.conv1 = nn.Conv2d(in_channels, 64, 3, padding=1, bias=style.bias)
        self.bn1 = style.norm(64)
        self.relu = style.activation()
        inputs = 64
        for stage in range(3):
            width, outputs = base_width * 2**stage, 256 * 2**stage
            made = []
            for i in range(blocks):
                chance = drop_path * (stage * blocks + i + 1) / (3 * blocks)
                stride = 2 if stage > 0 and i == 0 else 1
                made.append(
                    Block(inputs, width, outputs, stride=stride, style=style, drop_path=chance)
                )
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        self.dropout = nn.Dropout(dropout) if dropout else None
        positions = 1 if head == "gap" else (-(-resolution // 4)) ** 2
        self.fc = nn.Linear(1024 * positions, num_classes)
        self.initialise()

    def initialise(self) -> None:
        """He initialisation, as for ImageNet."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 64, 32, 32)
        x = self.layer1(x)  # (N, 256, 32, 32)
        x = self.layer2(x)  # (N, 512, 16, 16)
        x = self.layer3(x)  # (N, 1024, 8, 8)
        x = self.avgpool(x)  # (N, 1024, 1, 1)
        x = torch.flatten(x, 1)  # (N, 1024)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc(x)  # (N, num_classes)
