"""Hooks that tell which layer takes how long, forward and backward.

What runs is a stack: a module that another one calls, or the node of a backward pass that runs a
checkpointed module again.  Each entry notes when it began and ended, and under which other one; a
layer's own time is what is left of its entries without those right under them.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine import torch_private as private
from cnninspect.engine.module_tree import Structure
from cnninspect.records.traces import parent_of

OUTSIDE = -1
"""In place of the entry around one that has none."""
SAMPLES = 5
CALLS = 400
"""How often an empty module is called to learn what hooks cost."""


class ProcessorClock:
    """Marks on the processor's clock."""

    def mark(self) -> Any:
        """Now."""
        return time.perf_counter_ns()

    def seconds(self, start: Any, end: Any) -> float:
        """From one mark to another."""
        return float(end - start) / 1e9

    def wait(self) -> None:
        """Let all that was begun end."""


class EventClock(ProcessorClock):
    """Marks in the queue of an accelerator: what it is told is done after `mark` returns."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def mark(self) -> Any:
        event = self._backend.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, start: Any, end: Any) -> float:
        return float(start.elapsed_time(end)) / 1e3

    def wait(self) -> None:
        self._backend.synchronize()


def clock_of(device: str) -> ProcessorClock:
    """The clock of a device: `cpu`, `cuda`, `mps`."""
    if device == "cpu":
        return ProcessorClock()
    return EventClock(getattr(torch, device))


class Stopwatch:
    """Hooks on every module of a network, until it is closed."""

    def __init__(self, structure: Structure, clock: ProcessorClock) -> None:
        self.structure, self.clock = structure, clock
        self._entries: list[tuple[str, Any, Any, int]] = []
        """Path, begin, end, and the entry around it."""
        self._stack: list[int] = []
        self._switches: list[tuple[int, str]] = []
        """The number of the next autograd node when another layer begins to run."""
        self._forward: int | None = None
        """How many entries there were when the backward pass began; None: it has not."""
        self._handles: list[Any] = []
        for module in structure.distinct_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            self._handles += [
                module.register_forward_pre_hook(self._enter, prepend=True),
                module.register_forward_hook(self._leave, always_call=True),
            ]

    def close(self) -> None:
        """Take the hooks off again."""
        for handle in self._handles:
            handle.remove()

    def forget(self) -> None:
        """Begin with a new run."""
        self._entries, self._stack, self._switches, self._forward = [], [], [], None

    @property
    def has_seen(self) -> bool:
        """Whether any layer was seen to run."""
        return bool(self._entries)

    # --- forward ---

    def _enter(self, module: nn.Module, _: Any) -> None:
        above = self._entries[self._stack[-1]][0] if self._stack else ""
        path = self.structure.path_under(module, above)
        self._switches.append((private._autograd._get_sequence_nr(), path))
        self._begin(path)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG002
        self._end()
        above = self._entries[self._stack[-1]][0] if self._stack else ""
        self._switches.append((private._autograd._get_sequence_nr(), above))

    def _begin(self, path: str) -> None:
        around = self._stack[-1] if self._stack else OUTSIDE
        self._stack.append(len(self._entries))
        self._entries.append((path, self.clock.mark(), None, around))

    def _end(self) -> None:
        now = self.clock.mark()
        if self._stack:  # else its beginning was not seen
            place = self._stack.pop()
            path, start, _, around = self._entries[place]
            self._entries[place] = (path, start, now, around)

    # --- backward ---

    def follow(self, loss: Tensor) -> None:
        """Watch the nodes of the backward pass from here, each under the layer that made it."""
        self._forward = len(self._entries)
        numbers = [number for number, _ in self._switches]
        names = self.structure.tensor_names
        for node in _nodes_from(loss):
            leaf = getattr(node, "variable", None)
            if isinstance(leaf, Tensor):  # it adds to the gradient of a parameter
                path = parent_of(names.get(id(leaf), ""))
            else:
                place = bisect_right(numbers, node._sequence_nr()) - 1
                path = self._switches[place][1] if place >= 0 else ""
            node.register_prehook(self._node_begins(path))
            node.register_hook(self._node_ends)

    def _node_begins(self, path: str) -> Callable[[Any], None]:
        return lambda _: self._begin(path)

    def _node_ends(self, *_: Any) -> None:
        self._end()

    # --- what came of it ---

    def forward_seconds(self) -> float:
        """From the beginning to the end of the modules that no other one called, going forward."""
        return sum(
            self.clock.seconds(start, end)
            for _, start, end, around in self._entries[: self._forward]
            if around == OUTSIDE and end is not None
        )

    def own_times(self) -> tuple[dict[str, float], dict[str, int]]:
        """Seconds of each layer alone, by path, and how many entries lay right under its own."""
        spans = [
            0.0 if end is None else self.clock.seconds(start, end)
            for _, start, end, _ in self._entries
        ]
        alone = list(spans)
        own: dict[str, float] = {}
        under: dict[str, int] = {}
        for (path, *_, around), span in zip(self._entries, spans):
            own.setdefault(path, 0.0)
            if around != OUTSIDE:
                alone[around] -= span
                above = self._entries[around][0]
                under[above] = under.get(above, 0) + 1
        for (path, *_), seconds in zip(self._entries, alone):
            own[path] += seconds
        return own, under


def _nodes_from(loss: Tensor) -> Iterator[Any]:
    """Every node of the graph that differentiates a tensor."""
    pending, seen = [loss.grad_fn], set()
    while pending:
        node: Any = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        pending += [following for following, _ in node.next_functions]


@contextmanager
def watching(structure: Structure, clock: ProcessorClock) -> Iterator[Stopwatch]:
    """A stopwatch on a network, taken off in the end."""
    watch = Stopwatch(structure, clock)
    try:
        yield watch
    finally:
        watch.close()


def cost_of_hooks(clock: ProcessorClock) -> float:
    """Seconds that watching adds to each call of a module: to whoever calls it.

    The difference between calls of a module that does nothing with hooks and without; the least
    of several, since whatever else runs on the machine only adds to it.
    """
    empty = nn.Identity()
    given = torch.zeros(1)

    def once() -> float:
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            empty(given)
        return (time.perf_counter_ns() - start) / 1e9 / CALLS

    plain = min(once() for _ in range(SAMPLES))
    with watching(Structure(empty), clock) as watch:
        watched = []
        for _ in range(SAMPLES):
            watch.forget()
            watched.append(once())
        clock.wait()
        inside = min(span for span in watch.own_times()[0].values()) / CALLS
    return max(min(watched) - plain - inside, 0.0)
