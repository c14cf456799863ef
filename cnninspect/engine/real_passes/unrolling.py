"""Recurrent layers step by step, so that the gradient at every state can be seen.

PyTorch runs an `nn.RNN`, `nn.LSTM` or `nn.GRU` as one operation, which keeps its states to itself.
Here the same weights do the same sums one step after the other, and a hook at each state takes the
norm of the loss's gradient there.  That gradient is the whole one: what reaches the loss by the
output of the step, and by all later states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.engine.module_tree import walk
from cnninspect.engine.real_passes.gradient_hooks import norm_of
from cnninspect.errors import CannotTrain
from cnninspect.records.passes import StatePass

State = tuple[Tensor, ...]
"""(hidden,), and (hidden, cell) of an LSTM: each (N, size)."""
NAMES = ("hidden", "cell")


class Track:
    """The gradients at one state of one layer in one direction."""

    def __init__(self, path: str, layer: int, state: str, *, is_backward: bool) -> None:
        self.path, self.layer, self.state, self.is_backward = path, layer, state, is_backward
        self.norms: dict[int, float] = {}
        """By time step."""

    def follow(self, tensor: Tensor, step: int) -> None:
        """Take the norm of the gradient at the state after `step` when it arrives."""
        self.norms[step] = 0.0  # where nothing depends on the state, none arrives
        if tensor.requires_grad:
            tensor.register_hook(lambda gradient: self._arrived(step, gradient))

    def _arrived(self, step: int, gradient: Tensor) -> None:
        self.norms[step] = norm_of(gradient)

    def state_pass(self) -> StatePass:
        """What the last pass left behind."""
        norms = tuple(self.norms[step] for step in sorted(self.norms))
        return StatePass(self.path, self.layer, self.is_backward, self.state, norms)


class Unrolling:
    """Recurrent modules of a model that run step by step while this is entered.

    Raises:
        CannotTrain: the model has no recurrent layer.
    """

    def __init__(self, model: nn.Module, name: str) -> None:
        self.tracks: list[Track] = []
        self._sizes: tuple[int, int, bool] = (0, 0, True)
        """Examples, time steps and order of the layer that ran last: whether the batch is first."""
        recurrent = {id(m): (p, m) for p, m in walk(model) if isinstance(m, nn.RNNBase)}
        self._modules = dict(recurrent.values())
        if not self._modules:
            raise CannotTrain(
                name, "over time: it has no nn.RNN, nn.LSTM or nn.GRU", "leave out --over time"
            )

    def __enter__(self) -> Unrolling:
        for path, module in self._modules.items():
            # An attribute of the object hides the method of its class.
            module.__dict__["forward"] = self._forward_of(path, module)
        return self

    def __exit__(self, *_: object) -> None:
        for module in self._modules.values():
            module.__dict__.pop("forward", None)

    def forget(self) -> None:
        """Be ready for the next pass."""
        self.tracks.clear()

    def states(self) -> tuple[StatePass, ...]:
        """What the last pass left behind."""
        return tuple(track.state_pass() for track in self.tracks)

    def at_step(self, output: Tensor, step: int) -> Tensor | None:
        """What an output says of one time step; None where it says nothing of each.

        Steps are looked for in (N, T, …), (T, N, …), (N, C, T) and in N·T rows.
        """
        batch, steps, is_first = self._sizes
        if steps < 2:
            return None
        shape = tuple(output.shape)
        if shape[:2] in ((batch, steps), (steps, batch)):
            by_batch = shape[:2] == (batch, steps) and (is_first or batch != steps)
            return output[:, step] if by_batch else output[step]
        if len(shape) == 3 and (shape[0], shape[2]) == (batch, steps):
            return output[:, :, step]
        if shape and shape[0] == batch * steps:
            if is_first:
                return output.unflatten(0, (batch, steps))[:, step]
            return output.unflatten(0, (steps, batch))[step]
        return None

    def labels_at(self, labels: Tensor, step: int) -> Tensor:
        """The labels of one time step, where there is one for each step."""
        found = self.at_step(labels, step)
        return labels if found is None else found

    def _forward_of(self, path: str, module: nn.RNNBase) -> Callable[..., Any]:
        def forward(x: Any, state: Any = None) -> Any:
            if not isinstance(x, Tensor):
                raise CannotTrain(
                    path, "over time: it is given packed sequences", "pad them instead"
                )
            return self._run(path, module, x, state)

        return forward

    def _run(self, path: str, module: nn.RNNBase, x: Tensor, given: Any) -> Any:
        """What the module returns: outputs, and the last states of all layers and directions."""
        is_single = x.dim() == 2
        batch_dim = 0 if module.batch_first else 1
        x = x.unsqueeze(batch_dim) if is_single else x
        x = x if module.batch_first else x.transpose(0, 1)  # (N, T, features)
        self._sizes = x.shape[0], x.shape[1], module.batch_first
        starts = _starts(module, x, given, is_single=is_single)
        directions = 2 if module.bidirectional else 1
        last: list[State] = []
        for layer in range(module.num_layers):
            outputs = []
            for direction in range(directions):
                steps, state = self._direction(
                    path, module, x, starts[layer * directions + direction], (layer, direction)
                )
                outputs.append(steps)
                last.append(state)
            x = torch.cat(outputs, dim=-1)  # (N, T, directions × size)
            if module.dropout and layer < module.num_layers - 1:
                x = F.dropout(x, module.dropout, training=module.training)
        x = x if module.batch_first else x.transpose(0, 1)
        x = x.squeeze(batch_dim) if is_single else x
        ends = tuple(torch.stack(parts) for parts in zip(*last))  # (layers × directions, N, size)
        ends = tuple(end.squeeze(1) for end in ends) if is_single else ends
        return x, (ends if len(ends) > 1 else ends[0])

    def _direction(
        self,
        path: str,
        module: nn.RNNBase,
        x: Tensor,
        state: State,
        place: tuple[int, int],
    ) -> tuple[Tensor, State]:
        """One layer in one direction: its outputs in the order of time, and its last state."""
        layer, direction = place
        tracks = [
            Track(path, layer, name, is_backward=bool(direction)) for name, _ in zip(NAMES, state)
        ]
        self.tracks += tracks
        step_of = _cell(module, f"_l{layer}" + ("_reverse" if direction else ""))
        outputs: dict[int, Tensor] = {}
        order = range(x.shape[1])
        for step in reversed(order) if direction else order:
            state = step_of(x[:, step], state)
            for track, tensor in zip(tracks, state):
                track.follow(tensor, step)
            outputs[step] = state[0]
        return torch.stack([outputs[step] for step in order], dim=1), state


def _cell(module: nn.RNNBase, suffix: str) -> Callable[[Tensor, State], State]:
    """One step of a layer: (N, features) and the state before to the state after.

    Gates lie in PyTorch's order.  Source of the sums: the documentation of its recurrent layers.
    """

    def weight(name: str) -> Tensor | None:
        found: Tensor | None = getattr(module, name + suffix, None)
        return found

    w_in, w_state = weight("weight_ih"), weight("weight_hh")
    b_in, b_state, projection = weight("bias_ih"), weight("bias_hh"), weight("weight_hr")
    assert w_in is not None
    assert w_state is not None

    def sums(x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return F.linear(x, w_in, b_in), F.linear(hidden, w_state, b_state)

    def rnn(x: Tensor, state: State) -> State:
        total = torch.add(*sums(x, state[0]))
        return (torch.relu(total) if module.mode == "RNN_RELU" else torch.tanh(total),)

    def gru(x: Tensor, state: State) -> State:
        new, old = (part.chunk(3, dim=-1) for part in sums(x, state[0]))
        reset, update = torch.sigmoid(new[0] + old[0]), torch.sigmoid(new[1] + old[1])
        candidate = torch.tanh(new[2] + reset * old[2])
        return ((1 - update) * candidate + update * state[0],)

    def lstm(x: Tensor, state: State) -> State:
        take, forget, candidate, show = torch.add(*sums(x, state[0])).chunk(4, dim=-1)
        cell = torch.sigmoid(forget) * state[1] + torch.sigmoid(take) * torch.tanh(candidate)
        hidden = torch.sigmoid(show) * torch.tanh(cell)
        return (hidden if projection is None else F.linear(hidden, projection)), cell

    return {"LSTM": lstm, "GRU": gru}.get(module.mode, rnn)


def _starts(module: nn.RNNBase, x: Tensor, given: Any, *, is_single: bool) -> list[State]:
    """The state before the first step, of each layer and direction; zeros unless given."""
    count = module.num_layers * (2 if module.bidirectional else 1)
    sizes = [module.proj_size or module.hidden_size]
    if module.mode == "LSTM":
        sizes.append(module.hidden_size)
    if given is None:
        return [tuple(x.new_zeros(len(x), size) for size in sizes) for _ in range(count)]
    parts = given if isinstance(given, (tuple, list)) else (given,)
    parts = [part.unsqueeze(1) for part in parts] if is_single else list(parts)
    return [tuple(part[i] for part in parts) for i in range(count)]
