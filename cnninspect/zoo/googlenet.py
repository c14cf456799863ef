"""GoogLeNet and its Inception modules (Szegedy et al. 2014, arXiv:1409.4842).

        ┌─ 1×1 ────────────────┐
    x ──┼─ 1×1 ─ 3×3 ──────────┼─ concatenate ─▶
        ├─ 1×1 ─ 5×5 ──────────┤
        └─ max-pool 3×3 ─ 1×1 ─┘

A module looks at its input at four scales and puts the maps side by side; 1×1 convolutions before
the costly 3×3 and 5×5 ones cut the cost.  Module names follow torchvision's, so that its state dict
loads.  Torchvision's network is not the paper's: it has batch normalisation, and a kernel of 3 in
the branch called 5×5 (pytorch/vision issue 906).  `googlenet_paper` has neither.  The modules by
themselves are in `inception`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

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
    """What all parts of one network share: how they normalise and activate, the "5×5" kernel."""

    def __init__(self, *, activation: str, norm: str, kernel_5x5: int) -> None:
        self.activation = ACTIVATIONS[activation]
        self.batch_norm = norm == "batch"
        self.kernel_5x5 = kernel_5x5


class BasicConv2d(nn.Module):
    """A convolution that keeps the size at stride 1, normalised where asked for, activated."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, style: Style
    ) -> None:
        super().__init__()
        bias = not style.batch_norm  # a norm would cancel the bias
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001) if style.batch_norm else None
        self.activation = style.activation()

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        x = self.conv(x)  # (N, outputs, H/stride, W/stride)
        if self.bn is not None:
            x = self.bn(x)
        return self.activation(x)


class Inception(nn.Module):
    """Four branches side by side; `widths` are the six numbers of a row of Table 1.

    They are: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection.
    """

    def __init__(self, inputs: int, widths: Sequence[int], *, style: Style) -> None:
        super().__init__()
        one, reduce_3x3, three, reduce_5x5, five, projected = widths
        self.branch1 = BasicConv2d(inputs, one, 1, style=style)
        self.branch2 = nn.Sequential(
            BasicConv2d(inputs, reduce_3x3, 1, style=style),
            BasicConv2d(reduce_3x3, three, 3, style=style),
        )
        self.branch3 = nn.Sequential(
            BasicConv2d(inputs, reduce_5x5, 1, style=style),
            BasicConv2d(reduce_5x5, five, style.kernel_5x5, style=style),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1),
            BasicConv2d(inputs, projected, 1, style=style),
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        branches = (self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x))
        return torch.cat(branches, 1)  # (N, one + three + five + projected, H, W)


class InceptionAux(nn.Module):
    """A classifier on an inner map, in training only: it feeds the gradient in half-way."""

    def __init__(self, inputs: int, num_classes: int, *, style: Style) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.conv = BasicConv2d(inputs, 128, 1, style=style)
        self.fc1 = nn.Linear(128 * 16, 1024)
        self.activation = style.activation()
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, 14, 14)
        x = self.conv(self.avgpool(x))  # (N, 128, 4, 4)
        x = self.activation(self.fc1(torch.flatten(x, 1)))  # (N, 1024)
        return self.fc2(self.dropout(x))  # (N, num_classes)


