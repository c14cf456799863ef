"""Hooks that look at what each layer gives, and at the gates of recurrent layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.commands.activations.report import (
    ActivationPoint,
    BlockChange,
    GateMeans,
    LayerActivations,
    ShiftChange,
)
from cnninspect.engine.module_tree import parameters_of, walk
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, seed_generators, set_apart
from cnninspect.engine.real_passes.batches import Batch, Batches, Feed, images_for
from cnninspect.engine.real_passes.losses import chosen_loss, loss_of, trained_outputs
from cnninspect.engine.real_passes.preparation import ready_model
from cnninspect.engine.real_passes.profiling import OPTIMIZERS
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import BadOption, CnnInspectError, RunFailed, first_line
from cnninspect.records.models import LoadedModel
from cnninspect.records.passes import DataUsed, GradientSettings, WeightedLayer
from cnninspect.sources.open import surroundings_of

RANGES: dict[type[nn.Module], tuple[float, float]] = {nn.Sigmoid: (0.0, 1.0), nn.Tanh: (-1.0, 1.0)}
"""The ends of what a saturating activation gives."""
NEAR = 0.05
"""Share of the range that counts as its end."""
GATES = {"LSTM": ("input", "forget", "", "output"), "GRU": ("reset", "update")}
"""In PyTorch's order; the third part of an LSTM is no gate."""
CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.Embedding, nn.RNNBase, nn.MultiheadAttention)


