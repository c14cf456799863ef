"""ResNet and its plain twin for small images (He et al. 2015, arXiv:1512.03385, section 4.2).

    image ─ 3×3 to 16 ─ n blocks of 16 ─ n blocks of 32 ─ n blocks of 64 ─ average ─ linear

The depth counts convolutions and the linear layer: 6n + 2 with blocks of two 3×3 convolutions,
9n + 2 with bottlenecks (ResNet-164 and ResNet-1001 of arXiv:1603.05027, table 4).  Where a stage
changes the shape, the shortcut of option A takes every second pixel and fills the new channels
with zeros: it has no parameters, so that a residual network has exactly those of its plain twin.
Option B projects with a 1×1 convolution, which bottlenecks need for their first block too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnninspect.errors import BadSetting
from cnninspect.zoo.resnet import ACTIVATIONS, Block


class PaddedIdentity(nn.Module):
    """Option A: the input at every `stride`-th pixel, followed by channels of zeros."""

    def __init__(self, *, stride: int, new_channels: int) -> None:
        super().__init__()
        self.stride = stride
        self.new_channels = new_channels

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]  # (N, inputs, H/stride, W/stride)
        return F.pad(x, (0, 0, 0, 0, 0, self.new_channels))  # (N, outputs, H/stride, W/stride)


class Style:
    """What all blocks of one network share: how they normalise, activate and skip."""

    def __init__(self, *, activation: str, norm: str, shortcut: str, skip: bool) -> None:
        self.activation = ACTIVATIONS[activation]
        self.norm: Callable[[int], nn.Module] = nn.BatchNorm2d if norm == "batch" else nn.Identity
        self.bias = norm == "none"  # a norm would cancel the bias
        self.option = shortcut
        self.skip = skip

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """A convolution that keeps the size at stride 1."""
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=self.bias)

    def shortcut(self, inputs: int, outputs: int, stride: int) -> nn.Module | None:
        """What brings the input to the output's shape, or None: the input has it already."""
        if not self.skip or (stride == 1 and inputs == outputs):
            return None
        if self.option == "A":
            return PaddedIdentity(stride=stride, new_channels=outputs - inputs)
        return nn.Sequential(self.conv(inputs, outputs, 1, stride), self.norm(outputs))


class BasicBlock(Block):
    """Two 3×3 convolutions."""

    expansion = 1
    layers = 2

    def __init__(
        self, inputs: int, width: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        super().__init__(skip=style.skip, drop_path=drop_path)
        self.conv1 = style.conv(inputs, width, 3, stride)
        self.bn1 = style.norm(width)
        self.relu = style.activation()
        self.conv2 = style.conv(width, width, 3)
        self.bn2 = style.norm(width)
        self.downsample = style.shortcut(inputs, width, stride)

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, width, H/stride, W/stride)
        return self.bn2(self.conv2(x))  # (N, width, H/stride, W/stride)


class Bottleneck(Block):
    """1×1 to fewer channels, 3×3 on those, 1×1 back to four times as many."""

    expansion = 4
    layers = 3

    def __init__(
        self, inputs: int, width: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        outputs = self.expansion * width
        super().__init__(skip=style.skip, drop_path=drop_path)
        self.conv1 = style.conv(inputs, width, 1)
        self.bn1 = style.norm(width)
        self.conv2 = style.conv(width, width, 3, stride)
        self.bn2 = style.norm(width)
        self.conv3 = style.conv(width, outputs, 1)
        self.bn3 = style.norm(outputs)
        self.relu = style.activation()
        self.downsample = style.shortcut(inputs, outputs, stride)

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, width, H, W)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, width, H/stride, W/stride)
        return self.bn3(self.conv3(x))  # (N, 4·width, H/stride, W/stride)


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}
WIDTHS = (16, 32, 64)


class CifarResNet(nn.Module):
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
        block: str,
        depth: int,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        shortcut: str = "A",
        head: str = "gap",
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
        drop_path: float = 0.0,
        skip: bool = True,
    ) -> None:
        super().__init__()
        style = Style(activation=activation, norm=norm, shortcut=shortcut, skip=skip)
        make = BLOCKS[block]
        blocks, left = divmod(depth - 2, 3 * make.layers)  # in each stage
        if blocks < 1 or left:
            expected = f"2 more than a multiple of {3 * make.layers}"
            raise BadSetting(f"a network of {block} blocks", "depth", str(depth), expected)
        self.conv1 = style.conv(in_channels, 16, 3)
        self.bn1 = style.norm(16)
        self.relu = style.activation()
        channels = 16
        for stage, width in enumerate(WIDTHS):
            layers = []
            for i in range(blocks):
                chance = drop_path * (stage * blocks + i + 1) / (3 * blocks)
                stride = 2 if stage > 0 and i == 0 else 1
                layers.append(make(channels, width, stride=stride, style=style, drop_path=chance))
                channels = width * make.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        self.dropout = nn.Dropout(dropout) if dropout else None
        positions = 1 if head == "gap" else (-(-resolution // 4)) ** 2
        self.fc = nn.Linear(channels * positions, num_classes)
        self.initialise()

    def initialise(self) -> None:
        """He initialisation, as the paper has it."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 16, 32, 32)
        x = self.layer1(x)  # (N, 16·e, 32, 32), e the block's expansion
        x = self.layer2(x)  # (N, 32·e, 16, 16)
        x = self.layer3(x)  # (N, 64·e, 8, 8)
        x = self.avgpool(x)  # (N, 64·e, 1, 1)
        x = torch.flatten(x, 1)  # (N, 64·e)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc(x)  # (N, num_classes)
