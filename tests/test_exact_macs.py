"""Networks whose cost is known by hand, each number written as its derivation.

MACs are the multiply-accumulates of matrix products, convolutions, attention products and
recurrent gates for the whole batch; nothing else is one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import cnninspect


class Case(NamedTuple):
    """A network, its inputs, and its numbers."""

    name: str
    build: Callable[[], nn.Module]
    inputs: tuple[Any, ...]
    macs: int
    parameters: int


class Applies(nn.Module):
    """A function of its inputs, with tensors of these shapes as parameters before them."""

    def __init__(self, function: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList([nn.Parameter(torch.randn(shape)) for shape in shapes])

    def forward(self, *inputs: Any) -> Any:
        return self.function(*self.weights, *inputs)


class TiedEmbedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 50, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embed(tokens))


class CalledThreeTimes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        for _ in range(3):
            x = torch.relu(self.conv(x))
        return {"features": x}


class ForwardCalledDirectly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear.forward(x)


class TwoNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class DataDependentBranch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y if y.sum().item() > 1e9 else y * 2


class Checkpointed(nn.Module):
    def __init__(self, *, use_reentrant: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 7)
        self.use_reentrant = use_reentrant

    def forward(self, x: Tensor) -> Any:
        return torch.utils.checkpoint.checkpoint(self.linear, x, use_reentrant=self.use_reentrant)


class CompiledPart(nn.Module):
    """A compiled layer, and a compiled function of what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.compile(nn.Linear(6, 5))
        self.function = torch.compile(lambda x: torch.relu(x) @ x.t())

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.linear(x))


def compiled_in_place() -> nn.Module:
    linear = nn.Linear(6, 5)
    linear.compile()
    return linear


def quantised(net: nn.Module) -> nn.Module:
    """The network with its layers quantised, by an interface that warns of its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kinds = {nn.Linear, nn.LSTM}
        return torch.ao.quantization.quantize_dynamic(net.eval(), kinds, dtype=torch.qint8)


def exported(*, with_layers: bool) -> nn.Module:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    program = torch.export.export(net, floats((1, 3, 6, 6)))
    return torch.export.unflatten(program) if with_layers else program.module()


def flexible(q: Tensor) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return flex_attention(q, q, q)


class SelfAttention(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        return self.attention(x, context, context, **self.options)[0]


class Recurrent(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Any) -> Any:
        return self.net(x)[0]


def floats(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.randn(*shape) for shape in shapes)


def nested(*shapes: tuple[int, ...]) -> Tensor:
    """A nested tensor of the older kind, which warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor(list(floats(*shapes)))


def tokens(*shape: int) -> tuple[Tensor, ...]:
    return (torch.randint(0, 50, shape),)


ATTENTION = 2 * (3 * 10 * 32 * 32 + 10 * 10 * 32 + 10 * 10 * 32 + 10 * 32 * 32)
ATTENTION_PARAMETERS = 3 * 32 * 32 + 96 + 32 * 32 + 32
# three attentions of width 16, two pairs of linear layers, five norms in layers and two at the ends
TRANSFORMER_PARAMETERS = 3 * (4 * 256 + 64) + 2 * (2 * 16 * 32 + 32 + 16) + (5 + 2) * 32

