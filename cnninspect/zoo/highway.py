"""Highway networks: a learned gate on every bypass (Srivastava, Greff, Schmidhuber 2015).

    x ─┬─ conv ─ relu ─── × t ───┬─ add ─▶        t = sigmoid(conv(x))
       └──────────────── × (1−t) ┘

A gate t decides for each value how much of a layer's output replaces its input, so the gradient can
pass a layer unchanged, as in an LSTM.  Gates start nearly closed: their bias is negative.  A layer
must keep the shape, so where the number of maps changes there is a plain convolution.

The paper ("Training Very Deep Networks", arXiv:1507.06228) prints depths and parameter counts but
no layers.  Those of `highway_mnist` and `highway19` are in the authors' published network files
(github.com/flukeskywalker/highway-networks), and give the printed counts: 38,986 for 39K and, with
`width=32`, 151,690 for 151K; 2,256,838 for 2.3M.  (That file of CIFAR-10 ends in 100 outputs, a
remnant of CIFAR-100; here it is 10.)  Of `highway32` only this is known: 32 layers, 3×3 and 1×1 in
turn, about 1.25M parameters.  Its plan is inferred from the 19-layer one: ten convolutions a stage
and the same end, with 32, 64 and 96 maps, which has 1,254,872.
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


class Style:
    """What all layers of one network share; without `gates` it is the plain twin."""

    def __init__(self, *, activation: str, norm: str, gates: bool, gate_bias: float) -> None:
        self.activation = ACTIVATIONS[activation]
        self.norm: Callable[[int], nn.Module] = nn.BatchNorm2d if norm == "batch" else nn.Identity
        self.gates = gates
        self.gate_bias = gate_bias


class PlainLayer(nn.Module):
    """A convolution, normalised where asked for, activated."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, padding: int | None = None, style: Style
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=padding)
        self.norm = style.norm(outputs)
        self.activation = style.activation()

    def forward(self, x: Tensor) -> Tensor:  # (N, inputs, H, W)
        return self.activation(self.norm(self.conv(x)))  # (N, outputs, H, W)


class HighwayLayer(nn.Module):
    """A plain layer, and the gate that mixes its output with its input."""

    def __init__(self, channels: int, kernel: int, *, style: Style) -> None:
        super().__init__()
        self.transform = PlainLayer(channels, channels, kernel, style=style)
        self.gate = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.gate_bias = style.gate_bias

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, H, W)
        gate = torch.sigmoid(self.gate(x))  # (N, channels, H, W)
        return gate * self.transform(x) + (1 - gate) * x  # (N, channels, H, W)


def layer(inputs: int, outputs: int, kernel: int, *, style: Style) -> nn.Module:
    """A highway layer where the shape stays and gates are wanted, else a plain one."""
    if style.gates and inputs == outputs:
        return HighwayLayer(outputs, kernel, style=style)
    return PlainLayer(inputs, outputs, kernel, style=style)


def initialise(network: nn.Module) -> None:
    """Uniform of deviation 1/√inputs (Caffe's "xavier"), biases 0, those of gates negative."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, HighwayLayer) and module.gate.bias is not None:
            nn.init.constant_(module.gate.bias, module.gate_bias)


class HighwayMNIST(nn.Module):
    """Ten layers of one `width`: nine convolutions in three stages, and a linear layer."""

    def __init__(
        self,
        *,
        width: int = 16,
        num_classes: int = 10,
        in_channels: int = 1,
        resolution: int = 28,
        gates: bool = True,
        gate_bias: float = -1.0,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        style = Style(activation=activation, norm=norm, gates=gates, gate_bias=gate_bias)
        side = (resolution - 4) // 2 // 2 // 2  # pooling 3×3 by 2, rounded up, halves
        if side < 1:
            raise BadSetting("highway_mnist", "resolution", str(resolution), "at least 12")
        layers = [layer(width, width, 3, style=style) for _ in range(8)]
        self.stage1 = nn.Sequential(
            nn.Dropout(dropout),
            PlainLayer(in_channels, width, 5, padding=0, style=style),
            *layers[:2],
            nn.MaxPool2d(3, 2, ceil_mode=True),
        )
        self.stage2 = nn.Sequential(
            nn.Dropout(dropout), *layers[2:5], nn.MaxPool2d(3, 2, ceil_mode=True)
        )
        self.stage3 = nn.Sequential(nn.Dropout(dropout), *layers[5:], nn.MaxPool2d(2))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width * side**2, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 28, 28)
        x = self.stage1(x)  # (N, width, 12, 12)
        x = self.stage2(x)  # (N, width, 6, 6)
        x = self.stage3(x)  # (N, width, 3, 3)
        x = self.dropout(torch.flatten(x, 1))  # (N, width·9)
        return self.fc(x)  # (N, num_classes)


class HighwayCIFAR(nn.Module):
    """Three stages of `depths` convolutions, a 1×1 convolution, global average, a linear layer.

    The convolutions of a stage take their kernels from `kernels` in turn; the first of them is
    plain, since it changes the number of maps.  `last_channels` are the maps that are averaged.
    """

    def __init__(
        self,
        *,
        depths: Sequence[int],
        widths: Sequence[int],
        kernels: Sequence[int],
        last_channels: int,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        gates: bool = True,
        gate_bias: float = -2.0,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        style = Style(activation=activation, norm=norm, gates=gates, gate_bias=gate_bias)
        if resolution < 4:
            raise BadSetting("highway", "resolution", str(resolution), "at least 4")
        stages = []
        for depth, width in zip(depths, widths):
            layers: list[nn.Module] = [nn.Dropout(dropout)]
            for i in range(depth):
                kernel = kernels[i % len(kernels)]
                layers.append(layer(in_channels, width, kernel, style=style))
                in_channels = width
            stages.append(nn.Sequential(*layers))
        self.stage1, self.stage2, self.stage3 = stages
        self.pool = nn.MaxPool2d(2)
        self.last = PlainLayer(in_channels, last_channels, 1, style=style)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(last_channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.pool(self.stage1(x))  # (N, widths[0], 16, 16)
        x = self.pool(self.stage2(x))  # (N, widths[1], 8, 8)
        x = self.last(self.stage3(x))  # (N, last_channels, 8, 8)
        x = self.dropout(torch.flatten(self.avgpool(x), 1))  # (N, last_channels)
        return self.fc(x)  # (N, num_classes)
