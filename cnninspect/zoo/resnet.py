"""ResNet and its plain twin (He et al. 2015, arXiv:1512.03385), for ImageNet.

    x ─┬─ conv ─ norm ─ relu ─ conv ─ norm ─┬─ add ─ relu ─▶
       └──────────── shortcut ──────────────┘

A block learns what to add to its input, so the gradient reaches its input unchanged through the
shortcut.  The plain twin has the same layers without the shortcuts.  Module names follow
torchvision's, so that its state dicts load.  The stride of a bottleneck sits in its 3×3
convolution, as in torchvision ("v1.5"); `stride_in="1x1"` puts it where the paper has it.  Wide
variants (Zagoruyko, Komodakis 2016, arXiv:1605.07146) multiply the channels inside the blocks.
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
    """What all blocks of one network share: how they normalise, activate, stride and widen."""

    def __init__(
        self, *, activation: str, norm: str, stride_in: str, skip: bool, width: float
    ) -> None:
        self.activation = ACTIVATIONS[activation]
        self.norm: Callable[[int], nn.Module] = nn.BatchNorm2d if norm == "batch" else nn.Identity
        self.bias = norm == "none"  # a norm would cancel the bias
        self.stride_in = stride_in
        self.skip = skip
        self.width = width

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """A convolution that keeps the size at stride 1."""
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=self.bias)

    def shortcut(self, inputs: int, outputs: int, stride: int) -> nn.Module | None:
        """A projection where a block changes the shape (option B), else None: the identity."""
        if not self.skip or (stride == 1 and inputs == outputs):
            return None
        return nn.Sequential(self.conv(inputs, outputs, 1, stride), self.norm(outputs))


class Block(nn.Module):
    """The residual sum around a branch, which the two kinds of block define."""

    relu: nn.Module
    downsample: nn.Module | None

    def __init__(self, *, skip: bool, drop_path: float) -> None:
        super().__init__()
        self.skip = skip
        self.drop_path = drop_path

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input, or replaces it in a plain network."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if not self.skip:
            return self.relu(self.branch(x))
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


class BasicBlock(Block):
    """Two 3×3 convolutions."""

    def __init__(
        self, inputs: int, width: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        width = int(style.width * width)
        super().__init__(skip=style.skip, drop_path=drop_path)
        self.conv1 = style.conv(inputs, width, 3, stride)
        self.bn1 = style.norm(width)
        self.relu = style.activation()
        self.conv2 = style.conv(width, width, 3)
        self.bn2 = style.norm(width)
        self.downsample = style.shortcut(inputs, width, stride)
        self.outputs = width

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, width, H/stride, W/stride)
        return self.bn2(self.conv2(x))  # (N, width, H/stride, W/stride)


class Bottleneck(Block):
    """1×1 to fewer channels, 3×3 on those, 1×1 to four times the stage's width."""

    def __init__(
        self, inputs: int, width: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        outputs = 4 * width
        width = int(style.width * width)
        super().__init__(skip=style.skip, drop_path=drop_path)
        stride_1x1, stride_3x3 = (stride, 1) if style.stride_in == "1x1" else (1, stride)
        self.conv1 = style.conv(inputs, width, 1, stride_1x1)
        self.bn1 = style.norm(width)
        self.conv2 = style.conv(width, width, 3, stride_3x3)
        self.bn2 = style.norm(width)
        self.conv3 = style.conv(width, outputs, 1)
        self.bn3 = style.norm(outputs)
        self.relu = style.activation()
        self.downsample = style.shortcut(inputs, outputs, stride)
        self.outputs = outputs

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, width, H, W)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, width, H/stride, W/stride)
        return self.bn3(self.conv3(x))  # (N, outputs, H/stride, W/stride)


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}
WIDTHS = (64, 128, 256, 512)


class ResNet(nn.Module):
    """Stem, four stages of blocks, global average pooling, one linear layer.

    `depths` are the blocks of each stage; a stage after the first halves the size and doubles the
    channels.  `drop_path` is the chance that the last block is skipped, falling linearly towards
    the first one; `width` multiplies the channels inside the blocks.
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
        num_classes: int = 1000,
        in_channels: int = 3,
        resolution: int = 224,
        stride_in: str = "3x3",
        head: str = "gap",
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
        drop_path: float = 0.0,
        skip: bool = True,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        style = Style(activation=activation, norm=norm, stride_in=stride_in, skip=skip, width=width)
        make = BLOCKS[block]
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=style.bias)
        self.bn1 = style.norm(64)
        self.relu = style.activation()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs, count = 64, 0
        for stage, (channels, depth) in enumerate(zip(WIDTHS, depths), start=1):
            blocks = []
            for i in range(depth):
                count += 1
                blocks.append(
                    make(
                        inputs,
                        channels,
                        stride=2 if stage > 1 and i == 0 else 1,
                        style=style,
                        drop_path=drop_path * count / sum(depths),
                    )
                )
                inputs = blocks[-1].outputs
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        self.dropout = nn.Dropout(dropout) if dropout else None
        positions = 1 if head == "gap" else (-(-resolution // 32)) ** 2
        self.fc = nn.Linear(inputs * positions, num_classes)
        self.initialise()

    def initialise(self) -> None:
        """He initialisation, as the paper and torchvision do."""
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
