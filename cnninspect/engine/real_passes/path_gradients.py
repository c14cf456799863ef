"""The gradient along single paths through residual blocks, by real passes.

Going back, each block lets the gradient through its branch alone or through its shortcut alone.
Added up over all 2^n ways of n blocks, that is the whole gradient.

Source: Veit, Wilber, Belongie 2016, arXiv:1605.06431, section 5 and figure 6.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import comb
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnninspect.engine.module_tree import walk
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, seed_generators, set_apart
from cnninspect.engine.real_passes.batches import Batches, Feed, images_for
from cnninspect.engine.real_passes.gradient_hooks import norm_of
from cnninspect.engine.real_passes.losses import chosen_loss, loss_of, trained_outputs
from cnninspect.engine.real_passes.preparation import ready_model
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import CannotTrain, CnnInspectError, RunFailed, first_line
from cnninspect.records.models import LoadedModel
from cnninspect.records.passes import GradientSettings, PathGradient, WeightedLayer

ADDITIONS = ("add", "add_", "__add__", "__iadd__")


class Valve:
    """Which of the two that a block adds lets the gradient through."""

    def __init__(self, branch: int) -> None:
        self.branch = branch
        """The place of the branch, 0 or 1."""
        self.open = (True, True)

    def choose(self, *, branch: bool) -> None:
        """Let it through the branch alone, or through the shortcut alone."""
        is_first = branch == (self.branch == 0)
        self.open = (is_first, not is_first)


class Gate(torch.autograd.Function):
    """The same tensor, whose gradient a valve lets through or not."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, valve: Valve, side: int) -> Tensor:
        """The tensor itself."""
        ctx.valve, ctx.side = valve, side
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The gradient, or none of it."""
        (gradient,) = gradients
        is_open = ctx.valve.open[ctx.side]
        return (gradient if is_open else torch.zeros_like(gradient)), None, None


class Valves(TorchFunctionMode):
    """Puts valves before the sums of residual blocks while a model runs."""

    def __init__(self, model: nn.Module, branches: Mapping[str, int]) -> None:
        super().__init__()
        self.valves: dict[str, Valve] = {}
        """By path, those that were met."""
        self.entrance: Tensor | None = None
        """What the first block was given."""
        self._branches, self._running = branches, list[str]()
        self._handles = []
        for path, module in walk(model):
            self._handles.append(module.register_forward_pre_hook(self._entering(path)))
            self._handles.append(module.register_forward_hook(self._leaving, always_call=True))

    def close(self) -> None:
        """Take the hooks off again."""
        for handle in self._handles:
            handle.remove()

    def _entering(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any) -> None:  # noqa: ARG001
            self._running.append(path)
            if path in self._branches and self.entrance is None:
                given = (t for t in tensors_in(args) if t.dtype.is_floating_point)
                self.entrance = next(given, None)

        return hook

    def _leaving(self, *_: Any) -> None:
        self._running.pop()

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run what is called; a sum of a block through its valve."""
        path = self._running[-1] if self._running else ""
        if (
            path in self._branches
            and path not in self.valves
            and getattr(func, "__name__", "") in ADDITIONS
            and not kwargs
            and len(args) == 2
            and all(isinstance(each, Tensor) for each in args)
            and args[0].shape == args[1].shape
        ):
            valve = self.valves[path] = Valve(self._branches[path])
            one, other = (Gate.apply(each, valve, side) for side, each in enumerate(args))
            return torch.add(one, other)
        return func(*args, **(kwargs or {}))


class Paths:
    """A pass of a model whose gradient can be had along single paths."""

    def __init__(
        self,
        model: nn.Module,
        branches: Mapping[str, int],
        run: Callable[[], Tensor],
    ) -> None:
        """`run` is one forward pass and gives its loss."""
        mode = Valves(model, branches)
        try:
            with mode:
                self.loss = run()
        finally:
            mode.close()
        self.valves = mode.valves
        self.entrance = mode.entrance

    def gradient(self, taken: Collection[str] | None) -> Tensor:
        """The gradient of the loss at what the first block was given.

        Through the branches of the blocks `taken` and the shortcuts of all others; None: of all.
        """
        assert self.entrance is not None
        for path, valve in self.valves.items():
            if taken is None:
                valve.open = (True, True)
            else:
                valve.choose(branch=path in taken)
        (found,) = torch.autograd.grad(
            self.loss, self.entrance, retain_graph=True, allow_unused=True
        )
        return torch.zeros_like(self.entrance) if found is None else found


def measure_paths(
    loaded: LoadedModel,
    layers: Sequence[WeightedLayer],
    settings: GradientSettings,
    feed: Feed,
    *,
    branches: Mapping[str, int],
    samples: int,
) -> tuple[PathGradient, ...]:
    """The norm of the gradient along random paths through the residual blocks, by their number.

    For each number of branches up to all, up to `samples` paths are drawn.

    Raises:
        CannotTrain: it has no residual blocks that can be told apart, or cannot be trained.
        RunFailed: the model raised.
    """
    with RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        torch.set_grad_enabled(True)
        model = ready_model(ledger, loaded, layers, settings, feed, seed=settings.seed)
        batches = Batches(
            model, loaded, feed, settings=settings, seed=settings.seed, images=images_for(settings)
        )
        batch = batches.batch(0)
        name = loaded.info.reference

        def run() -> Tensor:
            seed_generators(hash((settings.seed, 0, 0)))
            try:
                outputs = trained_outputs(model(*batch.args, **batch.kwargs), name)
            except CnnInspectError:
                raise
            except Exception as problem:  # whatever forward raises
                raise RunFailed(first_line(problem)) from problem
            loss = chosen_loss(settings.criterion, outputs[0])
            return loss_of(
                outputs, batch.labels, loss, noise=batch.noise, aux_weight=settings.aux_weight
            )

        paths = Paths(model, branches, run)
        if not paths.valves or paths.entrance is None or not paths.entrance.requires_grad:
            raise CannotTrain(name, "it has no residual blocks whose branches can be told apart")
        return tuple(_measured(paths, samples, seed=settings.seed))


def _measured(paths: Paths, samples: int, *, seed: int) -> Iterator[PathGradient]:
    blocks = list(paths.valves)
    whole = norm_of(paths.gradient(None))
    draw = random.Random(seed)
    for count in range(len(blocks) + 1):
        chosen: set[tuple[int, ...]] = set()
        while len(chosen) < min(samples, comb(len(blocks), count)):
            chosen.add(tuple(sorted(draw.sample(range(len(blocks)), count))))
        norms = [
            norm_of(paths.gradient([blocks[place] for place in places]))
            for places in sorted(chosen)
        ]
        yield PathGradient(count, len(blocks), len(norms), sum(norms) / len(norms), whole)
