"""Small networks that are hard to measure, and a slow way to measure any of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Problem(NamedTuple):
    """A network, what to give it, and the loss to differentiate."""

    name: str
    build: Callable[[], nn.Module]
    inputs: tuple[Any, ...]
    loss: str = "sum"


class Residual(nn.Module):
    """Adds in place, as most residual networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv2(F.relu(self.conv1(x), inplace=True))
        out += x
        return F.relu_(out) ** 2


class InPlaceOnView(nn.Module):
    """A linear layer on (N, T, C) returns a view, which the next layer overwrites."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.linear1(x).relu_()).sigmoid_()


class LastStep(nn.Module):
    """Returns a part of what it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 5))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight)[:, -1]


class InPlaceOnPart(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last, self.head = LastStep(), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(x).mul_(2).tanh_())


class CalledThrice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared = nn.Linear(5, 5), nn.Linear(5, 5)
        self.again = self.shared

    def forward(self, x: Tensor) -> Tensor:
        x = self.shared(torch.tanh(self.first(x)))
        return torch.tanh(self.again(torch.tanh(self.shared(x))))


class TiedWeights(nn.Module):
    """Scores words by the vectors that they are looked up with."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.decode = nn.Embedding(9, 4), nn.Linear(4, 9)
        self.decode.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.decode(torch.tanh(self.embed(tokens)))


class Unused(nn.Module):
    """Runs a layer whose result nothing depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.unused(x)
        return self.used(x)


class SeveralHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.main, self.helper = nn.Linear(4, 6), nn.Linear(6, 3), nn.Linear(6, 3)
        self.other = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = torch.tanh(self.trunk(x))
        return {"other": self.other(x), "out": self.main(x), "aux": self.helper(x)}


class Checkpointed(nn.Module):
    """Forgets what lies between, and computes it again on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x))
        x = checkpoint(lambda y: torch.tanh(self.middle(y)), x, use_reentrant=False)
        return self.last(x)


def frozen(model: nn.Module, *names: str) -> nn.Module:
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(names))
    return model


class TakesLast(nn.Module):
    """A recurrent layer whose last step is classified."""

    def __init__(self, recurrent: nn.RNNBase, width: int) -> None:
        super().__init__()
        self.recurrent, self.head = recurrent, nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


def conv_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(True),
        nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(True), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip


def numbers(*shape: int) -> tuple[Tensor]:
    return (torch.randn(shape, generator=torch.Generator().manual_seed(7)),)


PROBLEMS = [
    Problem("convolutions", conv_net, numbers(4, 3, 7, 7), "cross-entropy"),
    Problem("channels_last", conv_net,
            (numbers(4, 3, 7, 7)[0].to(memory_format=torch.channels_last),), "mse"),
    Problem("residual", Residual, numbers(2, 4, 6, 6)),
    Problem("in_place_on_view", InPlaceOnView, numbers(3, 4, 5), "mse"),
    Problem("in_place_on_part", InPlaceOnPart, numbers(3, 4, 5)),
    Problem("called_thrice", CalledThrice, numbers(3, 5)),
    Problem("tied_weights", TiedWeights, (torch.tensor([[1, 2, 5], [0, 2, 2]]),), "cross-entropy"),
    Problem("unused", Unused, numbers(2, 4)),
    Problem("several_heads", SeveralHeads, numbers(5, 4), "cross-entropy"),
    Problem("checkpointed", Checkpointed, numbers(3, 4)),
    Problem("frozen_below", lambda: frozen(conv_net(), "0", "1"), numbers(4, 3, 7, 7), "sum"),
    Problem("frozen_between", lambda: frozen(conv_net(), "3"), numbers(4, 3, 7, 7), "mse"),
    Problem("frozen_bias", lambda: frozen(conv_net(), "6.bias"), numbers(4, 3, 7, 7), "mse"),
    Problem("sparse", lambda: nn.Sequential(nn.Embedding(9, 4, sparse=True), nn.Linear(4, 3)),
            (torch.tensor([[1, 2, 5, 1]]),)),
    Problem("attention", lambda: nn.MultiheadAttention(8, 2, batch_first=True),
            tuple(torch.randn(3, 2, 5, 8, generator=torch.Generator().manual_seed(7)))),
    Problem("encoder", lambda: nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True),
            numbers(2, 5, 8)),
    Problem("weight_norm",
            lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 5)),
                                  nn.Tanh(), nn.Linear(5, 2)), numbers(3, 4), "mse"),
    Problem("rnn", lambda: TakesLast(nn.RNN(4, 6, batch_first=True), 6), numbers(2, 7, 4)),
    Problem("lstm", lambda: TakesLast(nn.LSTM(4, 6, 2, batch_first=True), 6), numbers(2, 7, 4)),
    Problem("gru", lambda: TakesLast(nn.GRU(4, 6, batch_first=True, bidirectional=True), 12),
            numbers(2, 7, 4)),
]  # fmt: skip


class Gradients(NamedTuple):
    """What the slow way finds for one layer: whole tensors."""

    activations: list[Tensor]
    activation_gradients: list[Tensor] | None
    """One for each call; None where nothing trainable lies under it."""


def slowly(
    model: nn.Module, inputs: Sequence[Any], loss_of: Callable[[Any], Tensor]
) -> tuple[dict[str, Gradients], dict[str, Tensor], float]:
    """Gradients at the outputs of all modules, those of all parameters, and the loss.

    Everything is kept: each module hands on a copy of its output, so that nothing overwrites the
    original, and all is asked of `torch.autograd.grad` at once.
    """
    outputs: dict[str, list[Tensor]] = {}
    handles = [
        module.register_forward_hook(_keeping(outputs.setdefault(path, [])))
        for path, module in model.named_modules()
    ]
    loss = loss_of(model(*inputs))
    for handle in handles:
        handle.remove()
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    asked = [t for kept in outputs.values() for t in kept if t.requires_grad]
    found = torch.autograd.grad(loss, [*asked, *parameters.values()], allow_unused=True)
    gradients = {id(t): torch.zeros_like(t) if g is None else g for t, g in zip(asked, found)}
    of_parameters = {
        name: torch.zeros_like(p) if g is None else g
        for (name, p), g in zip(parameters.items(), found[len(asked) :])
    }
    layers = {
        path: Gradients(kept, [gradients[id(t)] for t in kept] if kept[0].requires_grad else None)
        for path, kept in outputs.items()
        if kept
    }
    return layers, of_parameters, float(loss.detach())


def _keeping(kept: list[Tensor]) -> Callable[..., Any]:
    def hook(module: nn.Module, args: Any, output: Any) -> Any:
        if torch._C._current_graph_task_id() != -1:
            return None  # on the way back, where checkpoints run again
        first = output[0] if isinstance(output, tuple) else output
        if not isinstance(first, Tensor):
            return None
        kept.append(first)
        copy = first.clone()
        return (copy, *output[1:]) if isinstance(output, tuple) else copy

    return hook


def norm(tensors: Sequence[Tensor]) -> float:
    """The L2 norm of several tensors together, in double precision."""
    return math.sqrt(sum(float(t.detach().to_dense().double().square().sum()) for t in tensors))


def zero_share(tensors: Sequence[Tensor]) -> float:
    dense = [t.detach().to_dense() for t in tensors]
    return sum(int((t == 0).sum()) for t in dense) / sum(t.numel() for t in dense)
