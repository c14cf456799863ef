"""Pre-activation ResNet (He et al. 2016, arXiv:1603.05027), for ImageNet and for CIFAR.

    x ─┬───────────────────────────────────────────┬─ add ─▶
       └─ norm ─ relu ─ conv ─ norm ─ relu ─ conv ─┘

Norm and activation stand before each convolution, and nothing stands after the sum: from one block
to any later one there is a path on which nothing is done to the signal, or to its gradient.  Where
the shape changes, a 1×1 convolution of the activated input takes the place of that path.  The
stride of a bottleneck sits in its 3×3 convolution; `stride_in="1x1"` puts it into the first one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cnninspect.errors import BadSetting

# Not in place: without a norm, what is activated is the input, which the sum needs unchanged.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


KERNELS = {"basic": (3, 3), "bottleneck": (1, 3, 1)}
"""Of the convolutions in a block."""
EXPANSION = {"basic": 1, "bottleneck": 4}
"""Channels that the last of them makes, for each that the others make."""


class Style:
    """What all blocks of one network share: kernels, stride, norm and activation."""

    def __init__(self, *, block: str, stride_in: str, activation: str, norm: str) -> None:
        self.kernels = KERNELS[block]
        self.expansion = EXPANSION[block]
        self.activation = ACTIVATIONS[activation]
        self.norm: Callable[[int], nn.Module] = nn.BatchNorm2d if norm == "batch" else nn.Identity
        self.bias = norm == "none"  # a norm would cancel the bias
        self.strided = 1 if block == "bottleneck" and stride_in == "3x3" else 0

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """A convolution that keeps the size at stride 1."""
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=self.bias)

    def branch(self, inputs: int, width: int, stride: int) -> nn.Sequential:
        """The convolutions of a block, with norm and activation before each but the first."""
        widths = [width] * (len(self.kernels) - 1) + [width * self.expansion]
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        for i, (kernel, outputs) in enumerate(zip(self.kernels, widths)):
            if i > 0:
                steps[f"bn{i + 1}"] = self.norm(inputs)
                steps[f"relu{i + 1}"] = self.activation()
            step = stride if i == self.strided else 1
            steps[f"conv{i + 1}"] = self.conv(inputs, outputs, kernel, step)
            inputs = outputs
        return nn.Sequential(steps)


class Block(nn.Module):
    """The sum of the input, as it is, and of a branch."""

    def __init__(
        self, inputs: int, width: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        super().__init__()
        outputs = width * style.expansion
        self.bn1 = style.norm(inputs)
        self.relu1 = style.activation()
        self.branch = style.branch(inputs, width, stride)
        same = stride == 1 and inputs == outputs
        self.downsample = None if same else style.conv(inputs, outputs, 1, stride)
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        activated = self.relu1(self.bn1(x))  # (N, inputs, H, W)
        identity = x if self.downsample is None else self.downsample(activated)
        if self.drop_path == 0:
            return identity + self.branch(activated)  # (N, width·e, H/stride, W/stride)
        # Stochastic depth (Huang et al. 2016, arXiv:1603.09382): in training a whole block is left
        # out with this chance; in testing it always runs, weighted by its chance to survive.
        if not self.training:
            return identity + (1 - self.drop_path) * self.branch(activated)
        if torch.rand(()).item() < self.drop_path:
            return identity
        return identity + self.branch(activated)


def stages(
    inputs: int, widths: Sequence[int], depths: Sequence[int], *, style: Style, drop_path: float
) -> list[nn.Sequential]:
    """Stages of blocks; each after the first halves the size.

    `drop_path` is the chance that the last block is skipped, falling linearly towards the first.
    """
    made: list[nn.Sequential] = []
    count = 0
    for width, depth in zip(widths, depths):
        blocks = []
        for i in range(depth):
            count += 1
            stride = 2 if made and i == 0 else 1
            chance = drop_path * count / sum(depths)
            blocks.append(Block(inputs, width, stride=stride, style=style, drop_path=chance))
            inputs = width * style.expansion
        made.append(nn.Sequential(*blocks))
    return made


def initialise(model: nn.Module) -> None:
    """He initialisation of the convolutions, as the paper has it."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class PreResNet(nn.Module):
    """For ImageNet: the stem of a ResNet, four stages, and a last norm and activation."""

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
    ) -> None:
        super().__init__()
        style = Style(block=block, stride_in=stride_in, activation=activation, norm=norm)
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=style.bias)
        self.bn1 = style.norm(64)
        self.relu = style.activation()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages(
            64, (64, 128, 256, 512), depths, style=style, drop_path=drop_path
        )
        self.bn2 = style.norm(512 * style.expansion)
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        self.dropout = nn.Dropout(dropout) if dropout else None
        positions = 1 if head == "gap" else (-(-resolution // 32)) ** 2
        self.fc = nn.Linear(512 * style.expansion * positions, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 224, 224)
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 64, 112, 112)
        x = self.maxpool(x)  # (N, 64, 56, 56)
        x = self.layer1(x)  # (N, 64·e, 56, 56), e the block's expansion
        x = self.layer2(x)  # (N, 128·e, 28, 28)
        x = self.layer3(x)  # (N, 256·e, 14, 14)
        x = self.layer4(x)  # (N, 512·e, 7, 7)
        x = self.avgpool(self.relu(self.bn2(x)))  # (N, 512·e, 1, 1)
        x = torch.flatten(x, 1)  # (N, 512·e)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc(x)  # (N, num_classes)


class CifarPreResNet(nn.Module):
    """For CIFAR: one 3×3 convolution, three stages, and a last norm and activation.

    The depth is 6n + 2 with basic blocks and 9n + 2 with bottlenecks, n blocks in each stage.

    Raises:
        BadSetting: no whole number of blocks gives that depth.
    """

    def __init__(
        self,
        *,
        block: str,
        depth: int,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        stride_in: str = "3x3",
        head: str = "gap",
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(block=block, stride_in=stride_in, activation=activation, norm=norm)
        per_step = 3 * len(style.kernels)
        blocks, left = divmod(depth - 2, per_step)
        if blocks < 1 or left:
            expected = f"2 more than a multiple of {per_step}"
            raise BadSetting(f"a network of {block} blocks", "depth", str(depth), expected)
        self.conv1 = style.conv(in_channels, 16, 3)
        self.layer1, self.layer2, self.layer3 = stages(
            16, (16, 32, 64), [blocks] * 3, style=style, drop_path=drop_path
        )
        self.bn1 = style.norm(64 * style.expansion)
        self.relu = style.activation()
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        self.dropout = nn.Dropout(dropout) if dropout else None
        positions = 1 if head == "gap" else (-(-resolution // 4)) ** 2
        self.fc = nn.Linear(64 * style.expansion * positions, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.conv1(x)  # (N, 16, 32, 32)
        x = self.layer1(x)  # (N, 16·e, 32, 32), e the block's expansion
        x = self.layer2(x)  # (N, 32·e, 16, 16)
        x = self.layer3(x)  # (N, 64·e, 8, 8)
        x = self.avgpool(self.relu(self.bn1(x)))  # (N, 64·e, 1, 1)
        x = torch.flatten(x, 1)  # (N, 64·e)
        if self.dropout is not None:
            x = self.dropout(x)
        return self.fc(x)  # (N, num_classes)
