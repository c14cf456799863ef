"""LeNet-5 as printed (LeCun, Bottou, Bengio, Haffner 1998, Proc. IEEE 86(11), section II-B).

    image ─ C1 conv ─ S2 subsample ─ C3 conv ─ S4 subsample ─ C5 conv ─ F6 linear ─ distances ─▶

The paper's network has 60,000 trainable parameters and 340,908 connections: one multiply-add for
each use of a weight, and one for each use of a bias.  Three things set it apart from what most
people build, which is in `lenet_modern`.  A subsampling layer has a weight and a bias for each map.
A map of C3 sees only some maps of S2 (Table I).  And the output measures how far the 84 units of
F6, read as a picture of 7×12 pixels, are from a picture of each class.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnninspect.errors import BadSetting


class ScaledTanh(nn.Module):
    """1.7159·tanh(2a/3), which maps ±1 to ±1 (the paper's appendix A)."""

    def forward(self, a: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(a * (2 / 3))


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "scaled_tanh": ScaledTanh,
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class Subsampling(nn.Module):
    """The sum of each 2×2 square, times a coefficient, plus a bias: two parameters a map.

    That is a convolution of one map with itself whose four weights are tied, and it is computed as
    one: so each output costs four connections to its inputs and one to its bias, as in the paper.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.empty(channels, 1, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:  # (N, channels, H, W)
        weight = self.weight.expand(-1, -1, 2, 2)  # (channels, 1, 2, 2)
        return F.conv2d(x, weight, self.bias, 2, groups=self.channels)  # (N, channels, H/2, W/2)


# Table I of the paper: which maps of S2 each of the 16 maps of C3 sees.
SEEN_BY_C3 = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class GatheredConvolution(nn.Module):
    """A 5×5 convolution in which each output map sees its own choice of as many input maps."""

    maps: Tensor

    def __init__(self, seen: Sequence[Sequence[int]]) -> None:
        super().__init__()
        flat = [map_ for maps in seen for map_ in maps]
        self.register_buffer("maps", torch.tensor(flat), persistent=False)
        self.conv = nn.Conv2d(len(flat), len(seen), 5, groups=len(seen))

    def forward(self, x: Tensor) -> Tensor:  # (N, 6, H, W)
        x = x.index_select(1, self.maps)  # (N, inputs of all outputs, H, W)
        return self.conv(x)  # (N, outputs, H-4, W-4)


class PartialConvolution(nn.Module):
    """C3: 60 of the 96 pairs of maps are connected, 60·25 + 16 = 1,516 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.three = GatheredConvolution(SEEN_BY_C3[:6])
        self.four = GatheredConvolution(SEEN_BY_C3[6:15])
        self.six = nn.Conv2d(6, 1, 5)  # the last map sees all

    def forward(self, x: Tensor) -> Tensor:  # (N, 6, 14, 14)
        return torch.cat((self.three(x), self.four(x), self.six(x)), 1)  # (N, 16, 10, 10)


# What F6 is compared with: the ten digits, 12 rows of 7 pixels each.  The paper shows its own
# only as a picture (Figure 3); these are drawn in that manner.
DIGITS = (
    "....... ....... ....... ....... ....... ....... ....... ....... ....... .......",
    "..###.. ...#... .#####. .#####. .....#. ####### ..####. ####### .#####. .#####.",
    ".#...#. ..##... #.....# #.....# ....##. #...... .#..... ......# #.....# #.....#",
    "#.....# .#.#... ......# ......# ...#.#. #...... #...... .....#. #.....# #.....#",
    "#.....# ...#... ......# ......# ..#..#. #.####. #...... .....#. #.....# #.....#",
    "#.....# ...#... .....#. ..####. .#...#. ##....# #.####. ....#.. .#####. #.....#",
    "#.....# ...#... ...##.. ......# #....#. ......# ##....# ....#.. #.....# .######",
    "#.....# ...#... ..#.... ......# ####### ......# #.....# ...#... #.....# ......#",
    "#.....# ...#... .#..... ......# .....#. ......# #.....# ...#... #.....# ......#",
    ".#...#. ...#... #...... #.....# .....#. #.....# #.....# ..#.... #.....# .....#.",
    "..###.. .#####. ####### .#####. .....#. .#####. .#####. ..#.... .#####. .####..",
    "....... ....... ....... ....... ....... ....... ....... ....... ....... .......",
)


def code_of(label: int) -> list[float]:
    """The 84 pixels of a class, +1 for ink and -1 for paper; classes after the digits are random.

    Random codes are the other choice that the paper allows (section II-B).
    """
    if label < 10:
        picture = "".join(row.split()[label] for row in DIGITS)
        return [1.0 if pixel == "#" else -1.0 for pixel in picture]
    bits = random.Random(label)
    return [bits.choice((-1.0, 1.0)) for _ in range(84)]


class NegativeDistance(nn.Module):
    """Minus the squared Euclidean distance to the fixed code of each class; nothing is trained.

    The paper's output is the distance, small for the right class; its negative ranks the classes as
    the logits of other networks do.  ‖x − w‖² is computed as ‖x‖² − 2x·w + ‖w‖².
    """

    codes: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        codes = torch.tensor([code_of(label) for label in range(num_classes)])
        self.register_buffer("codes", codes)  # (num_classes, 84)

    def forward(self, x: Tensor) -> Tensor:  # (N, 84)
        products = F.linear(x, self.codes)  # (N, num_classes)
        return 2 * products - x.square().sum(1, keepdim=True) - self.codes.square().sum(1)


class LeNet5(nn.Module):
    """The network of section II-B and Figure 2."""

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 1,
        resolution: int = 32,
        activation: str = "scaled_tanh",
    ) -> None:
        super().__init__()
        side = ((resolution - 4) // 2 - 4) // 2 - 4
        if side < 1:
            raise BadSetting("lenet5", "resolution", str(resolution), "at least 32")
        self.squash = ACTIVATIONS[activation]()
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = PartialConvolution()
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120 * side**2, 84)
        self.output = NegativeDistance(num_classes)
        self.initialise()

    def initialise(self) -> None:
        """Uniform in ±2.4 by the number of inputs of a unit (the paper's appendix A)."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                bound = 2.4 / module.weight[0].numel()
                nn.init.uniform_(module.weight, -bound, bound)
            elif isinstance(module, Subsampling):
                nn.init.uniform_(module.weight, -2.4 / 4, 2.4 / 4)

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, 32, 32)
        x = self.squash(self.c1(x))  # (N, 6, 28, 28)
        x = self.squash(self.s2(x))  # (N, 6, 14, 14)
        x = self.squash(self.c3(x))  # (N, 16, 10, 10)
        x = self.squash(self.s4(x))  # (N, 16, 5, 5)
        x = self.squash(self.c5(x))  # (N, 120, 1, 1)
        x = self.squash(self.f6(torch.flatten(x, 1)))  # (N, 84)
        return self.output(x)  # (N, num_classes)