class TrainingOutput(NamedTuple):
    """What the network returns in training with auxiliary classifiers, as in torchvision."""

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class TransformInput(nn.Module):
    """From the input of torchvision's other networks to that of its GoogLeNet's weights.

    Those are normalised by the mean and deviation of ImageNet, this one to ±1 from 0 to 1.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        scale = torch.tensor([deviation / 0.5 for deviation in deviations]).view(3, 1, 1)
        shift = torch.tensor([(mean - 0.5) / 0.5 for mean in means]).view(3, 1, 1)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, H, W)
        return x * self.scale + self.shift


# Table 1: inputs, then 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection.
INCEPTIONS = {
    "3a": (192, (64, 96, 128, 16, 32, 32)),
    "3b": (256, (128, 128, 192, 32, 96, 64)),
    "4a": (480, (192, 96, 208, 16, 48, 64)),
    "4b": (512, (160, 112, 224, 24, 64, 64)),
    "4c": (512, (128, 128, 256, 24, 64, 64)),
    "4d": (512, (112, 144, 288, 32, 64, 64)),
    "4e": (528, (256, 160, 320, 32, 128, 128)),
    "5a": (832, (256, 160, 320, 32, 128, 128)),
    "5b": (832, (384, 192, 384, 48, 128, 128)),
}


class GoogLeNet(nn.Module):
    """Three convolutions, nine Inception modules, global average pooling, one linear layer.

    `aux` adds the two auxiliary classifiers, whose 6,379,984 parameters work in training only; then
    the forward of training mode returns three outputs.  Torchvision builds them unless told not to;
    here they are off.  `transform_input` takes input normalised for other networks of torchvision,
    which its published weights want.
    """

    inception3a: Inception
    inception3b: Inception
    inception4a: Inception
    inception4b: Inception
    inception4c: Inception
    inception4d: Inception
    inception4e: Inception
    inception5a: Inception
    inception5b: Inception

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        resolution: int = 224,
        aux: bool = False,
        transform_input: bool = False,
        kernel_5x5: str = "3",
        head: str = "gap",
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        style = Style(activation=activation, norm=norm, kernel_5x5=int(kernel_5x5))
        self.conv1 = BasicConv2d(in_channels, 64, 7, stride=2, style=style)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        # The paper's Figure 3 normalises contrast after the first pooling and before the second.
        local = norm == "local"
        self.norm1 = nn.LocalResponseNorm(5) if local else None
        self.conv2 = BasicConv2d(64, 64, 1, style=style)
        self.conv3 = BasicConv2d(64, 192, 3, style=style)
        self.norm2 = nn.LocalResponseNorm(5) if local else None
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        for place, (inputs, widths) in INCEPTIONS.items():
            setattr(self, f"inception{place}", Inception(inputs, widths, style=style))
        self.aux1 = InceptionAux(512, num_classes, style=style) if aux else None
        self.aux2 = InceptionAux(528, num_classes, style=style) if aux else None
        self.avgpool = nn.AdaptiveAvgPool2d(1) if head == "gap" else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        side = (resolution + 1) // 2  # a stride of 2, padded, rounds up
        side = side // 2 // 2 // 2  # so does 2×2 pooling; 3×3 pooling, rounded up, rounds down
        side = 1 if head == "gap" else (side + 1) // 2
        if resolution < 15:
            raise BadSetting("googlenet", "resolution", str(resolution), "at least 15")
        self.fc = nn.Linear(1024 * side**2, num_classes)
        self.transform_input = TransformInput() if transform_input else None
        if transform_input and in_channels != 3:
            raise BadSetting("googlenet", "transform_input", "true", "false unless in_channels=3")
        self.initialise()

    def initialise(self) -> None:
        """Deviation 0.01, as in torchvision.

        Without batch normalisation nothing would come through such small weights: then they are
        uniform with the deviation 1/√inputs and have biases of 0.2, as in Caffe's file of the net.
        """
        for module in self.modules():
            if not isinstance(module, (nn.Conv2d, nn.Linear)):
                continue
            if self.conv1.bn is not None:
                nn.init.normal_(module.weight, std=0.01)
            else:
                nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
                if module.bias is not None:
                    nn.init.constant_(module.bias, 0.2)

    def forward(self, x: Tensor) -> Tensor | TrainingOutput:  # (N, in_channels, 224, 224)
        if self.transform_input is not None:
            x = self.transform_input(x)
        x = self.maxpool1(self.conv1(x))  # (N, 64, 56, 56)
        if self.norm1 is not None:
            x = self.norm1(x)
        x = self.conv3(self.conv2(x))  # (N, 192, 56, 56)
        if self.norm2 is not None:
            x = self.norm2(x)
        x = self.maxpool2(x)  # (N, 192, 28, 28)
        x = self.inception3b(self.inception3a(x))  # (N, 480, 28, 28)
        x = self.inception4a(self.maxpool3(x))  # (N, 512, 14, 14)
        aux1 = self.aux1(x) if self.aux1 is not None and self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))  # (N, 528, 14, 14)
        aux2 = self.aux2(x) if self.aux2 is not None and self.training else None
        x = self.maxpool4(self.inception4e(x))  # (N, 832, 7, 7)
        x = self.inception5b(self.inception5a(x))  # (N, 1024, 7, 7)
        x = self.avgpool(x)  # (N, 1024, 1, 1)
        x = self.fc(self.dropout(torch.flatten(x, 1)))  # (N, num_classes)
        if aux1 is None or aux2 is None:
            return x
        return TrainingOutput(x, aux2, aux1)
