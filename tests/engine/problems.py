"""Small networks of every kind, shared by the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Problem(NamedTuple):
    """A network and what to give it."""

    name: str
    build: Callable[[], nn.Module]
    inputs: tuple[Any, ...]


class Caches(nn.Module):
    """Keeps what it should not: attributes, list items, dictionary items, counts, a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.seen: list[Any] = []
        self.by_shape: dict[Any, Any] = {}
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.steps += 1
        self.last = x
        self.seen.append(x)
        self.by_shape[tuple(x.shape)] = x
        self.register_buffer("mask", torch.ones(4))
        return self.linear(x) * self.mask


class DrawsNumbers(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        keep = torch.rand(()) < 2
        return F.dropout(x, 0.5, training=True) + torch.randint(0, 5, (3,)) if keep else x


class SharedBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class Masked(nn.Module):
    """Looks at token ids and masks, as language models do."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.register_buffer("positions", torch.arange(32))

    def forward(self, tokens: Tensor) -> Tensor:
        mask = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril()
        if tokens.max().item() >= 11 or not mask.any():
            raise ValueError("token out of range")
        x = self.embed(tokens) + self.positions[: tokens.shape[1]].unsqueeze(-1)
        return F.scaled_dot_product_attention(x, x, x, attn_mask=mask)[tokens > 0]


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 3, 3, 3))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = F.conv2d(x, self.weight, stride=2, padding=1).relu_()
        y[:, 0] = 0
        return {"map": y, "pooled": F.adaptive_avg_pool2d(y, 1).flatten(1)}


def image(*shape: int) -> tuple[Tensor, ...]:
    return (torch.randn(*shape),)


PROBLEMS = [
    Problem(
        "conv_norm_relu",
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(True)),
        image(2, 3, 9, 9),
    ),
    Problem("depthwise", lambda: nn.Conv2d(6, 12, 3, groups=6, dilation=2), image(1, 6, 11, 11)),
    Problem("transposed", lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1), image(2, 4, 5, 5)),
    Problem("unbatched", lambda: nn.Conv1d(4, 6, 3), image(4, 12)),
    Problem("same_padding", lambda: nn.Conv2d(3, 4, 4, padding="same"), image(1, 3, 7, 7)),
    Problem(
        "reflected",
        lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        image(1, 3, 7, 7),
    ),
    Problem(
        "channels_last",
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.MaxPool2d(2)),
        (torch.randn(2, 3, 9, 9).to(memory_format=torch.channels_last),),
    ),
    Problem("half", lambda: nn.Linear(4, 5).half(), (torch.randn(3, 4).half(),)),
    Problem(
        "encoder", lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), image(2, 5, 16)
    ),
    Problem(
        "attention_with_weights",
        lambda: nn.MultiheadAttention(16, 2),
        tuple(torch.randn(3, 5, 2, 16)),
    ),
    Problem("lstm", lambda: nn.LSTM(5, 7, 2, bidirectional=True), image(6, 3, 5)),
    Problem("projected", lambda: nn.LSTM(5, 7, proj_size=3, batch_first=True), image(3, 6, 5)),
    Problem("gru", lambda: nn.GRU(5, 7, batch_first=True), image(3, 6, 5)),
    Problem("rnn_unbatched", lambda: nn.RNN(5, 7), image(6, 5)),
    Problem("cell", lambda: nn.LSTMCell(5, 7), image(3, 5)),
    Problem("bilinear", lambda: nn.Bilinear(3, 4, 5), (torch.randn(2, 3), torch.randn(2, 4))),
    Problem("caches", Caches, image(3, 4)),
    Problem("draws_numbers", DrawsNumbers, image(2, 3)),
    Problem("shared_block", SharedBlock, image(2, 6)),
    Problem("masked", Masked, (torch.randint(0, 11, (2, 6)),)),
    Problem("functional", Functional, image(2, 3, 8, 8)),
    Problem(
        "weight_norm",
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)),
        image(3, 4),
    ),
    Problem(
        "spectral_norm",
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5)),
        image(3, 4),
    ),
]
