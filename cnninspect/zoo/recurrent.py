"""Recurrent networks: the plain RNN, the LSTM and the GRU, over numbers or over tokens.

    h₁ ─▶ h₂ ─▶ … ─▶ h_T ─ linear ─▶      h_t from h_(t−1) and x_t by
    ▲     ▲          ▲
    x₁    x₂         x_T                    RNN   tanh(W x + U h)
                                            GRU   a blend of h and a candidate, by two gates
                                            LSTM  c = forget·c + input·candidate, h = output·tanh c

(Elman 1990; Hochreiter, Schmidhuber 1997 with the forget gate of Gers et al. 2000; Cho et al.
2014, arXiv:1406.1078.)  RNN, GRU and LSTM have 1, 3 and 4 such pairs of W and U.  The cell state c
of an LSTM is carried on by a sum, so where the forget gate stays near 1 a gradient lasts over
time; in the plain RNN it shrinks with each product by U and each tanh.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def stack(
    cell: str,
    input_size: int,
    hidden_size: int,
    *,
    num_layers: int,
    bidirectional: bool = False,
    dropout: float = 0.0,
    **options: int | str,
) -> nn.RNNBase:
    """Recurrent layers on top of each other, dropout between them, the batch first."""
    return CELLS[cell](
        input_size,
        hidden_size,
        num_layers=num_layers,
        batch_first=True,
        dropout=dropout if num_layers > 1 else 0.0,  # PyTorch warns where nothing is between
        bidirectional=bidirectional,
        **options,
    )


def width_of(recurrent: nn.RNNBase) -> int:
    """Features of one step of its output."""
    directions = 2 if recurrent.bidirectional else 1
    return directions * (recurrent.proj_size or recurrent.hidden_size)


def read_to_the_end(recurrent: nn.RNNBase, x: Tensor) -> Tensor:
    """The state after the whole sequence: (N, T, input) to (N, width).

    The last step; of a layer that reads backwards the first, as that is where it ends.
    """
    steps, _ = recurrent(x)  # (N, T, width)
    if not recurrent.bidirectional:
        return steps[:, -1]
    half = steps.shape[-1] // 2
    return torch.cat([steps[:, -1, :half], steps[:, 0, half:]], dim=-1)  # (N, width)


class SequenceClassifier(nn.Module):
    """Reads a sequence of vectors and says what it is: recurrent layers, one linear layer.

    `length` is what the network is meant for; it runs at any other.  `dropout` acts between the
    layers and before the last.  `forget_bias` is added to the bias of an LSTM's forget gate: above
    0 it remembers longer from the start (Jozefowicz et al. 2015).
    """

    def __init__(
        self,
        *,
        cell: str,
        input_size: int = 28,
        length: int = 28,
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        num_classes: int = 10,
        dropout: float = 0.0,
        forget_bias: float = 0.0,
        **options: int | str,
    ) -> None:
        super().__init__()
        self.length = length
        self.recurrent = stack(
            cell,
            input_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            **options,
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width_of(self.recurrent), num_classes)
        if forget_bias:
            self.open_forget_gates(forget_bias)

    def open_forget_gates(self, bias: float) -> None:
        """Adds to the second quarter of each input bias: gates lie in order i, f, g, o."""
        hidden = self.recurrent.hidden_size
        with torch.no_grad():
            for name, parameter in self.recurrent.named_parameters():
                if name.startswith("bias_ih"):
                    parameter[hidden : 2 * hidden] += bias

    def forward(self, x: Tensor) -> Tensor:  # (N, length, input_size)
        x = read_to_the_end(self.recurrent, x)  # (N, width)
        return self.fc(self.dropout(x))  # (N, num_classes)


class TokenClassifier(nn.Module):
    """Reads a sequence of tokens and says what it is, as in the sentiment of a review."""

    def __init__(
        self,
        *,
        cell: str,
        vocabulary: int,
        embedding_size: int,
        length: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        num_classes: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.length = length
        self.embedding = nn.Embedding(vocabulary, embedding_size)
        self.recurrent = stack(
            cell,
            embedding_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width_of(self.recurrent), num_classes)

    def forward(self, tokens: Tensor) -> Tensor:  # (N, length), integers under `vocabulary`
        x = self.embedding(tokens)  # (N, length, embedding_size)
        x = read_to_the_end(self.recurrent, x)  # (N, width)
        return self.fc(self.dropout(x))  # (N, num_classes)


class LanguageModel(nn.Module):
    """Reads tokens and gives, at each of them, a score to every token that might come next."""

    def __init__(
        self,
        *,
        cell: str,
        vocabulary: int,
        embedding_size: int,
        length: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.length = length
        self.embedding = nn.Embedding(vocabulary, embedding_size)
        self.recurrent = stack(
            cell, embedding_size, hidden_size, num_layers=num_layers, dropout=dropout
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width_of(self.recurrent), vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:  # (N, length), integers under `vocabulary`
        x = self.embedding(tokens)  # (N, length, embedding_size)
        x, _ = self.recurrent(x)  # (N, length, hidden_size)
        return self.fc(self.dropout(x))  # (N, length, vocabulary)
