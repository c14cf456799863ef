"""Small networks with one fault each, and for each one that looks like it and has not.

`FAULTS` and `NEAR_MISSES` hold them by rule; `Net` has all the faults that can stand in one network
beside each other.  Each takes images of 3×64×64 and gives a row of numbers for each.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

SHAPE = (1, 3, 64, 64)


class Mean(nn.Module):
    """The mean of every channel."""

    def forward(self, x):
        return x.mean((2, 3))


def stem(channels, stride=1):
    """A convolution and ReLU on an image, with nothing wrong."""
    return nn.Sequential(nn.Conv2d(3, channels, 3, stride, 1), nn.ReLU())


def on_map(size, channels=16):
    """A convolution that sees all of the image and gives a map of that size."""
    step = 64 // size
    return nn.Sequential(nn.Conv2d(3, channels, step, step), nn.ReLU())


class Residual(nn.Module):
    """What goes in plus what some layers make of it."""

    def __init__(self, *layers):
        super().__init__()
        self.branch = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.branch(x)


class Holding(nn.Module):
    """A mean and a linear layer, and more that `use` may use or not."""

    def __init__(self, extra, use):
        super().__init__()
        self.fc = nn.Linear(3, 8)
        self.extra = extra
        self.use = use

    def forward(self, x):
        return self.use(self.fc(x.mean((2, 3))), self.extra)


def ignored(y, extra):
    return y


def dropped(y, extra):
    extra(y)
    return y


def added(y, extra):
    return y + (extra(y) if isinstance(extra, nn.Module) else extra)


class Both(nn.Module):
    """Two ways to look at the same map, added."""

    def __init__(self, one, other):
        super().__init__()
        self.one, self.other = one, other

    def forward(self, x):
        return self.one(x) + self.other(x)


class Attention(nn.Module):
    """Attention between all positions of a map, or within rows."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows
        self.first = stem(64)

    def forward(self, x):
        x = self.first(x)
        tokens = x.permute(0, 2, 3, 1) if self.rows else x.flatten(2).transpose(1, 2)
        return F.scaled_dot_product_attention(tokens, tokens, tokens).flatten(1, -2).mean(1)


class Loop(nn.Module):
    """A recurrence written out, step by step."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps
        self.w = nn.Linear(3, 3)

    def forward(self, x):
        h = x.mean((2, 3))
        for _ in range(self.steps):
            h = torch.relu(self.w(h)) + h
        return h


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Branching(nn.Module):
    """Goes on by a value that it computes, or by a shape."""

    def __init__(self, by_value):
        super().__init__()
        self.by_value = by_value

    def forward(self, x):
        y = x.mean((2, 3))
        return y * 2 if (y.sum() > 0 if self.by_value else x.shape[-1] > 32) else y


class Sequences(nn.Module):
    """An LSTM over the rows of an image."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(64, 32, batch_first=True)

    def forward(self, x):
        return self.lstm(x.mean(1))[0].mean(1)


def frozen(layer):
    """The layer without training."""
    return layer.requires_grad_(False)


def resting(layer):
    """The layer in testing mode, while all else trains."""
    return layer.eval()


def buffered(dtype):
    layer = nn.BatchNorm2d(3)
    layer.register_buffer("table", torch.zeros(1000, dtype=dtype))
    return layer


def chain(depth, make, width=8):
    """A first convolution, and so many more of the same."""
    return nn.Sequential(on_map(16, width), *(make(width) for _ in range(depth)), Mean())


def plain(width):
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())


def normed(width):
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


