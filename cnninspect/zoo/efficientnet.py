"""EfficientNet (Tan, Le 2019, arXiv:1905.11946): one small network scaled in three ways at once.

    x ─┬─ 1×1 widen ─ k×k depthwise ─ squeeze and excite ─ 1×1 narrow ─┬─ add ─▶
       └──────────────────────── identity ─────────────────────────────┘

MBConv6 widens its input six times, looks at each channel alone (depthwise), weighs the channels
and mixes them down again (pointwise); MBConv1 does not widen.  Table 1 of the paper is the
baseline B0.  The others multiply its channels by `width`, its blocks by `depth` and take larger
images; compound scaling ties the three together by one coefficient φ.  Module names follow
torchvision's, so that its state dicts load.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cnninspect.records.models import SettingValue

Norm = Callable[[int], nn.Module]


class ConvNormAct(nn.Sequential):
    """Convolution that keeps the size at stride 1, batch normalisation, and SiLU if `active`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int,
        norm: Norm,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        pad = kernel // 2
        layers = [
            nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=False),
            norm(outputs),
        ]
        super().__init__(*layers, *([nn.SiLU(inplace=True)] if active else []))


class SqueezeExcite(nn.Module):
    """Weighs each channel by what all the channels hold on average (Hu et al. 2017)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.SiLU(inplace=True)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W)
        scale = self.activation(self.fc1(self.avgpool(x)))  # (N, squeezed, 1, 1)
        return x * self.scale_activation(self.fc2(scale))  # (N, C, H, W)


class StochasticDepth(nn.Module):
    """In training, sets the branch of an image to zero with chance `p`; in testing, nothing.

    What is left is divided by 1 − p, so that the expected sum is the same in both.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W)
        if not self.training or self.p == 0:
            return x
        kept = torch.rand(x.shape[0], 1, 1, 1, dtype=x.dtype, device=x.device) >= self.p
        return x * kept / (1 - self.p) if self.p < 1 else x * 0.0

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


class MBConv(nn.Module):
    """Mobile inverted bottleneck: narrow at both ends, `expansion` times as wide within."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        expansion: int,
        kernel: int,
        stride: int,
        norm: Norm,
        drop_path: float,
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:  # pointwise
            layers.append(ConvNormAct(inputs, wide, kernel=1, norm=norm))
        layers += [
            ConvNormAct(wide, wide, kernel=kernel, stride=stride, groups=wide, norm=norm),
            # A quarter of the block's input, not of the wide middle: Table 1 is counted so.
            SqueezeExcite(wide, max(1, inputs // 4)),
            ConvNormAct(wide, outputs, kernel=1, norm=norm, active=False),
        ]
        self.block = nn.Sequential(*layers)
        has_skip = stride == 1 and inputs == outputs
        self.stochastic_depth = StochasticDepth(drop_path) if has_skip else None

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        y = self.block(x)  # (N, outputs, H/stride, W/stride)
        return y if self.stochastic_depth is None else x + self.stochastic_depth(y)


class Stage(NamedTuple):
    """A row of Table 1 of the paper."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STAGES = (  # stages 2 to 8 of B0; the stride is that of the stage's first block
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
STEM = 32


def scaled_channels(channels: int, width: float) -> int:
    """`channels` × `width` to the nearest multiple of 8, but never more than a tenth below it."""
    wanted = channels * width
    nearest = max(8, math.floor(wanted / 8 + 0.5) * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def scaled_blocks(blocks: int, depth: float) -> int:
    """`blocks` × `depth`, rounded up."""
    return math.ceil(blocks * depth)


class EfficientNet(nn.Module):
    """Stem, seven stages of MBConv, a pointwise convolution, average pooling, one linear layer.

    `drop_path` grows linearly over the blocks, from 0 for the first.  `resolution` is the size
    that the network is meant for; average pooling makes it run at others as well.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        depth: float = 1.0,
        resolution: int = 224,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.2,
        drop_path: float = 0.2,
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        self.resolution = resolution

        def norm(channels: int) -> nn.Module:
            return nn.BatchNorm2d(channels, norm_eps, norm_momentum)

        blocks_in_all = sum(scaled_blocks(stage.blocks, depth) for stage in STAGES)
        channels, index = scaled_channels(STEM, width), 0
        features: list[nn.Module] = [
            ConvNormAct(in_channels, channels, kernel=3, stride=2, norm=norm)
        ]
        for stage in STAGES:
            blocks = []
            for i in range(scaled_blocks(stage.blocks, depth)):
                outputs = scaled_channels(stage.channels, width)
                block = MBConv(
                    channels,
                    outputs,
                    expansion=stage.expansion,
                    kernel=stage.kernel,
                    stride=stage.stride if i == 0 else 1,
                    norm=norm,
                    drop_path=drop_path * index / blocks_in_all,
                )
                blocks.append(block)
                channels, index = outputs, index + 1
            features.append(nn.Sequential(*blocks))
        features.append(ConvNormAct(channels, 4 * channels, kernel=1, norm=norm))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * channels, num_classes))
        self.initialise()

    def initialise(self) -> None:
        """He initialisation by outputs, as the authors do; no bias to begin with."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                bound = module.out_features**-0.5
                nn.init.uniform_(module.weight, -bound, bound)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, R, R), R the resolution
        x = self.features(x)  # (N, 1280·width, R/32, R/32)
        x = torch.flatten(self.avgpool(x), 1)  # (N, 1280·width)
        return self.classifier(x)  # (N, num_classes)


def compound(
    *,
    phi: float,
    alpha: float = 1.2,
    beta: float = 1.1,
    gamma: float = 1.15,
    resolution: int | None = None,
    **others: SettingValue,
) -> dict[str, SettingValue]:
    """Arguments of `EfficientNet` for α^φ the depth, β^φ the width and γ^φ the resolution of B0.

    A resolution that is given stays.  Work grows with depth, width² and resolution², so
    α·β²·γ² ≈ 2 doubles it for each step of φ.  Source: equations 2 and 3 of the paper.
    """
    if resolution is None:
        resolution = round(224 * gamma**phi)
    return {"depth": alpha**phi, "width": beta**phi, "resolution": resolution, **others}