CONVOLUTIONS = [
    Case("functional", lambda: Applies(lambda w, x: F.conv2d(x, w, padding=1), (16, 8, 3, 3)), floats((1, 8, 14, 14)), 14 * 14 * 16 * 8 * 9, 16 * 8 * 9),
    Case("depthwise", lambda: nn.Conv2d(24, 24, 3, padding=1, groups=24, bias=False), floats((1, 24, 10, 10)), 10 * 10 * 24 * 9, 24 * 9),
    Case("grouped", lambda: nn.Conv2d(12, 20, 3, groups=4), floats((2, 12, 7, 7)), 2 * 5 * 5 * 20 * 3 * 9, 20 * 3 * 9 + 20),
    Case("dilated", lambda: nn.Conv2d(3, 4, 3, dilation=2, stride=2), floats((1, 3, 11, 11)), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("same", lambda: nn.Conv2d(3, 4, 4, padding="same"), floats((1, 3, 9, 9)), 9 * 9 * 4 * 3 * 16, 4 * 3 * 16 + 4),
    Case("one dimension", lambda: nn.Conv1d(5, 6, 3), floats((2, 5, 9)), 2 * 7 * 6 * 5 * 3, 6 * 5 * 3 + 6),
    Case("three dimensions", lambda: nn.Conv3d(2, 3, 2), floats((1, 2, 4, 4, 4)), 27 * 3 * 2 * 8, 3 * 2 * 8 + 3),
    # every input element meets k*k*C_out weights, not every output element
    Case("transposed", lambda: nn.ConvTranspose2d(8, 4, 3, stride=2), floats((1, 8, 6, 6)), 6 * 6 * 8 * 4 * 9, 8 * 4 * 9 + 4),
    Case("transposed and grouped", lambda: nn.ConvTranspose2d(8, 4, 3, groups=2), floats((1, 8, 6, 6)), 6 * 6 * 8 * 2 * 9, 8 * 2 * 9 + 4),
    Case("unbatched", lambda: nn.Conv2d(3, 4, 3), floats((3, 6, 6)), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("no images", lambda: nn.Conv2d(3, 4, 3), floats((0, 3, 6, 6)), 0, 4 * 3 * 9 + 4),
    Case("three calls", CalledThreeTimes, floats((1, 8, 8, 8)), 3 * 8 * 8 * 8 * 8 * 9, 8 * 8 * 9),
    Case("weight norm", lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 3, padding=1)), floats((4, 8, 5, 5)), 4 * 5 * 5 * 8 * 8 * 9, 8 * 8 * 9 + 8 + 8),
    Case("data-dependent branch", DataDependentBranch, floats((1, 8, 5, 5)), 5 * 5 * 8 * 8 * 9, 8 * 8 * 9 + 8),
    Case("conv norm relu", lambda: nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()), floats((4, 3, 16, 16)), 4 * 16 * 16 * 16 * 3 * 9, 16 * 3 * 9 + 16 + 32),
    Case("half", lambda: nn.Conv2d(3, 4, 3).half(), (torch.randn(1, 3, 6, 6).half(),), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("channels last", lambda: nn.Conv2d(3, 4, 3), (torch.randn(1, 3, 6, 6).to(memory_format=torch.channels_last),), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("traced", lambda: torch.jit.trace(nn.Conv2d(3, 4, 3), floats((1, 3, 6, 6))), floats((1, 3, 6, 6)), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("scripted", lambda: torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())), floats((1, 3, 6, 6)), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("exported", lambda: exported(with_layers=False), floats((1, 3, 6, 6)), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("exported with layers", lambda: exported(with_layers=True), floats((1, 3, 6, 6)), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("same and dilated", lambda: nn.Conv2d(3, 4, 3, padding="same", dilation=2), floats((1, 3, 9, 9)), 9 * 9 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("data parallel", lambda: nn.DataParallel(nn.Conv2d(3, 4, 3)), floats((1, 3, 6, 6)), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
    Case("compiled", lambda: torch.compile(nn.Conv2d(3, 4, 3)), floats((1, 3, 6, 6)), 4 * 4 * 4 * 3 * 9, 4 * 3 * 9 + 4),
]  # fmt: skip

PRODUCTS = [
    Case("bare parameters", lambda: Applies(lambda a, b, x: x @ a @ b, (4, 6), (6, 2)), floats((10, 4)), 10 * 4 * 6 + 10 * 6 * 2, 4 * 6 + 6 * 2),
    Case("linear on a sequence", lambda: nn.Linear(32, 16), floats((5, 6, 32)), 5 * 6 * 32 * 16, 32 * 16 + 16),
    Case("linear on a vector", lambda: nn.Linear(4, 3), floats((4,)), 4 * 3, 4 * 3 + 3),
    Case("lazy linear", lambda: nn.Sequential(nn.LazyLinear(20)), floats((1, 12)), 12 * 20, 12 * 20 + 20),
    Case("tied embedding", TiedEmbedding, tokens(6), 6 * 8 * 50, 50 * 8),
    Case("two names", TwoNames, floats((3, 6)), 2 * 3 * 6 * 6, 6 * 6 + 6),
    Case("forward called directly", ForwardCalledDirectly, floats((3, 6)), 3 * 6 * 5, 6 * 5 + 5),
    Case("broadcast matmul", lambda: Applies(torch.matmul), floats((2, 1, 3, 4), (5, 4, 6)), 2 * 5 * 3 * 4 * 6, 0),
    Case("matrix by vector", lambda: Applies(torch.mv), floats((5, 4), (4,)), 5 * 4, 0),
    Case("batched matrix by vector", lambda: Applies(torch.matmul), floats((2, 5, 4), (4,)), 2 * 5 * 4, 0),
    Case("dot", lambda: Applies(torch.dot), floats((7,), (7,)), 7, 0),
    Case("baddbmm", lambda: Applies(torch.baddbmm), floats((2, 3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5, 0),
    Case("einsum", lambda: Applies(lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b)), floats((2, 3, 4, 8), (2, 3, 5, 8)), 2 * 3 * 4 * 5 * 8, 0),
    # one for each weight: x_i · w_ij · y_j
    Case("bilinear", lambda: nn.Bilinear(3, 4, 5), floats((2, 3), (2, 4)), 2 * 5 * 3 * 4, 5 * 3 * 4 + 5),
    Case("vmap", lambda: Applies(lambda w, x: torch.vmap(lambda row: w @ row)(x), (5, 4)), floats((6, 4)), 6 * 5 * 4, 5 * 4),
    Case("checkpoint", Checkpointed, floats((3, 6)), 3 * 6 * 7, 6 * 7 + 7),
    Case("checkpoint, re-entrant", lambda: Checkpointed(use_reentrant=True), floats((3, 6)), 3 * 6 * 7, 6 * 7 + 7),
    Case("compiled part", CompiledPart, floats((3, 6)), 3 * 6 * 5 + 3 * 5 * 3, 6 * 5 + 5),
    Case("compiled in place", compiled_in_place, floats((3, 6)), 3 * 6 * 5, 6 * 5 + 5),
    # packed weights are no parameters
    # The gates see 6 inputs and 5 states for each of 4 gates, 2 sequences of 7 steps; two biases.
    Case("quantised recurrent", lambda: quantised(nn.Sequential(nn.LSTM(6, 5))), floats((7, 2, 6)), 7 * 2 * 4 * 5 * (6 + 5), 4 * 5 * (6 + 5) + 2 * 4 * 5 + 40),
    # The dearer of two branches.
    Case("a branch on tensors", lambda: Applies(lambda x: torch.cond(x.sum() > 0, lambda x: x @ x, lambda x: x + x, (x,))), floats((4, 4)), 4 * 4 * 4, 0),
    Case("quantised", lambda: quantised(nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))), floats((3, 16)), 3 * (16 * 8 + 8 * 4), 16 * 8 + 8 + 8 * 4 + 4),
    Case("complex", lambda: nn.Linear(6, 5, dtype=torch.cfloat), (torch.randn(3, 6, dtype=torch.cfloat),), 3 * 6 * 5, 6 * 5 + 5),
    Case("rows of parts of different lengths", lambda: nn.Linear(8, 4), (torch.nested.nested_tensor(list(floats((3, 8), (5, 8))), layout=torch.jagged),), (3 + 5) * 8 * 4, 8 * 4 + 4),
    Case("the same, laid out in the older way", lambda: nn.Linear(8, 4), (nested((3, 8), (5, 8)),), (3 + 5) * 8 * 4, 8 * 4 + 4),
    # three experts get 3, 4 and 3 of the rows
    Case("mixture of experts", lambda: Applies(lambda w, x: torch._grouped_mm(x, w, offs=torch.tensor([3, 7, 10], dtype=torch.int32)), (3, 16, 8)), floats((10, 16)), 10 * 16 * 8, 3 * 16 * 8),
    Case("power iteration", lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(6, 5)).eval(), floats((3, 6)), 3 * 6 * 5 + 5 * 6 + 5, 6 * 5 + 5),
    Case("bfloat16", lambda: nn.Linear(4, 3).bfloat16(), (torch.randn(2, 4).bfloat16(),), 2 * 4 * 3, 4 * 3 + 3),
]  # fmt: skip

ATTENTIONS = [
    # query, key and value projections, scores, weighted sum, output projection
    Case("multi-head", lambda: SelfAttention(need_weights=False), floats((2, 10, 32)), ATTENTION, ATTENTION_PARAMETERS),
    Case("multi-head with weights", lambda: SelfAttention(need_weights=True), floats((2, 10, 32)), ATTENTION, ATTENTION_PARAMETERS),
    Case("cross", lambda: SelfAttention(need_weights=False), floats((2, 10, 32), (2, 6, 32)), 2 * (10 * 32 * 32 + 2 * 6 * 32 * 32 + 2 * 10 * 6 * 32 + 10 * 32 * 32), ATTENTION_PARAMETERS),
    Case("dot product", lambda: Applies(F.scaled_dot_product_attention), floats(*[(2, 4, 16, 8)] * 3), 2 * 4 * (16 * 16 * 8) * 2, 0),
    Case("causal, in full", lambda: Applies(lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True)), floats((2, 4, 16, 8)), 2 * 4 * (16 * 16 * 8) * 2, 0),
    Case("masked", lambda: Applies(lambda q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=m > 0)), floats((2, 4, 16, 8), (16, 16)), 2 * 4 * (16 * 16 * 8) * 2, 0),
    Case("grouped queries", lambda: Applies(lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True)), floats((2, 8, 16, 4), (2, 2, 10, 4)), 2 * 8 * 16 * 10 * 4 * 2, 0),
    Case("value width", lambda: Applies(F.scaled_dot_product_attention), floats((2, 5, 8), (2, 7, 8), (2, 7, 3)), 2 * 5 * 7 * (8 + 3), 0),
    Case("grouped queries by repeating", lambda: Applies(lambda q, k: F.scaled_dot_product_attention(q, k.repeat_interleave(4, 1), k.repeat_interleave(4, 1))), floats((2, 8, 16, 4), (2, 2, 10, 4)), 2 * 8 * 16 * 10 * 4 * 2, 0),
    Case("flexible", lambda: Applies(flexible), floats((2, 4, 16, 8)), 2 * 4 * (16 * 16 * 8) * 2, 0),
    Case("unbatched", lambda: nn.MultiheadAttention(16, 4), floats(*[(7, 16)] * 3), 4 * 7 * 16 * 16 + 2 * 7 * 7 * 16, 4 * 16 * 16 + 64),
    # encoder of 7, decoder of 5 positions: projections, products and two linear layers each; the
    # decoder also attends to the encoder's positions
    Case("transformer", lambda: nn.Transformer(16, 4, 1, 1, 32, batch_first=True), floats((2, 7, 16), (2, 5, 16)), 2 * ((4 * 7 * 256 + 2 * 49 * 16 + 2 * 7 * 16 * 32) + (4 * 5 * 256 + 2 * 25 * 16) + (2 * 5 * 256 + 2 * 7 * 256 + 2 * 5 * 7 * 16) + 2 * 5 * 16 * 32), TRANSFORMER_PARAMETERS),
    # attention of 10 positions of width 32 as above, then 32 to 64 and back
    Case("encoder layer in eval", lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval(), floats((2, 10, 32)), ATTENTION + 2 * 10 * 2 * 32 * 64, ATTENTION_PARAMETERS + 2 * 32 * 64 + 64 + 32 + 4 * 32),
]  # fmt: skip


