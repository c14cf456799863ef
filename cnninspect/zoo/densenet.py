"""DenseNet (Huang et al. 2016, arXiv:1608.06993), for ImageNet and for CIFAR.

    x0 ─ layer ─ x1         each layer makes k channels (the growth rate) and reads
    x0, x1 ─ layer ─ x2     everything before it in its block: with its input, a block of
    x0, x1, x2 ─ layer ─ …  L layers has L(L+1)/2 connections

Between blocks a transition shrinks the channels to a share θ (compression) and halves the size.
With a bottleneck (B) a layer first makes 4k channels by a 1×1 convolution.  Module names follow
torchvision's, so that its state dicts load.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.errors import BadSetting

# Not in place: without a norm, what is activated is a map that later layers read too.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class Style:
    """What all layers of one network share: growth, bottleneck, norm, activation and dropout."""

    def __init__(
        self, *, growth_rate: int, bottleneck: bool, activation: str, norm: str, dropout: float
    ) -> None:
        self.growth_rate = growth_rate
        self.bottleneck = bottleneck
        self.activation = ACTIVATIONS[activation]
        self.norm: Callable[[int], nn.Module] = nn.BatchNorm2d if norm == "batch" else nn.Identity
        self.bias = norm == "none"  # a norm would cancel the bias
        self.dropout = dropout

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """A convolution that keeps the size at stride 1."""
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=self.bias)

    def unit(self, inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
        """Norm, activation, convolution, and dropout if there is any: the paper's H."""
        steps = [self.norm(inputs), self.activation(), self.conv(inputs, outputs, kernel)]
        return [*steps, nn.Dropout(self.dropout)] if self.dropout else steps


class DenseLayer(nn.Sequential):
    """k new channels out of all those before."""

    def __init__(self, inputs: int, *, style: Style) -> None:
        growth = style.growth_rate
        if style.bottleneck:
            units = [style.unit(inputs, 4 * growth, 1), style.unit(4 * growth, growth, 3)]
        else:
            units = [style.unit(inputs, growth, 3)]
        names = ("norm", "relu", "conv", "dropout")
        super().__init__(
            OrderedDict(
                (f"{name}{i}", step)
                for i, unit in enumerate(units, start=1)
                for name, step in zip(names, unit)
            )
        )


class DenseBlock(nn.Module):
    """Layers that each read the block's input and what all earlier layers made."""

    def __init__(self, inputs: int, layers: int, *, style: Style) -> None:
        super().__init__()
        for i in range(layers):
            layer = DenseLayer(inputs + i * style.growth_rate, style=style)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        maps = [x]
        for layer in self.children():
            maps.append(layer(torch.cat(maps, 1)))  # (N, k, H, W)
        return torch.cat(maps, 1)  # (N, inputs + layers·k, H, W)


class Transition(nn.Sequential):
    """Fewer channels, half the size."""

    def __init__(self, inputs: int, outputs: int, *, style: Style) -> None:
        names = ("norm", "relu", "conv", "dropout")
        steps = OrderedDict(zip(names, style.unit(inputs, outputs, 1)))
        super().__init__(OrderedDict(steps, pool=nn.AvgPool2d(2)))


class DenseNet(nn.Module):
    """Stem, dense blocks with transitions between them, a last norm, one linear layer.

    `depths` are the layers of each block.  The stem is `imagenet` (7×7 convolution and pooling, a
    quarter of the size) or `cifar` (3×3 convolution); it makes `stem_channels`, or twice the growth
    rate.  Dropout follows each convolution but the stem's, as in the paper.
    """

    def __init__(
        self,
        *,
        depths: Sequence[int],
        growth_rate: int = 32,
        compression: float = 0.5,
        bottleneck: bool = True,
        stem: str = "imagenet",
        stem_channels: int | None = None,
        num_classes: int = 1000,
        in_channels: int = 3,
        resolution: int = 224,
        head: str = "gap",
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(
            growth_rate=growth_rate, bottleneck=bottleneck,
            activation=activation, norm=norm, dropout=dropout,
        )  # fmt: skip
        channels = stem_channels or 2 * growth_rate
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        if stem == "imagenet":
            steps["conv0"] = nn.Conv2d(in_channels, channels, 7, 2, 3, bias=style.bias)
            steps["norm0"] = style.norm(channels)
            steps["relu0"] = style.activation()
            steps["pool0"] = nn.MaxPool2d(3, 2, 1)
            resolution = -(-resolution // 4)
        else:
            steps["conv0"] = style.conv(in_channels, channels, 3)
        for i, layers in enumerate(depths, start=1):
            if i > 1:
                kept = max(1, int(channels * compression))
                steps[f"transition{i - 1}"] = Transition(channels, kept, style=style)
                channels = kept
                resolution //= 2
            steps[f"denseblock{i}"] = DenseBlock(channels, layers, style=style)
            channels += layers * growth_rate
        steps["norm5"] = style.norm(channels)
        self.features = nn.Sequential(steps)
        self.relu = style.activation()
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        positions = 1 if head == "gap" else resolution**2
        self.classifier = nn.Linear(channels * positions, num_classes)
        self.initialise()

    def initialise(self) -> None:
        """He initialisation of the convolutions and no bias in the last layer, as torchvision."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 224, 224); CIFAR: 32, 32
        x = self.features(x)  # (N, C, 7, 7); CIFAR: 8, 8
        x = self.avgpool(self.relu(x))  # (N, C, 1, 1)
        return self.classifier(torch.flatten(x, 1))  # (N, num_classes)


def cifar_densenet(*, depth: int, bottleneck: bool, growth_rate: int, **settings: Any) -> DenseNet:
    """Three equal blocks of (depth - 4) / 3 layers, half as many with bottlenecks.

    The stem makes 16 channels, or twice the growth rate with bottlenecks.

    Raises:
        BadSetting: no whole number of layers gives that depth.
    """
    step = 6 if bottleneck else 3
    layers, left = divmod(depth - 4, step)
    if layers < 1 or left:
        raise BadSetting("DenseNet", "depth", str(depth), f"4 more than a multiple of {step}")
    return DenseNet(
        depths=(layers,) * 3,
        growth_rate=growth_rate,
        bottleneck=bottleneck,
        stem="cifar",
        stem_channels=None if bottleneck else 16,
        **settings,
    )
