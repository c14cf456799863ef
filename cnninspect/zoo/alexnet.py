"""AlexNet: five convolutions and three linear layers (Krizhevsky, Sutskever, Hinton 2012).

    image ─ conv 11 ─ pool ─ conv 5 ─ pool ─ conv 3 ─ conv 3 ─ conv 3 ─ pool ─ fc ─ fc ─ fc ─▶

Two networks go by the name.  The one of 2012 was spread over two graphics processors that saw half
of the maps each: grouped convolutions, with local response normalisation, 60,965,224 parameters.
Torchvision's is the smaller single tower of "One weird trick" (Krizhevsky 2014, arXiv:1404.5997),
and module names follow it, so that its state dict loads.

The paper prints an input of 224 pixels that an 11×11 convolution of stride 4 turns into 55: that
needs 2 pixels of padding, since (224 + 2·2 − 11) // 4 + 1 = 55, or an input of 227 without padding.
The variants of 2012 take 227 and none, as Caffe does; `resolution=224,padding=2` costs the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from cnninspect.errors import BadSetting

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int,
    groups: int = 1,
    activation: str,
    norm: str,
) -> list[nn.Module]:
    """A convolution and what follows it.

    Batch normalisation comes before the activation, local response normalisation after it.
    The paper's sum over five maps is torch's mean over them with five times the alpha.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)  # (N, outputs, H', W')
    ]
    if norm == "batch":
        layers.append(nn.BatchNorm2d(outputs))
    layers.append(ACTIVATIONS[activation]())
    if norm == "local":
        layers.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2))
    return layers


class AlexNet(nn.Module):
    """Convolutions with these `widths`, of which the second, fourth and fifth have `groups`.

    `head` is what meets the last map: `adaptive` averages it to 6×6 and flattens it (torchvision),
    `flatten` takes it as it is, which fixes the input's size (the paper), and `gap` averages it to
    1×1 for a single linear layer.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int],
        groups: int = 1,
        gaussian: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
        resolution: int = 224,
        padding: int = 2,
        head: str = "adaptive",
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        a, b, c, d, e = widths
        early = partial(convolution, activation=activation, norm=norm)
        # Local response normalisation follows the first two convolutions only.
        late = partial(early, norm="none" if norm == "local" else norm)
        self.features = nn.Sequential(
            *early(in_channels, a, 11, stride=4, padding=padding),  # (N, a, 55, 55)
            nn.MaxPool2d(3, 2),  # (N, a, 27, 27)
            *early(a, b, 5, padding=2, groups=groups),  # (N, b, 27, 27)
            nn.MaxPool2d(3, 2),  # (N, b, 13, 13)
            *late(b, c, 3, padding=1),  # (N, c, 13, 13)
            *late(c, d, 3, padding=1, groups=groups),  # (N, d, 13, 13)
            *late(d, e, 3, padding=1, groups=groups),  # (N, e, 13, 13)
            nn.MaxPool2d(3, 2),  # (N, e, 6, 6)
        )
        side = (resolution + 2 * padding - 11) // 4 + 1
        for _ in range(3):
            side = (side - 3) // 2 + 1
        if side < 1:
            raise BadSetting(
                "alexnet", "resolution", str(resolution), f"at least {67 - 2 * padding}"
            )
        self.avgpool = {
            "adaptive": nn.AdaptiveAvgPool2d(6),
            "flatten": nn.Identity(),
            "gap": nn.AdaptiveAvgPool2d(1),
        }[head]
        if head == "gap":
            self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(e, num_classes))
        else:
            side = 6 if head == "adaptive" else side
            self.classifier = nn.Sequential(
                nn.Dropout(dropout),
                nn.Linear(e * side**2, 4096),
                ACTIVATIONS[activation](),
                nn.Dropout(dropout),
                nn.Linear(4096, 4096),
                ACTIVATIONS[activation](),
                nn.Linear(4096, num_classes),
            )
        if gaussian:
            self.initialise()

    def initialise(self) -> None:
        """Weights of the paper's section 5: deviation 0.01; a bias of 1 starts the ReLUs off.

        The second, fourth and fifth convolution and the hidden linear layers have that bias.
        """
        convolutions = [m for m in self.features if isinstance(m, nn.Conv2d)]
        linear = [m for m in self.classifier if isinstance(m, nn.Linear)]
        layers: list[tuple[nn.Conv2d | nn.Linear, int]] = [
            *zip(convolutions, (0, 1, 0, 1, 1)),
            *((hidden, 1) for hidden in linear[:-1]),
            (linear[-1], 0),
        ]
        for module, bias in layers:
            nn.init.normal_(module.weight, std=0.01)
            nn.init.constant_(module.bias, bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 224, 224)
        x = self.features(x)  # (N, e, 6, 6)
        x = self.avgpool(x)  # (N, e, 6, 6)
        x = torch.flatten(x, 1)  # (N, e·36)
        return self.classifier(x)  # (N, num_classes)