FAULTS = {
    "W001": lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), Mean()),
    "W002": lambda: Holding(nn.Parameter(torch.zeros(8)), ignored),
    "W003": lambda: Holding(nn.Linear(8, 8), ignored),
    "W004": lambda: Holding(nn.Linear(8, 8), dropped),
    "W005": lambda: nn.Sequential(Mean(), nn.Linear(3, 64), nn.Linear(64, 10)),
    "W006": lambda: nn.Sequential(stem(8), nn.Conv2d(8, 8, 1, groups=8), nn.ReLU(), Mean()),
    "W007": lambda: nn.Sequential(on_map(8), nn.AdaptiveAvgPool2d(8), nn.ReLU(), Mean()),
    "W008": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU6(), nn.ReLU(), Mean()),
    "W009": lambda: nn.Sequential(Mean(), nn.Dropout(0.0), nn.Linear(3, 8)),
    "W010": lambda: nn.Sequential(stem(16), nn.Flatten(), nn.Linear(16 * 64 * 64, 64)),
    "W011": lambda: nn.Sequential(buffered(torch.float64), Mean()),
    "S001": lambda: nn.Sequential(stem(8), nn.Conv2d(8, 8, 1, stride=2), nn.ReLU(), Mean()),
    "S002": lambda: nn.Sequential(stem(8), nn.MaxPool2d(6), Mean()),
    "S003": lambda: nn.Sequential(nn.Conv2d(3, 8, 2, padding="same"), nn.ReLU(), Mean()),
    "S004": lambda: nn.Sequential(stem(8), nn.ConvTranspose2d(8, 8, 3, 2), Mean()),
    "S005": lambda: nn.Sequential(stem(8), stem_of(8), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "S006": lambda: nn.Sequential(*(dilated(i, 2) for i in (3, 8, 8)), Mean()),
    "S007": lambda: nn.Sequential(stem(8), nn.AvgPool2d(2), nn.MaxPool2d(2), Mean()),
    "S008": lambda: nn.Sequential(Mean(), nn.Linear(3, 10), nn.Softmax(1)),
    "S009": lambda: nn.Sequential(on_map(2), nn.Conv2d(16, 8, 3, padding=1), Mean()),
    "S010": lambda: nn.Sequential(on_map(1), nn.Conv2d(16, 8, 3, padding=1), Mean()),
    "T001": lambda: nn.Sequential(
        on_map(1), nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8), Mean()
    ),
    "T002": lambda: nn.Sequential(
        on_map(8), nn.Dropout(0.5), nn.Conv2d(16, 8, 3, bias=False), nn.BatchNorm2d(8), Mean()
    ),
    "T003": lambda: nn.Sequential(
        Mean(), nn.Linear(3, 8), *(m for _ in range(4) for m in (nn.Linear(8, 8), nn.Sigmoid()))
    ),
    "T004": lambda: nn.Sequential(on_map(8), Residual(plain(16)), Mean()),
    "T005": lambda: chain(11, plain),
    "T006": lambda: chain(21, normed),
    "T007": lambda: nn.Sequential(on_map(8), resting(nn.BatchNorm2d(16)), Mean()),
    "T008": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), Residual(nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1)), Mean()
    ),
    "T009": lambda: nn.Sequential(
        on_map(8), nn.BatchNorm2d(16, track_running_stats=False), Mean()
    ),
    "P001": lambda: nn.Sequential(stem(100), nn.Conv2d(100, 100, 3, padding=1), Mean()),
    "P002": lambda: nn.Sequential(
        stem(256), *(nn.Conv2d(256, 256, 3, padding=1, groups=64) for _ in range(8)), Mean()
    ),
    "P003": lambda: nn.Sequential(
        stem(256), *(nn.Conv2d(256, 256, 7, padding=3, groups=256) for _ in range(4)), Mean()
    ),
    "P004": lambda: nn.Sequential(on_map(8, 256), nn.Flatten(), nn.Linear(256 * 64, 1000)),
    "P005": lambda: Attention(rows=False),
    "P006": lambda: Loop(150),
    "D001": lambda: nn.Sequential(Function(lambda x: x.flatten(2).median(2).values)),
    "D002": lambda: Branching(by_value=True),
    "D003": lambda: Function(lambda x: x[x > 0].mean() + x.mean((2, 3))),
    "D004": lambda: Function(
        lambda x: F.grid_sample(
            x, F.affine_grid(torch.eye(2, 3)[None] * x.mean(), (1, 3, 8, 8), align_corners=False),
            align_corners=False,
        ).mean((2, 3))
    ),
    "D005": lambda: Sequences(),
    "D006": lambda: nn.Sequential(
        on_map(8), nn.Conv2d(16, 8, 3), nn.Hardswish(), nn.Conv2d(8, 8, 3), Mean()
    ),
    "F001": lambda: nn.Sequential(stem(8), frozen(nn.Conv2d(8, 8, 3)), nn.ReLU(), Mean()),
}  # fmt: skip
"""A network with a fault, by the rule that is to find it."""


def stem_of(channels):
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())


def dilated(channels, dilation):
    return nn.Sequential(nn.Conv2d(channels, 8, 3, padding=dilation, dilation=dilation), nn.ReLU())


