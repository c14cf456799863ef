"""What an LSTM keeps for its backward pass on a CPU, in bytes.

PyTorch has oneDNN run each layer and direction of a float32 LSTM as one operation, which keeps its
input, its output, its first and last states, and a workspace.  The workspace is several arrays,
each on whole pages of memory, whose rows are padded to whole cache lines.

Source: oneDNN 3, src/cpu/rnn/rnn_utils.cpp, `set_workspace_sizes` and `get_good_ld`; the parts were
fitted to, and are tested against, what PyTorch allocates.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

PAGE = 4096
LINE = 16
"""Numbers of float32 in a cache line."""
CLASHES = 256
"""Rows of a multiple of so many numbers would clash in the cache, and get one line more."""
WIDTH = 4
"""Bytes of float32."""


def lstm_saved_bytes(args: tuple[Any, ...]) -> int | None:
    """Bytes that `torch.lstm(*args)` keeps on a CPU, its input among them.

    None where oneDNN does not run it: packed sequences, projections, other dtypes.
    """
    if not (isinstance(args[0], Tensor) and isinstance(args[1], (tuple, list))):
        return None
    x, states, parameters, has_biases, layers, dropout, training, bidirectional, batch_first = args
    hidden = states[0].shape[-1]
    per_layer = len(parameters) // (layers * (2 if bidirectional else 1))
    is_plain = states[1].shape[-1] == hidden and per_layer == (4 if has_biases else 2)
    if not is_plain or x.dtype != torch.float32 or x.dim() != 3 or not x.numel():
        return None
    if not torch.backends.mkldnn.is_available():
        return None
    steps, batch = (x.shape[1], x.shape[0]) if batch_first else (x.shape[0], x.shape[1])
    directions = 2 if bidirectional else 1
    state = batch * hidden * WIDTH
    total = x.numel() * WIDTH + 2 * layers * directions * state
    if not has_biases:  # its weights are then copied
        total += sum(parameter.numel() * WIDTH for parameter in parameters)
    width = x.shape[2]
    for layer in range(layers):
        output = steps * batch * hidden * WIDTH
        one = output + 2 * state + workspace_bytes(steps, batch, width=width, hidden=hidden)
        total += directions * one
        width = directions * hidden
        if layer < layers - 1:
            joined = directions * output
            if dropout and training:
                total += 2 * joined  # what is left of it, and by what it was multiplied
            elif bidirectional:
                total += joined
    return total


def workspace_bytes(steps: int, batch: int, *, width: int, hidden: int) -> int:
    """Bytes of the workspace of one layer in one direction, from (steps, batch, width)."""
    cells = batch * WIDTH
    parts = (
        steps * cells * padded(4 * hidden),  # gates
        *[2 * (steps + 1) * cells * padded(max(width, hidden))] * 3,  # states of layers
        *[2 * (steps + 1) * cells * hidden] * 2,  # cell states
        steps * cells * padded(hidden),  # outputs
    )
    return sum(-(-part // PAGE) * PAGE for part in parts)


def padded(numbers: int) -> int:
    """The length of a row of so many numbers."""
    whole = -(-numbers // LINE) * LINE
    return whole + LINE if whole % CLASHES == 0 else whole
