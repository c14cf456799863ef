"""When memory of a step is allocated and freed, and what a recurrent kernel needs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.fake_mode import Abstraction
from cnninspect.engine.fake_tensors import stored_bytes
from cnninspect.engine.real_mode import Computation
from cnninspect.engine.recording import Recorder, storage_of, tensors_in


class Liveness:
    """Bytes of the storages that some tensor still uses.

    Python and autograd hold on to abstract tensors exactly as they would to real ones, so their
    deaths tell when real memory would be given back.
    """

    def __init__(self, apart: Iterable[Tensor]) -> None:
        self.alive_bytes = 0
        """Now."""
        self.history: list[int] = []
        """After each call."""
        self._users: dict[int, int] = {}
        """How many tensors use a storage, by its key."""
        self._apart = {storage_of(tensor) for tensor in apart}
        """Storages that do not count: those of parameters and buffers."""
        self._watched: dict[int, weakref.ref[Tensor]] = {}

    def watch(self, tensor: Tensor) -> None:
        """Count the tensor's storage until the last tensor that uses it is gone."""
        key = storage_of(tensor)
        if key in self._apart or id(tensor) in self._watched:
            return
        nbytes = stored_bytes(tensor)
        if key not in self._users:
            self._users[key] = 0
            self.alive_bytes += nbytes
        self._users[key] += 1
        identity = id(tensor)

        def forget(_: object) -> None:
            del self._watched[identity]
            self._users[key] -= 1
            if self._users[key] == 0:
                del self._users[key]
                self.alive_bytes -= nbytes

        self._watched[identity] = weakref.ref(tensor, forget)

    def is_apart(self, key: int) -> bool:
        """Whether that storage does not count."""
        return key in self._apart

    def note_calls(self, count: int) -> None:
        """Keep what is alive after the last of `count` calls."""
        del self.history[count:]  # of a branch that was tried and does not count
        self.history += [self.alive_bytes] * (count - len(self.history))


class Watched:
    """Follows the lives of what each recorded call makes."""

    def __init__(self, recorder: Recorder, liveness: Liveness) -> None:
        self.recorder = recorder
        self.liveness = liveness
        self._calls = 0

    def result(self, result: Any) -> Any:
        """The result, once its tensors are watched and the moment is noted."""
        for tensor in tensors_in(result):
            self.liveness.watch(tensor)
        if len(self.recorder.calls) != self._calls:
            self._calls = len(self.recorder.calls)
            self.liveness.note_calls(self._calls)
        return result


class WatchedAbstraction(Abstraction):
    """Tells which abstract tensors an operator made to whoever follows their lives."""

    def __init__(self, recorder: Recorder, liveness: Liveness) -> None:
        super().__init__(recorder)
        self.watched = Watched(recorder, liveness)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if self.asked_pytorch:
            gc.collect(0)  # its code in Python may leave cycles that hold on to its arguments
            self.asked_pytorch = False
        return self.watched.result(result)


class WatchedComputation(Computation):
    """The same for a run that computes."""

    def __init__(self, recorder: Recorder, liveness: Liveness) -> None:
        super().__init__(recorder)
        self.watched = Watched(recorder, liveness)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.watched.result(super().__torch_dispatch__(func, types, args, kwargs))


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