NEAR_MISSES = {
    "W001": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(8), Mean()
    ),
    "W002": lambda: Holding(nn.Parameter(torch.zeros(8)), added),
    "W003": lambda: Holding(nn.Linear(8, 8), added),
    "W004": lambda: Holding(nn.Linear(8, 8), added),
    "W005": lambda: nn.Sequential(
        Mean(), nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 2), nn.Linear(2, 64)
    ),
    "W006": lambda: nn.Sequential(stem(8), nn.Conv2d(8, 8, 1, groups=4), nn.ReLU(), Mean()),
    "W007": lambda: nn.Sequential(on_map(16), nn.AdaptiveAvgPool2d(8), nn.ReLU(), Mean()),
    "W008": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.LeakyReLU(), nn.ReLU(), Mean()),
    "W009": lambda: nn.Sequential(Mean(), nn.Dropout(0.1), nn.Linear(3, 8)),
    "W010": lambda: nn.Sequential(
        stem(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 64)
    ),
    "W011": lambda: nn.Sequential(buffered(torch.float32), Mean()),
    "S001": lambda: nn.Sequential(
        stem(8), Both(nn.Conv2d(8, 8, 1, 2), nn.Conv2d(8, 8, 3, 2, 1)), nn.ReLU(), Mean()
    ),
    "S002": lambda: nn.Sequential(stem(8), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(4), Mean()),
    "S003": lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding="same"), nn.ReLU(), Mean()),
    "S004": lambda: nn.Sequential(stem(8), nn.ConvTranspose2d(8, 8, 4, 2), Mean()),
    "S005": lambda: nn.Sequential(
        on_map(4), *(stem_of(16) for _ in range(4)), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ),
    "S006": lambda: nn.Sequential(dilated(3, 1), dilated(8, 2), dilated(8, 5), Mean()),
    "S007": lambda: nn.Sequential(stem(8), nn.MaxPool2d(2), nn.AvgPool2d(2), Mean()),
    "S008": lambda: nn.Sequential(Mean(), nn.Linear(3, 10), nn.LogSoftmax(1)),
    "S009": lambda: nn.Sequential(on_map(4), nn.Conv2d(16, 8, 3, padding=1), Mean()),
    "S010": lambda: nn.Sequential(on_map(2), nn.Conv2d(16, 8, 3, padding=1), Mean()),
    "T001": lambda: nn.Sequential(
        on_map(2), nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8), Mean()
    ),
    "T002": lambda: nn.Sequential(
        on_map(8), nn.Conv2d(16, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Dropout(0.5), Mean()
    ),
    "T003": lambda: nn.Sequential(
        Mean(), nn.Linear(3, 8),
        *(Residual(nn.Linear(8, 8), nn.Sigmoid()) for _ in range(4)),
    ),
    "T004": lambda: nn.Sequential(
        on_map(8), Residual(nn.Conv2d(16, 16, 3, padding=1)), nn.ReLU(), Mean()
    ),
    "T005": lambda: chain(11, lambda width: Residual(plain(width))),
    "T006": lambda: chain(21, lambda width: Residual(normed(width))),
    "T007": lambda: nn.Sequential(on_map(8), nn.BatchNorm2d(16), Mean()),
    "T008": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), Residual(nn.Conv2d(8, 8, 3, padding=1)), Mean()
    ),
    "T009": lambda: nn.Sequential(
        on_map(8), nn.InstanceNorm2d(16, track_running_stats=False), Mean()
    ),
    "P001": lambda: nn.Sequential(stem(96), nn.Conv2d(96, 96, 3, padding=1), Mean()),
    "P002": lambda: nn.Sequential(
        stem(256), *(nn.Conv2d(256, 256, 3, padding=1, groups=16) for _ in range(8)), Mean()
    ),
    "P003": lambda: nn.Sequential(
        stem(256), *(nn.Conv2d(256, 256, 3, padding=1, groups=256) for _ in range(4)), Mean()
    ),
    "P004": lambda: nn.Sequential(
        stem(64), *(nn.Conv2d(64, 64, 3, padding=1) for _ in range(9)), Mean(), nn.Linear(64, 1000)
    ),
    "P005": lambda: Attention(rows=True),
    "P006": lambda: Loop(40),
    "D001": lambda: nn.Sequential(Function(lambda x: x.flatten(2).max(2).values)),
    "D002": lambda: Branching(by_value=False),
    "D003": lambda: Function(lambda x: (x * (x > 0)).mean((2, 3))),
    "D004": lambda: Function(
        lambda x: F.interpolate(x, size=8, mode="bilinear", align_corners=False).mean((2, 3))
    ),
    "D005": lambda: nn.Sequential(stem(16), stem_of(16), Mean()),
    "D006": lambda: nn.Sequential(
        on_map(8), nn.Conv2d(16, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), Mean()
    ),
    "F001": lambda: nn.Sequential(frozen(stem(8)), nn.Conv2d(8, 8, 3), nn.ReLU(), Mean()),
}  # fmt: skip
"""A network that looks like the one of the same rule, without its fault."""

ALONE = ("D002", "D003", "P004", "S005", "S008")
"""Faults that a network has as a whole, so that it has them by itself."""


class Net(nn.Module):
    """Every fault that can stand beside others, side by side, with a softmax at the end."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleDict(
            {rule: make() for rule, make in FAULTS.items() if rule not in ALONE}
        )

    def forward(self, x):
        rows = [part(x).flatten(1).mean(1, keepdim=True) for part in self.parts.values()]
        return torch.cat(rows, 1).softmax(1)


class Misfit(nn.Module):
    """A head for other features than those that it gets."""

    def __init__(self):
        super().__init__()
        self.features = stem(16)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))