class Watch:
    """What was seen in one pass."""

    def __init__(self, model: nn.Module, blocks: Collection[str]) -> None:
        self.layers: dict[str, list[tuple[nn.Module, Tensor]]] = {}
        self.blocks: dict[str, list[tuple[nn.Module, float]]] = {}
        self.gates: list[GateMeans] = []
        self._handles = [
            module.register_forward_hook(self._hook_of(path), with_kwargs=False)
            for path, module in walk(model)
            if not module._modules and not isinstance(module, nn.Identity)
        ]
        for path, module in walk(model):
            if path in blocks:
                self._handles += self._block_hooks(path, module)

    def close(self) -> None:
        """Take the hooks off again."""
        for handle in self._handles:
            handle.remove()

    def _hook_of(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            found = next((t for t in tensors_in(output) if t.dtype.is_floating_point), None)
            if found is not None:
                # a copy, since the next layer may write into it
                self.layers.setdefault(path, []).append((module, found.detach().clone()))
            if isinstance(module, nn.RNNBase) and module.mode in GATES:
                with torch.no_grad():
                    self.gates += gates_of(path, module, args)

        return hook

    def _block_hooks(self, path: str, module: nn.Module) -> list[Any]:
        entered: list[Tensor] = []

        def before(module: nn.Module, args: Any) -> None:  # noqa: ARG001
            found = next((t for t in tensors_in(args) if t.dtype.is_floating_point), None)
            entered[:] = [] if found is None else [found.detach().clone()]

        def after(module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG001
            left = next((t for t in tensors_in(output) if t.dtype.is_floating_point), None)
            if not entered or left is None or left.shape != entered[0].shape:
                return
            size = float(entered[0].double().norm())
            change = float((left.detach().double() - entered[0].double()).norm())
            self.blocks.setdefault(path, []).append((module, change / size if size else math.nan))

        return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]

    def point(self, step: int, loss: float | None) -> ActivationPoint:
        """All of it, in the order of execution."""
        return ActivationPoint(
            step,
            loss,
            tuple(_layer(path, seen) for path, seen in self.layers.items()),
            tuple(
                BlockChange(path, type(seen[0][0]).__name__, sum(c for _, c in seen) / len(seen))
                for path, seen in self.blocks.items()
            ),
            tuple(self.gates),
        )


def watch_model(
    loaded: LoadedModel,
    layers: Sequence[WeightedLayer],
    settings: GradientSettings,
    feed: Feed,
    *,
    blocks: Collection[str],
    shift: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[tuple[ActivationPoint, ...], DataUsed]:
    """Run a model, train it if steps are asked for, and look at what its layers give.

    `shift` is by how many pixels, at most, its images are moved to see what moves with them.

    Raises:
        CannotTrain, RunFailed, CnnInspectError: as when gradients are measured.
        BadOption: its inputs are no images that could be shifted.
    """
    points = []
    with surroundings_of(loaded), RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        torch.set_grad_enabled(True)
        RandomStates(ledger)
        model = ready_model(ledger, loaded, layers, settings, feed, seed=settings.seed)
        batches = Batches(
            model, loaded, feed, settings=settings, seed=settings.seed, images=images_for(settings)
        )
        trained = [p for p in parameters_of(model) if p.requires_grad]
        kind, options = OPTIMIZERS[settings.optimizer]
        optimizer = getattr(torch.optim, kind)(trained, lr=settings.learning_rate, **options)
        for step in range(settings.steps + 1):
            number = step % settings.batches
            batch = batches.batch(number)
            # Dropout depends on the step alone, not on what ran before it.
            seed_generators(hash((settings.seed, number, step)))
            is_measured = step in settings.measured_steps
            watch = Watch(model, blocks) if is_measured else None
            try:
                loss = _run(model, loaded.info.reference, batch, settings)
            finally:
                if watch is not None:
                    watch.close()
            if watch is not None:
                point = watch.point(step, None if loss is None else float(loss.detach()))
                if shift:
                    seed = hash((settings.seed, number, step))
                    point = _with_shifts(point, model, batch, shift, seed=seed)
                points.append(point)
                progress(f"{loaded.info.name}, step {step}")
            if loss is not None and step < settings.steps:
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
        used = batches.used()
    return tuple(points), used


def _run(model: nn.Module, name: str, batch: Batch, settings: GradientSettings) -> Tensor | None:
    """Forward; the loss where it is trained."""
    try:
        with torch.set_grad_enabled(bool(settings.steps)):
            outputs = model(*batch.args, **batch.kwargs)
    except CnnInspectError:
        raise
    except Exception as problem:  # whatever forward raises
        raise RunFailed(first_line(problem)) from problem
    if not settings.steps:
        return None
    found = trained_outputs(outputs, name)
    loss = chosen_loss(settings.criterion, found[0])
    return loss_of(found, batch.labels, loss, noise=batch.noise, aux_weight=settings.aux_weight)


IMAGE = 4
"""Dimensions of a batch of images."""


def _with_shifts(
    point: ActivationPoint, model: nn.Module, batch: Batch, most: int, *, seed: int
) -> ActivationPoint:
    """The point with how far each output moves when the images do, by 1 pixel up to `most`.

    What leaves an image on the right comes in on the left, so that nothing is lost.

    Raises:
        BadOption: the inputs are no images, or not so wide.
    """
    place = next(
        (i for i, t in enumerate(batch.args) if isinstance(t, Tensor) and t.dim() == IMAGE), None
    )
    if place is None:
        raise BadOption("--shift", most, "used with images, of (batch, channels, height, width)")
    images = batch.args[place]
    if most >= images.shape[-1]:
        raise BadOption("--shift", most, f"below {images.shape[-1]}, the width of the images")
    as_it_was = _outputs(model, batch, seed=seed)
    changes: dict[str, list[float]] = {path: [] for path in as_it_was}
    same: list[float] = []
    for pixels in range(1, most + 1):
        args = list(batch.args)
        args[place] = images.roll(pixels, dims=-1)
        moved = _outputs(model, replace(batch, args=tuple(args)), seed=seed)
        for path, (_, before) in as_it_was.items():
            changes[path].append(_change(before, moved[path][1]))
        before, after = as_it_was[""][1], moved[""][1]
        if before.dim() == 2 and before.shape[1] > 1:
            same.append(float((before.argmax(1) == after.argmax(1)).double().mean()))
    return replace(
        point,
        shifts=tuple(
            ShiftChange(path, type(module).__name__, tuple(changes[path]))
            for path, (module, _) in as_it_was.items()
        ),
        same_answers=tuple(same),
    )


def _outputs(model: nn.Module, batch: Batch, *, seed: int) -> dict[str, tuple[nn.Module, Tensor]]:
    """What each layer without layers in it gives first, and the model itself, which comes last."""
    found: dict[str, tuple[nn.Module, Tensor]] = {}

    def hook_of(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG001
            given = next((t for t in tensors_in(output) if t.dtype.is_floating_point), None)
            if given is not None and path not in found:
                found[path] = module, given.detach().double().clone()

        return hook

    handles = [
        module.register_forward_hook(hook_of(path))
        for path, module in walk(model)
        if not path or (not module._modules and not isinstance(module, nn.Identity))
    ]
    seed_generators(seed)
    try:
        with torch.no_grad():
            model(*batch.args, **batch.kwargs)
    except CnnInspectError:
        raise
    except Exception as problem:  # whatever forward raises
        raise RunFailed(first_line(problem)) from problem
    finally:
        for handle in handles:
            handle.remove()
    return found


def _change(before: Tensor, after: Tensor) -> float:
    """How far a tensor moved in relation to its size, mean over the first dimension."""
    if before.shape != after.shape or not before.dim():
        return math.nan
    sizes = before.flatten(1).norm(dim=1) if before.dim() > 1 else before.abs()
    moved = after - before
    moves = moved.flatten(1).norm(dim=1) if before.dim() > 1 else moved.abs()
    is_there = sizes > 0
    return float((moves[is_there] / sizes[is_there]).mean()) if bool(is_there.any()) else math.nan


def _layer(path: str, seen: list[tuple[nn.Module, Tensor]]) -> LayerActivations:
    module = seen[0][0]
    values = torch.cat([tensor.flatten() for _, tensor in seen]).double()
    finite = values[torch.isfinite(values)]
    by_channel = _by_channel(module, seen[0][1]).double()  # (channels, the rest)
    has_any = by_channel.numel() > 0
    ends = next((ends for kind, ends in RANGES.items() if isinstance(module, kind)), None)
    saturated = None
    if ends is not None and finite.numel():
        saturated = float(_far(finite, ends).double().mean())
    return LayerActivations(
        path=path,
        type=type(module).__name__,
        mean=float(finite.mean()) if finite.numel() else math.nan,
        deviation=float(finite.std(correction=0)) if finite.numel() else math.nan,
        zeros=float((values == 0).double().mean()) if values.numel() else 0.0,
        channels=len(by_channel),
        dead_channels=int((by_channel == 0).all(1).sum()) if has_any else 0,
        constant_channels=int((by_channel == by_channel[:, :1]).all(1).sum()) if has_any else 0,
        saturated=saturated,
        not_finite=values.numel() - finite.numel(),
        channel_means=_listed(by_channel.mean(1)),
        channel_deviations=_listed(by_channel.std(1, correction=0)),
        channel_zeros=_listed((by_channel == 0).double().mean(1)),
        channel_saturated=() if ends is None else _listed(_far(by_channel, ends).double().mean(1)),
    )


def _far(values: Tensor, ends: tuple[float, float]) -> Tensor:
    """Whether each lies near an end of the range."""
    margin = NEAR * (ends[1] - ends[0])
    return (values < ends[0] + margin) | (values > ends[1] - margin)


def _listed(values: Tensor) -> tuple[float, ...]:
    return tuple(values.tolist())


def _by_channel(module: nn.Module, tensor: Tensor) -> Tensor:
    """The elements of each channel: in the second dimension, or the last of sequences."""
    is_last = isinstance(module, CHANNELS_LAST) or (tensor.dim() == 3 and not _is_1d(module))
    place = -1 if is_last or tensor.dim() < 2 else 1
    return (
        tensor.movedim(place, 0).reshape(tensor.shape[place], -1)
        if tensor.dim()
        else tensor[None, None]
    )


def _is_1d(module: nn.Module) -> bool:
    return type(module).__name__.endswith("1d")


def gates_of(path: str, module: nn.RNNBase, args: Any) -> Iterator[GateMeans]:
    """The gates of every layer and direction, from states that start at 0."""
    x = args[0]
    if not isinstance(x, Tensor) or x.dim() != 3 or module.proj_size:
        return
    x = x.detach() if module.batch_first else x.detach().transpose(0, 1)  # (N, T, features)
    for layer in range(module.num_layers):
        outputs = []
        for direction in range(2 if module.bidirectional else 1):
            suffix = f"_l{layer}" + ("_reverse" if direction else "")
            read = x.flip(1) if direction else x
            states = _states(module, read, suffix)
            before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], dim=1)
            sums = nn.functional.linear(
                read,
                getattr(module, f"weight_ih{suffix}"),
                getattr(module, f"bias_ih{suffix}", None),
            ) + nn.functional.linear(
                before,
                getattr(module, f"weight_hh{suffix}"),
                getattr(module, f"bias_hh{suffix}", None),
            )
            for gate, part in zip(GATES[module.mode], sums.split(module.hidden_size, dim=-1)):
                if gate:
                    value = torch.sigmoid(part).double()
                    yield GateMeans(
                        path,
                        layer,
                        bool(direction),
                        gate,
                        float(value.mean()),
                        float((value < 0.1).double().mean()),
                        float((value > 0.9).double().mean()),
                    )
            outputs.append(states.flip(1) if direction else states)
        x = torch.cat(outputs, dim=-1)


def _states(module: nn.RNNBase, x: Tensor, suffix: str) -> Tensor:
    """The hidden states of one layer in one direction: (N, T, size)."""
    names = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if module.bias else ()))
    weights = [getattr(module, name + suffix) for name in names]
    start = x.new_zeros(1, len(x), module.hidden_size)
    options = (module.bias, 1, 0.0, False, False, True)
    if module.mode == "LSTM":
        states: Tensor = torch.lstm(x, (start, start), weights, *options)[0]
        return states
    return torch.gru(x, start, weights, *options)[0]
