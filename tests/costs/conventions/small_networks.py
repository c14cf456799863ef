"""Small networks that meet every rule of every tool, each with the shape of its input."""

import torch
import torch.nn.functional as F
from torch import nn


class Functional(nn.Module):
    """Parameters in no layer, and functions instead of modules."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.randn(16, 8))
        self.weight = nn.Parameter(torch.randn(4, 16))
        self.last = nn.Linear(16, 5)

    def forward(self, x):
        y = F.relu(F.linear(x, self.first))
        return self.last(y) + F.linear(y, self.weight).sum()


class Attention(nn.Module):
    def __init__(self, need_weights, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True, **options)
        self.need_weights = need_weights

    def forward(self, x):
        return self.attention(x, x, x, need_weights=self.need_weights)[0]


class Products(nn.Module):
    def forward(self, x):
        scores = F.softmax(torch.matmul(x, x.transpose(-1, -2)), -1)
        return torch.matmul(scores, x)


class Shared(nn.Module):
    """The same convolution and the same activation, twice, on two sizes."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()

    def forward(self, x):
        return self.conv(self.relu(F.max_pool2d(self.relu(self.conv(x)), 2)))


class Steps(nn.Module):
    """Three steps of a cell."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell(6, 5)

    def forward(self, x):
        total = torch.zeros(())
        for _ in range(3):
            state = self.cell(x)
            total = total + (state[0] if isinstance(state, tuple) else state)
        return total


class Wrapped(nn.Module):
    """A network within another one, called by keyword: some tools then see no batch."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def norms():
    return nn.Sequential(
        nn.Conv2d(3, 8, 1, bias=False), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8),
        nn.InstanceNorm2d(8, affine=True), nn.LayerNorm(16),
        nn.LayerNorm([16, 16], elementwise_affine=False), nn.BatchNorm2d(8, affine=False),
        nn.BatchNorm2d(8), nn.ELU(), nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.Sigmoid(),
    )  # fmt: skip


def lines():
    return nn.Sequential(
        nn.Conv1d(7, 4, 3), nn.BatchNorm1d(4, affine=False), nn.PReLU(), nn.AvgPool1d(2),
        nn.AdaptiveAvgPool1d(2),
    )  # fmt: skip


def volumes():
    return nn.Sequential(
        nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.LeakyReLU(), nn.MaxPool3d(2),
        nn.AdaptiveAvgPool3d(1),
    )  # fmt: skip


def upsampled():
    return nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 1),
        nn.Upsample(scale_factor=2, mode="bilinear"), nn.UpsamplingNearest2d(scale_factor=2),
    )  # fmt: skip


def pooled():
    return nn.Sequential(
        nn.Conv2d(3, 3, 3), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(3), nn.AdaptiveMaxPool2d(2),
        nn.Flatten(), nn.Linear(12, 5), nn.Softmax(-1),
    )  # fmt: skip


PICTURE, SEQUENCES = (1, 3, 16, 16), (2, 7, 6)
NETWORKS = {
    "transposed convolution": (
        lambda: nn.Sequential(nn.ConvTranspose2d(3, 6, 3, stride=2, groups=3), nn.ReLU6()),
        PICTURE),
    "lines": (lines, SEQUENCES),
    "volumes": (volumes, (1, 3, 8, 8, 8)),
    "normalisation and activations": (norms, PICTURE),
    "upsampling": (upsampled, PICTURE),
    "bicubic": (
        lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.Upsample(size=20, mode="bicubic")), PICTURE),
    "pooling": (pooled, PICTURE),
    "shared layers": (Shared, PICTURE),
    "linear on sequences": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4, bias=False)), SEQUENCES),
    "functional": (Functional, (2, 8)),
    "attention": (lambda: Attention(need_weights=False), (2, 7, 16)),
    "attention with weights": (lambda: Attention(need_weights=True, bias=False), (2, 7, 16)),
    "products": (Products, (2, 7, 16)),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation=nn.GELU()),
        (2, 7, 16)),
    "lstm": (lambda: nn.LSTM(6, 5, num_layers=2, bidirectional=True), SEQUENCES),
    "lstm without biases": (lambda: nn.LSTM(6, 5, batch_first=True, bias=False), SEQUENCES),
    "lstm, projected": (lambda: nn.LSTM(6, 5, num_layers=2, proj_size=3), SEQUENCES),
    "gru": (lambda: nn.GRU(6, 5, num_layers=3), SEQUENCES),
    "rnn": (lambda: nn.RNN(6, 5, bidirectional=True), SEQUENCES),
    "lstm cell": (lambda: Steps(nn.LSTMCell), (4, 6)),
    "gru cell": (lambda: Steps(nn.GRUCell), (4, 6)),
    "rnn cell": (lambda: Steps(nn.RNNCell), (4, 6)),
}  # fmt: skip
