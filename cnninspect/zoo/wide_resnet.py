"""Wide ResNet (Zagoruyko, Komodakis 2016, arXiv:1605.07146), for CIFAR.

    x ─┬───────────────────────────────────────────────────────┬─ add ─▶
       └─ norm ─ relu ─ 3×3 ─ norm ─ relu ─ dropout ─ 3×3 ─────┘

A pre-activation ResNet of few layers with k times the channels: WRN-28-10 has 28 layers and k = 10.
A block B(3,3) has two 3×3 convolutions; other lists of kernels make the blocks of the paper's
table 2.  Its wide ImageNet networks are `resnet18@width=2` and so on, and `wide_resnet50_2`.
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


class Style:
    """What all blocks of one network share: kernels, norm, activation and dropout."""

    def __init__(
        self, *, kernels: Sequence[int], activation: str, norm: str, dropout: float
    ) -> None:
        self.kernels = kernels
        self.activation = ACTIVATIONS[activation]
        self.norm: Callable[[int], nn.Module] = nn.BatchNorm2d if norm == "batch" else nn.Identity
        self.bias = norm == "none"  # a norm would cancel the bias
        self.dropout = dropout

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """A convolution that keeps the size at stride 1."""
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=self.bias)

    def branch(self, inputs: int, width: int, stride: int) -> nn.Sequential:
        """The convolutions of a block, with norm and activation before each but the first."""
        first, *rest = self.kernels
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        steps["conv1"] = self.conv(inputs, width, first, stride)
        for i, kernel in enumerate(rest, start=2):
            steps[f"bn{i}"] = self.norm(width)
            steps[f"relu{i}"] = self.activation()
            if self.dropout:
                steps[f"dropout{i}"] = nn.Dropout(self.dropout)
            steps[f"conv{i}"] = self.conv(width, width, kernel)
        return nn.Sequential(steps)


class Block(nn.Module):
    """The sum of the input, as it is, and of a branch."""

    def __init__(
        self, inputs: int, width: int, *, stride: int, style: Style, drop_path: float
    ) -> None:
        super().__init__()
        self.bn1 = style.norm(inputs)
        self.relu1 = style.activation()
        self.branch = style.branch(inputs, width, stride)
        same = stride == 1 and inputs == width
        self.downsample = None if same else style.conv(inputs, width, 1, stride)
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        activated = self.relu1(self.bn1(x))  # (N, inputs, H, W)
        identity = x if self.downsample is None else self.downsample(activated)
        if self.drop_path == 0:
            return identity + self.branch(activated)  # (N, width, H/stride, W/stride)
        # Stochastic depth (Huang et al. 2016, arXiv:1603.09382): in training a whole block is left
        # out with this chance; in testing it always runs, weighted by its chance to survive.
        if not self.training:
            return identity + (1 - self.drop_path) * self.branch(activated)
        if torch.rand(()).item() < self.drop_path:
            return identity
        return identity + self.branch(activated)


class WideResNet(nn.Module):
    """One 3×3 convolution, three stages, and a last norm and activation.

    A stage has (depth - 4) / 6 blocks, whatever the kernels of a block: so the paper counts in its
    table 2, where a WRN-40 of blocks B(1,3,1) has six of them in a stage.  `dropout` stands before
    each convolution of a block but the first; `drop_path` is the chance that the last block is
    skipped, falling linearly towards the first.

    Raises:
        BadSetting: no whole number of blocks gives that depth, or a kernel is even.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential

    def __init__(
        self,
        *,
        depth: int,
        width: int,
        kernels: Sequence[int] = (3, 3),
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
        blocks, left = divmod(depth - 4, 6)
        if blocks < 1 or left:
            raise BadSetting("a wide ResNet", "depth", str(depth), "4 more than a multiple of 6")
        if not all(kernel % 2 for kernel in kernels):
            shown = "x".join(map(str, kernels))
            raise BadSetting("a wide ResNet", "kernels", shown, "odd, to keep the size of a map")
        style = Style(kernels=kernels, activation=activation, norm=norm, dropout=dropout)
        self.conv1 = style.conv(in_channels, 16, 3)
        channels = 16
        for stage in range(3):
            outputs = 16 * width * 2**stage
            layers = []
            for i in range(blocks):
                chance = drop_path * (stage * blocks + i + 1) / (3 * blocks)
                stride = 2 if stage > 0 and i == 0 else 1
                layers.append(
                    Block(channels, outputs, stride=stride, style=style, drop_path=chance)
                )
                channels = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.bn1 = style.norm(channels)
        self.relu = style.activation()
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        positions = 1 if head == "gap" else (-(-resolution // 4)) ** 2
        self.fc = nn.Linear(channels * positions, num_classes)
        self.initialise()

    def initialise(self) -> None:
        """He initialisation of the convolutions, as the authors' code has it."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.conv1(x)  # (N, 16, 32, 32)
        x = self.layer1(x)  # (N, 16·k, 32, 32), k the width
        x = self.layer2(x)  # (N, 32·k, 16, 16)
        x = self.layer3(x)  # (N, 64·k, 8, 8)
        x = self.avgpool(self.relu(self.bn1(x)))  # (N, 64·k, 1, 1)
        return self.fc(torch.flatten(x, 1))  # (N, num_classes)
