"""ResNeXt (Xie et al. 2016, arXiv:1611.05431), for ImageNet.

    (a) split          x ─ C × [1×1 to d ─ 3×3 ─ 1×1] ─ sum of C ─▶
    (b) concatenated   x ─ C × [1×1 to d ─ 3×3] ─ concatenation ─ 1×1 ─▶
    (c) grouped        x ─ 1×1 to C·d ─ 3×3 in C groups ─ 1×1 ─▶

A ResNet whose bottlenecks split into C equal paths (the cardinality) of d channels (the base width,
doubled from stage to stage).  The three forms of a block in the paper's figure 3 compute the same;
the grouped one is the default, with torchvision's module names, so that its state dicts load.  The
stride sits in the 3×3 convolution; `stride_in="1x1"` puts it into the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class Style:
    """What all blocks of one network share: cardinality, norm, activation, stride."""

    def __init__(self, *, cardinality: int, activation: str, norm: str, stride_in: str) -> None:
        self.cardinality = cardinality
        self.activation = ACTIVATIONS[activation]
        self.norm: Callable[[int], nn.Module] = nn.BatchNorm2d if norm == "batch" else nn.Identity
        self.bias = norm == "none"  # a norm would cancel the bias
        self.stride_in = stride_in

    def conv1x1(self, inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, 1, stride, bias=self.bias)

    def conv3x3(self, inputs: int, outputs: int, stride: int, *, groups: int = 1) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, 3, stride, 1, groups=groups, bias=self.bias)

    def shortcut(self, inputs: int, outputs: int, stride: int) -> nn.Module | None:
        """A projection where a block changes the shape, else None: the identity."""
        if stride == 1 and inputs == outputs:
            return None
        return nn.Sequential(self.conv1x1(inputs, outputs, stride), self.norm(outputs))

    def strides(self, stride: int) -> tuple[int, int]:
        """Of the first 1×1 and of the 3×3 convolution."""
        return (stride, 1) if self.stride_in == "1x1" else (1, stride)


class Block(nn.Module):
    """The residual sum around a branch, which the three forms define."""

    relu: nn.Module
    downsample: nn.Module | None

    def __init__(self, *, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        raise NotImplementedError

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


class GroupedBlock(Block):
    """Form (c): a 3×3 convolution in as many groups as there are paths."""

    def __init__(
        self, inputs: int, width: int, outputs: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        super().__init__(drop_path=drop_path)
        first, second = style.strides(stride)
        channels = style.cardinality * width
        self.conv1 = style.conv1x1(inputs, channels, first)
        self.bn1 = style.norm(channels)
        self.conv2 = style.conv3x3(channels, channels, second, groups=style.cardinality)
        self.bn2 = style.norm(channels)
        self.conv3 = style.conv1x1(channels, outputs)
        self.bn3 = style.norm(outputs)
        self.relu = style.activation()
        self.downsample = style.shortcut(inputs, outputs, stride)

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, C·width, H, W)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, C·width, H/stride, W/stride)
        return self.bn3(self.conv3(x))  # (N, outputs, H/stride, W/stride)


class Path(nn.Module):
    """One of the C ways through a block, up to and with its 3×3 convolution."""

    def __init__(self, inputs: int, width: int, *, stride: int, style: Style) -> None:
        super().__init__()
        first, second = style.strides(stride)
        self.conv1 = style.conv1x1(inputs, width, first)
        self.bn1 = style.norm(width)
        self.conv2 = style.conv3x3(width, width, second)
        self.bn2 = style.norm(width)
        self.relu = style.activation()
        self.share = 1 / style.cardinality

    def rescale(self) -> None:
        """Shrinks fresh weights to those of a convolution that has the channels of all paths."""
        with torch.no_grad():
            self.conv1.weight.mul_(self.share**0.5)
            self.conv2.weight.mul_(self.share**0.5)

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        x = self.relu(self.bn1(self.conv1(x)))  # (N, width, H, W)
        return self.relu(self.bn2(self.conv2(x)))  # (N, width, H/stride, W/stride)


class ConcatenatedBlock(Block):
    """Form (b): separate paths, put side by side before one 1×1 convolution."""

    def __init__(
        self, inputs: int, width: int, outputs: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        super().__init__(drop_path=drop_path)
        self.paths = nn.ModuleList(
            Path(inputs, width, stride=stride, style=style) for _ in range(style.cardinality)
        )
        self.conv3 = style.conv1x1(style.cardinality * width, outputs)
        self.bn3 = style.norm(outputs)
        self.relu = style.activation()
        self.downsample = style.shortcut(inputs, outputs, stride)

    def branch(self, x: Tensor) -> Tensor:
        x = torch.cat([path(x) for path in self.paths], 1)  # (N, C·width, H/stride, W/stride)
        return self.bn3(self.conv3(x))  # (N, outputs, H/stride, W/stride)


class SplitBlock(Block):
    """Form (a): separate paths, each with its own last 1×1 convolution, added up."""

    def __init__(
        self, inputs: int, width: int, outputs: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        super().__init__(drop_path=drop_path)
        self.paths = nn.ModuleList(
            nn.Sequential(
                Path(inputs, width, stride=stride, style=style),
                # Of C biases that are added up, one is enough.
                nn.Conv2d(width, outputs, 1, bias=style.bias and i == 0),
            )
            for i in range(style.cardinality)
        )
        self.bn3 = style.norm(outputs)
        self.relu = style.activation()
        self.downsample = style.shortcut(inputs, outputs, stride)

    def branch(self, x: Tensor) -> Tensor:
        first, *others = self.paths
        merged = first(x)  # (N, outputs, H/stride, W/stride)
        for path in others:
            merged = merged + path(x)
        return self.bn3(merged)


BLOCKS: dict[str, type[GroupedBlock] | type[ConcatenatedBlock] | type[SplitBlock]] = {
    "split": SplitBlock,
    "concatenated": ConcatenatedBlock,
    "grouped": GroupedBlock,
}


class ResNeXt(nn.Module):
    """The stem of a ResNet, four stages of blocks, global average pooling, one linear layer.

    `depths` are the blocks of each stage; a stage after the first halves the size and doubles the
    channels.  `drop_path` is the chance that the last block is skipped, falling linearly towards
    the first one.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(
        self,
        *,
        depths: Sequence[int],
        cardinality: int = 32,
        base_width: int = 4,
        form: str = "grouped",
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
            cardinality=cardinality, activation=activation, norm=norm, stride_in=stride_in
        )
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=style.bias)
        self.bn1 = style.norm(64)
        self.relu = style.activation()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        make = BLOCKS[form]
        inputs, count = 64, 0
        for stage, depth in enumerate(depths):
            width, outputs = base_width * 2**stage, 256 * 2**stage
            blocks = []
            for i in range(depth):
                count += 1
                stride = 2 if stage > 0 and i == 0 else 1
                chance = drop_path * count / sum(depths)
                blocks.append(
                    make(inputs, width, outputs, stride=stride, style=style, drop_path=chance)
                )
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        self.dropout = nn.Dropout(dropout) if dropout else None
        positions = 1 if head == "gap" else (-(-resolution // 32)) ** 2
        self.fc = nn.Linear(2048 * positions, num_classes)
        self.initialise()

    def initialise(self) -> None:
        """He initialisation, as the paper and torchvision do."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for module in self.modules():
            if isinstance(module, Path):
                module.rescale()

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 224, 224)
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 64, 112, 112)
        x = self.maxpool(x)  # (N, 64, 56, 56)
        x = self.layer1(x)  # (N, 256, 56, 56)
        x = self.layer2(x)  # (N, 512, 28, 28)
        x = self.layer3(x)  # (N, 1024, 14, 14)
        x = self.layer4(x)  # (N, 2048, 7, 7)
        x = self.avgpool(x)  # (N, 2048, 1, 1)
        x = torch.flatten(x, 1)  # (N, 2048)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc(x)  # (N, num_classes)
