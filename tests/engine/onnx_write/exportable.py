"""Small networks with what is awkward to export."""

import torch
from torch import nn


class Plain(nn.Module):
    """Two layers, and a name for what goes in."""

    def __init__(self, width=8):
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, 3)

    def forward(self, features):
        return self.second(self.first(features).relu())


class Branching(Plain):
    """What runs depends on the values."""

    def forward(self, features):
        h = self.first(features)
        return self.second(h) if h.sum() > 0 else h[:, :3]


class Decomposing(Plain):
    """An operator that ONNX does not have."""

    def forward(self, features):
        return torch.linalg.svd(self.first(features))[1]


class Counting(Plain):
    """Its code fixes the batch."""

    def forward(self, features):
        h = self.first(features)
        for i in range(features.shape[0]):
            h = h + i
        return h


class Normalised(nn.Module):
    """A convolution with batch norm whose statistics are not those of the start."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)
        with torch.no_grad():
            self.norm.running_mean.uniform_(-1, 1)
            self.norm.bias.uniform_(-1, 1)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


class Tied(nn.Module):
    """One weight at both ends."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 6), nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.embed(tokens).tanh())


class Nested(nn.Module):
    """Several inputs and outputs, by keyword and in containers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, left, *, right):
        both = self.linear(left) + right
        return {"sum": both, "parts": (both.relu(), right * 2)}


class Forgetful(nn.Module):
    """Nothing of the input is left at the end but what lies under rounding."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)
        with torch.no_grad():
            self.last.weight.mul_(1e-9)

    def forward(self, x):
        return self.last(self.first(x))


class Unused(Plain):
    """A layer that never runs, and a buffer that takes part."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(8, 5)
        self.register_buffer("scale", torch.linspace(0.5, 2, 3))

    def forward(self, features):
        return super().forward(features) * self.scale
