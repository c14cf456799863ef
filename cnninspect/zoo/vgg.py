"""VGG: nothing but 3×3 convolutions and 2×2 pooling (Simonyan, Zisserman 2014, arXiv:1409.1556).

    image ─ five stages of (convolutions ─ max-pool) ─ fc ─ fc ─ fc ─▶ logits

Two 3×3 convolutions see 5×5 pixels and three see 7×7, with fewer weights and more non-linearities
than one large convolution.  The number in a name counts convolutions and linear layers.  The
configurations are those of Table 1: A, B, D and E have 3×3 throughout, the third convolution of a
stage is 1×1 in C.  Module names follow torchvision's, so that its state dicts load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cnninspect.errors import BadSetting

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
WIDTHS = (64, 128, 256, 512, 512)


def stage(
    inputs: int, outputs: int, *, kernels: Sequence[int], activation: str, norm: str
) -> list[nn.Module]:
    """Convolutions that keep the size, then a pooling that halves it.

    A convolution keeps its bias beside batch normalisation, as in torchvision, though nothing
    comes of it.
    """
    layers: list[nn.Module] = []
    for kernel in kernels:
        layers.append(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))
        if norm == "batch":
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(ACTIVATIONS[activation]())
        inputs = outputs
    return [*layers, nn.MaxPool2d(2)]


class VGG(nn.Module):
    """Five stages with `depths` convolutions each, `third_kernel` the size of a stage's third.

    `head` is what meets the last map: `adaptive` averages it to 7×7 and flattens it (torchvision),
    `flatten` takes it as it is, which fixes the input's size (the paper), and `gap` averages it to
    1×1 for a single linear layer.
    """

    def __init__(
        self,
        *,
        depths: Sequence[int],
        third_kernel: int = 3,
        num_classes: int = 1000,
        in_channels: int = 3,
        resolution: int = 224,
        head: str = "adaptive",
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if resolution < 32:
            raise BadSetting("vgg", "resolution", str(resolution), "at least 32")
        layers = []
        for depth, width in zip(depths, WIDTHS):
            kernels = (3, 3, third_kernel, 3)[:depth]
            layers += stage(
                in_channels, width, kernels=kernels, activation=activation, norm=norm
            )  # (N, width, H/2, W/2)
            in_channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = {
            "adaptive": nn.AdaptiveAvgPool2d(7),
            "flatten": nn.Identity(),
            "gap": nn.AdaptiveAvgPool2d(1),
        }[head]
        if head == "gap":
            self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(512, num_classes))
        else:
            side = 7 if head == "adaptive" else resolution // 32
            self.classifier = nn.Sequential(
                nn.Linear(512 * side**2, 4096),
                ACTIVATIONS[activation](),
                nn.Dropout(dropout),
                nn.Linear(4096, 4096),
                ACTIVATIONS[activation](),
                nn.Dropout(dropout),
                nn.Linear(4096, num_classes),
            )
        self.initialise()

    def initialise(self) -> None:
        """He initialisation of convolutions, deviation 0.01 of linear layers, as in torchvision."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 224, 224)
        x = self.features(x)  # (N, 512, 7, 7)
        x = self.avgpool(x)  # (N, 512, 7, 7)
        x = torch.flatten(x, 1)  # (N, 512·49)
        return self.classifier(x)  # (N, num_classes)
