"""SENet: ResNet and ResNeXt with squeeze-and-excitation (Hu et al. 2017, arXiv:1709.01507).

    u ─┬─ mean over the map ─ 1×1 to C/r ─ relu ─ 1×1 to C ─ sigmoid ─┬─ multiply ─▶
       └──────────────────────────────────────────────────────────────┘

The mean of each channel (squeeze) decides how much of each channel passes (excitation); r is the
reduction ratio.  It acts on the branch of a residual block, before the sum; `se_position` has the
other places of the paper's figure 5 and tables 14 and 15.  The stride of a bottleneck sits in its
3×3 convolution; `stride_in="1x1"` puts it where the paper's tables have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class SqueezeExcitation(nn.Module):
    """Weighs each channel by what all channels hold on average.

    The two fully connected layers are 1×1 convolutions, so that without the squeeze (`NoSqueeze` of
    table 16) each position is weighed by itself.
    """

    def __init__(self, channels: int, *, reduction: int, bias: bool, squeeze: bool) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.avgpool = nn.AdaptiveAvgPool2d(1) if squeeze else nn.Identity()
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=bias)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=bias)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W)
        scale = self.avgpool(x)  # (N, C, 1, 1)
        scale = self.relu(self.fc1(scale))  # (N, C/r, 1, 1)
        scale = self.sigmoid(self.fc2(scale))  # (N, C, 1, 1)
        return x * scale  # (N, C, H, W)


@dataclass(frozen=True)
class Style:
    """What all blocks of a stage share."""

    cardinality: int
    base_width: int
    stride_in: str
    activation: str
    norm: str
    reduction: int | None
    """None: no SE."""
    se_bias: bool
    se_position: str
    squeeze: bool

    @property
    def bias(self) -> bool:
        return self.norm == "none"  # a norm would cancel the bias

    def conv(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1
    ) -> nn.Conv2d:
        """A convolution that keeps the size at stride 1."""
        padding = kernel // 2
        return nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=self.bias)

    def inner(self, width: int) -> int:
        """Channels of the 3×3 convolution of a bottleneck: those of all paths of a ResNeXt."""
        return self.cardinality * self.base_width * width // 64

    def normalise(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels) if self.norm == "batch" else nn.Identity()

    def activate(self) -> nn.Module:
        return ACTIVATIONS[self.activation]()

    def shortcut(self, inputs: int, outputs: int, stride: int) -> nn.Module | None:
        """A projection where a block changes the shape, else None: the identity."""
        if stride == 1 and inputs == outputs:
            return None
        return nn.Sequential(self.conv(inputs, outputs, 1, stride), self.normalise(outputs))

    def se(self, *, inputs: int, width: int, outputs: int) -> SqueezeExcitation | None:
        """For a block of these channels, wherever it stands in it."""
        if self.reduction is None:
            return None
        channels = {"pre": inputs, "3x3": width}.get(self.se_position, outputs)
        return SqueezeExcitation(
            channels, reduction=self.reduction, bias=self.se_bias, squeeze=self.squeeze
        )


class Block(nn.Module):
    """The residual sum around a branch, which the two kinds of block define."""

    relu: nn.Module
    se: SqueezeExcitation | None
    downsample: nn.Module | None

    def __init__(self, *, style: Style, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.se_position = style.se_position

    def weigh(self, x: Tensor, position: str) -> Tensor:
        """The signal at `position` of the block, weighed if the SE stands there."""
        return x if self.se is None or self.se_position != position else self.se(x)

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input, but for an SE before or after it."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        # Stochastic depth (Huang et al. 2016, arXiv:1603.09382): in training a whole block is left
        # out with this chance; in testing it always runs, weighted by its chance to survive.
        if self.training and self.drop_path > 0 and torch.rand(()).item() < self.drop_path:
            # An unchanged input has been through the activation already.
            return identity if self.downsample is None else self.relu(identity)
        identity = self.weigh(identity, "identity")
        residual = self.weigh(self.branch(self.weigh(x, "pre")), "standard")
        if self.drop_path > 0 and not self.training:
            residual = (1 - self.drop_path) * residual
        return self.weigh(self.relu(identity + residual), "post")


class BasicBlock(Block):
    """Two 3×3 convolutions."""

    def __init__(
        self, inputs: int, width: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        super().__init__(style=style, drop_path=drop_path)
        self.conv1 = style.conv(inputs, width, 3, stride)
        self.bn1 = style.normalise(width)
        self.relu = style.activate()
        self.conv2 = style.conv(width, width, 3)
        self.bn2 = style.normalise(width)
        self.se = style.se(inputs=inputs, width=width, outputs=width)
        self.downsample = style.shortcut(inputs, width, stride)
        self.outputs = width

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, width, H/stride, W/stride)
        x = self.weigh(x, "3x3")
        return self.bn2(self.conv2(x))  # (N, width, H/stride, W/stride)


class Bottleneck(Block):
    """1×1 to fewer channels, 3×3 on those (in groups, for a ResNeXt), 1×1 to four times `width`."""

    def __init__(
        self, inputs: int, width: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        inner, outputs = style.inner(width), 4 * width
        super().__init__(style=style, drop_path=drop_path)
        stride_1x1, stride_3x3 = (stride, 1) if style.stride_in == "1x1" else (1, stride)
        self.conv1 = style.conv(inputs, inner, 1, stride_1x1)
        self.bn1 = style.normalise(inner)
        self.conv2 = style.conv(inner, inner, 3, stride_3x3, groups=style.cardinality)
        self.bn2 = style.normalise(inner)
        self.conv3 = style.conv(inner, outputs, 1)
        self.bn3 = style.normalise(outputs)
        self.relu = style.activate()
        self.se = style.se(inputs=inputs, width=inner, outputs=outputs)
        self.downsample = style.shortcut(inputs, outputs, stride)
        self.outputs = outputs

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, inner, H, W)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, inner, H/stride, W/stride)
        x = self.weigh(x, "3x3")
        return self.bn3(self.conv3(x))  # (N, 4·width, H/stride, W/stride)


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}
WIDTHS = (64, 128, 256, 512)


class SENet(nn.Module):
    """Stem, four stages of blocks, global average pooling, one linear layer.

    `depths` are the blocks of each stage, and `se_stages` the stages that have SE, from 2 to 5 as
    in the paper's table 13.  `drop_path` is the chance that the last block is skipped, falling
    linearly towards the first one.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(
        self,
        *,
        block: str,
        depths: Sequence[int],
        reduction: int = 16,
        se_stages: Sequence[int] = (2, 3, 4, 5),
        se_position: str = "standard",
        se_bias: bool = True,
        squeeze: bool = True,
        cardinality: int = 1,
        base_width: int = 64,
        num_classes: int = 1000,
        in_channels: int = 3,
        resolution: int = 224,
        stride_in: str = "3x3",
        head: str = "gap",
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(
            cardinality=cardinality, base_width=base_width, stride_in=stride_in,
            activation=activation, norm=norm,
            reduction=reduction, se_bias=se_bias, se_position=se_position, squeeze=squeeze,
        )  # fmt: skip
        make = BLOCKS[block]
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=style.bias)
        self.bn1 = style.normalise(64)
        self.relu = style.activate()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs, count = 64, 0
        for stage, (width, depth) in enumerate(zip(WIDTHS, depths), start=2):
            here = style if stage in se_stages else replace(style, reduction=None)
            blocks = []
            for i in range(depth):
                count += 1
                stride = 2 if stage > 2 and i == 0 else 1
                chance = drop_path * count / sum(depths)
                blocks.append(make(inputs, width, stride=stride, style=here, drop_path=chance))
                inputs = blocks[-1].outputs
            setattr(self, f"layer{stage - 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        self.dropout = nn.Dropout(dropout) if dropout else None
        positions = 1 if head == "gap" else (-(-resolution // 32)) ** 2
        self.fc = nn.Linear(inputs * positions, num_classes)
        self.initialise()

    def initialise(self) -> None:
        """He initialisation."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 224, 224)
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 64, 112, 112)
        x = self.maxpool(x)  # (N, 64, 56, 56)
        x = self.layer1(x)  # (N, 64·e, 56, 56), e is 4 for bottlenecks, else 1
        x = self.layer2(x)  # (N, 128·e, 28, 28)
        x = self.layer3(x)  # (N, 256·e, 14, 14)
        x = self.layer4(x)  # (N, 512·e, 7, 7)
        x = self.avgpool(x)  # (N, 512·e, 1, 1)
        x = torch.flatten(x, 1)  # (N, 512·e)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc(x)  # (N, num_classes)