def gates(count: int, hidden: int, width: int) -> int:
    """MACs of one step: each gate sees the input and the state."""
    return count * hidden * (width + hidden)


RECURRENT = [
    Case("lstm", lambda: nn.LSTM(12, 20, batch_first=True), floats((3, 7, 12)), 3 * 7 * gates(4, 20, 12), gates(4, 20, 12) + 8 * 20),
    Case("gru", lambda: nn.GRU(12, 20, batch_first=True), floats((3, 7, 12)), 3 * 7 * gates(3, 20, 12), gates(3, 20, 12) + 6 * 20),
    Case("rnn", lambda: nn.RNN(12, 20, nonlinearity="relu"), floats((7, 3, 12)), 3 * 7 * gates(1, 20, 12), gates(1, 20, 12) + 2 * 20),
    Case("bidirectional", lambda: nn.GRU(12, 20, bidirectional=True), floats((7, 3, 12)), 2 * 3 * 7 * gates(3, 20, 12), 2 * (gates(3, 20, 12) + 6 * 20)),
    Case("stacked", lambda: nn.LSTM(12, 20, num_layers=2), floats((7, 3, 12)), 3 * 7 * (gates(4, 20, 12) + gates(4, 20, 20)), gates(4, 20, 12) + gates(4, 20, 20) + 16 * 20),
    Case("stacked both ways", lambda: nn.LSTM(12, 20, num_layers=2, bidirectional=True), floats((7, 3, 12)), 2 * 3 * 7 * (gates(4, 20, 12) + gates(4, 20, 40)), 2 * (gates(4, 20, 12) + gates(4, 20, 40) + 16 * 20)),
    # the state has 5 elements; each step projects 20 to 5
    Case("projected", lambda: nn.LSTM(12, 20, proj_size=5), floats((7, 3, 12)), 3 * 7 * (4 * 20 * (12 + 5) + 20 * 5), 4 * 20 * (12 + 5) + 8 * 20 + 20 * 5),
    Case("unbatched", lambda: nn.LSTM(12, 20), floats((7, 12)), 7 * gates(4, 20, 12), gates(4, 20, 12) + 8 * 20),
    Case("packed", lambda: Recurrent(nn.LSTM(12, 20)), (pack_sequence(list(floats((5, 12), (3, 12)))),), 8 * gates(4, 20, 12), gates(4, 20, 12) + 8 * 20),
    Case("packed inside", lambda: Applies(lambda x, n: pack_padded_sequence(x, n, batch_first=True).data @ x[0].t()), (torch.randn(2, 5, 12), torch.tensor([5, 3])), 8 * 12 * 5, 0),
    Case("lstm cell", lambda: nn.LSTMCell(12, 20), floats((3, 12)), 3 * gates(4, 20, 12), gates(4, 20, 12) + 8 * 20),
    Case("gru cell", lambda: nn.GRUCell(12, 20), floats((3, 12)), 3 * gates(3, 20, 12), gates(3, 20, 12) + 6 * 20),
    Case("unbatched lstm cell", lambda: nn.LSTMCell(12, 20), floats((12,)), gates(4, 20, 12), gates(4, 20, 12) + 8 * 20),
    Case("unbatched gru cell", lambda: nn.GRUCell(12, 20), floats((12,)), gates(3, 20, 12), gates(3, 20, 12) + 6 * 20),
    Case("unbatched rnn cell", lambda: nn.RNNCell(12, 20), floats((12,)), gates(1, 20, 12), gates(1, 20, 12) + 2 * 20),
    Case("half precision", lambda: nn.LSTM(12, 20).half(), (torch.randn(7, 3, 12).half(),), 3 * 7 * gates(4, 20, 12), gates(4, 20, 12) + 8 * 20),
    Case("no sequences", lambda: nn.LSTM(12, 20, batch_first=True), floats((0, 4, 12)), 0, gates(4, 20, 12) + 8 * 20),
    Case("rnn cell", lambda: nn.RNNCell(12, 20), floats((3, 12)), 3 * gates(1, 20, 12), gates(1, 20, 12) + 2 * 20),
]  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [*CONVOLUTIONS, *PRODUCTS, *ATTENTIONS, *RECURRENT],
    ids=lambda case: case.name.replace(" ", "_"),
)
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:LSTM with projections",
    "ignore:None of the inputs have requires_grad", "ignore:flex_attention called without",
)  # fmt: skip
def test_macs_and_parameters_are_those_derived_by_hand(case: Case) -> None:
    report = cnninspect.summarize(case.build(), case.inputs)
    assert (report.totals.macs, report.totals.parameters) == (case.macs, case.parameters)
    assert report.uncounted == ()


class Multiplies(nn.Module):
    """A matrix of its own, and then a linear layer that is counted."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)
        self.linear = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.matrix @ x)


NOT_COUNTED = {
    "a sparse product": (lambda: Multiplies(torch.eye(6).to_sparse()), (6, 3), 6 * 3 * 4, "sparse.mm"),
    "a product of compressed rows": (lambda: Multiplies(torch.eye(6).to_sparse_csr()), (6, 3), 6 * 3 * 4, "sparse.mm"),
    "a product of nested stacks": (lambda: Applies(lambda x: torch.matmul(*[torch.nested.nested_tensor([x, x])] * 2)), (4, 4), 0, "nested.matmul"),
    "a Fourier transform": (lambda: Applies(lambda w, x: torch.fft.rfft(x).real @ w, (4, 5)), (3, 6), 3 * 4 * 5, "aten._fft_r2c"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_COUNTED)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor", "ignore:The PyTorch API of nested")
def test_what_cannot_be_counted_is_named_and_the_rest_is_counted(name: str) -> None:
    build, shape, macs, operator = NOT_COUNTED[name]
    report = cnninspect.summarize(build(), (torch.randn(*shape),))
    assert report.totals.macs == macs
    assert [gap.op for gap in report.uncounted] == [operator]
