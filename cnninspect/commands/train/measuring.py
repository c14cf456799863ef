"""The loop: small, deterministic for a seed, and resumable from any epoch."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.commands.output import write_whole
from cnninspect.commands.train.report import (
    COMPLETED,
    EARLY,
    NOT_FINITE,
    Epoch,
    Stop,
    TrainingSettings,
)
from cnninspect.engine.borrowing import train_flags
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, seed_generators, set_apart
from cnninspect.engine.real_passes.batches import Feed
from cnninspect.engine.real_passes.data_sets import DataSet
from cnninspect.engine.real_passes.losses import classes_of, trained_outputs
from cnninspect.engine.real_passes.preparation import ready_model
from cnninspect.engine.real_passes.profiling import OPTIMIZERS
from cnninspect.engine.real_passes.step_sizes import steps_taken
from cnninspect.engine.weights import fitted, is_safetensors, read_pickled, require_fit, tensors_of
from cnninspect.errors import (
    CnnInspectError,
    FileExists,
    FileMissing,
    FileUnreadable,
    LabelOutOfRange,
    MissingLibrary,
    RunFailed,
    UnusableData,
    first_line,
)
from cnninspect.records.models import LoadedModel
from cnninspect.records.operations import shape_text
from cnninspect.records.passes import GradientSettings, ParameterStep, WeightedLayer
from cnninspect.sources.open import surroundings_of

Progress = Callable[[Epoch], None]
TEST_BATCH = 256
"""Examples at a time where nothing is kept for a backward pass."""


@dataclass(frozen=True, slots=True)
class Run:
    """What training a model left behind."""

    epochs: tuple[Epoch, ...]
    stop: Stop
    kept_epoch: int
    state: dict[str, Tensor]
    """The weights that were kept, by name."""
    trained_parameters: int
    steps: tuple[ParameterStep, ...] = ()
    """What the optimizer did to each parameter tensor, where that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained, on what, and where it is remembered."""

    loaded: LoadedModel
    layers: Sequence[WeightedLayer]
    frozen: frozenset[str]
    """Full names of parameters that stay as they are."""
    settings: TrainingSettings
    data: DataSet
    learnt: Tensor
    """Numbers of the examples that it is trained on."""
    kept: Tensor
    """Of those kept back."""
    checkpoint: Path | None = None
    """Written after every epoch."""
    resume: bool = False
    """Whether to go on from it."""
    force: bool = False
    """Whether it may take the place of what is there, once there is an epoch to write."""
    may_replace_head: bool = False
    """Whether the last layer may have another size than in the file of weights."""


def train_model(plan: Plan, progress: Progress = lambda _: None) -> Run:
    """Train a model as the plan says.

    Raises:
        CannotTrain, UnusableData, LabelOutOfRange, RunFailed: it cannot be done.
        WeightsMismatch, FileMissing, FileUnreadable: the file of weights, or the checkpoint.
    """
    settings = plan.settings
    if len(plan.learnt) < settings.batch:
        raise UnusableData(
            plan.data.name,
            f"its {len(plan.learnt):,} examples to learn from are fewer than a batch of "
            f"{settings.batch}",
            "a smaller --batch",
        )
    ready = GradientSettings(
        init=settings.init, device=settings.device, dtype=settings.dtype, steps=1, batch=2
    )
    with surroundings_of(plan.loaded), RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        torch.set_grad_enabled(True)
        RandomStates(ledger)
        model = ready_model(
            ledger,
            plan.loaded,
            plan.layers,
            ready,
            Feed(frozen=plan.frozen),
            seed=settings.seed,
        )
        if settings.weights is not None:
            _fill(model, Path(settings.weights), may_replace_head=plan.may_replace_head)
        return Loop(plan, model).run(progress)


class Loop:
    """A model in training."""

    def __init__(self, plan: Plan, model: nn.Module) -> None:
        self.plan, self.settings, self.model = plan, plan.settings, model
        self.parameters = [p for p in nn.Module.parameters(model) if p.requires_grad]
        self.device = self.parameters[0].device
        self.inputs = plan.data.inputs.to(self.device, self.parameters[0].dtype)
        self.labels = plan.data.labels.to(self.device)
        kind, options = OPTIMIZERS[self.settings.optimizer]
        self.optimizer: torch.optim.Optimizer = getattr(torch.optim, kind)(
            self.parameters,
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
            **options,
        )
        self.penalised = [p for p in self.parameters if p.dim() > 1] if self.settings.l1 else []
        self.still = [m for m in nn.Module.modules(model) if _is_frozen_norm(m)]
        self.epochs: list[Epoch] = []
        self.best: tuple[int, float, dict[str, Tensor]] | None = None
        """Epoch, held-out loss and weights, where it may stop early."""
        self.step = 0
        named = nn.Module.named_parameters(model) if self.settings.by_parameter else ()
        self.watched = {name: p for name, p in named if p.requires_grad}
        self.steps: list[ParameterStep] = []

    def run(self, progress: Progress) -> Run:
        """Train to the end, or as far as it goes."""
        self._resume()
        stop = Stop(COMPLETED, len(self.epochs), self.step)
        while len(self.epochs) < self.settings.epochs:
            if self._is_over():
                stop = Stop(EARLY, len(self.epochs), self.step)
                break
            epoch = self._epoch(len(self.epochs) + 1)
            if isinstance(epoch, Stop):
                stop = epoch
                break
            self.epochs.append(epoch)
            self._remember_best(epoch)
            self._write_checkpoint()
            progress(epoch)
            stop = Stop(COMPLETED, epoch.epoch, self.step)
        kept, state = len(self.epochs), _state_of(self.model)
        if self.best is not None:
            kept, _, state = self.best
        count = sum(p.numel() for p in self.parameters)
        return Run(tuple(self.epochs), stop, kept, state, count, tuple(self.steps))

    def _epoch(self, number: int) -> Epoch | Stop:
        """Once through the data; where the loss is no number, why it stopped."""
        settings = self.settings
        # Order, dropout and augmentation go by the epoch alone: a run that goes on is the same.
        seed_generators((settings.seed << 20) + number)
        order = self.plan.learnt[torch.randperm(len(self.plan.learnt))].to(self.device)
        rate = rate_at(settings, number)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        train_flags(self.model, is_training=True)
        for module in self.still:
            module.eval()
        losses, right, seen = 0.0, 0, 0
        norms = torch.zeros((), device=self.device)
        steps = 0
        parts = order.split(settings.batch)
        if len(parts[-1]) == 1 and len(parts) > 1:  # batch norm needs several values
            parts = parts[:-1]
        for chosen in parts:
            inputs, labels = augmented(self.inputs[chosen], settings.augment), self.labels[chosen]
            self.optimizer.zero_grad(set_to_none=True)
            scores = self._scores(inputs)
            loss = F.cross_entropy(scores, labels, label_smoothing=settings.label_smoothing)
            value = loss.item()
            if not math.isfinite(value):
                return Stop(NOT_FINITE, number, self.step, first_broken(self.model, inputs))
            loss.backward()
            for parameter in self.penalised:
                if parameter.grad is not None:
                    parameter.grad.add_(parameter.detach().sign(), alpha=settings.l1)
            norms += _norm([p.grad for p in self.parameters if p.grad is not None])
            self._update(is_last=steps + 1 == len(parts))
            steps += 1
            losses += value * len(chosen)
            right += int((scores.argmax(1) == labels).sum())
            seen += len(chosen)
        held_out_loss, held_out_accuracy = self._tested()
        values = [p.detach() for p in nn.Module.parameters(self.model)]
        return Epoch(
            epoch=number,
            loss=losses / seen,
            accuracy=right / seen,
            held_out_loss=held_out_loss,
            held_out_accuracy=held_out_accuracy,
            gradient_norm=float(norms) / steps,
            weight_norm=float(_norm(values)),
            weight_l1=float(torch.stack(torch._foreach_norm(values, 1)).sum()),
            learning_rate=rate,
        )

    def _update(self, *, is_last: bool) -> None:
        """One step of the optimizer; the first of all, and each epoch's last, may be looked at."""
        is_watched = bool(self.watched) and (is_last or not self.step)
        before = {n: p.detach().clone() for n, p in self.watched.items()} if is_watched else {}
        self.optimizer.step()
        self.step += 1
        if is_watched:
            self.steps += steps_taken(self.optimizer, self.watched, before, number=self.step)

    def _scores(self, inputs: Tensor) -> Tensor:
        """The model's output as (N, classes), in single precision at least.

        Raises:
            RunFailed, CannotTrain, UnusableData, LabelOutOfRange: it has none.
        """
        amp = torch.autocast(self.device.type, torch.bfloat16) if self.settings.amp else None
        try:
            with amp or nullcontext():
                outputs = self.model(inputs)
        except CnnInspectError:
            raise
        except Exception as problem:  # whatever forward raises
            raise RunFailed(first_line(problem)) from problem
        if self.model.training:
            scores = trained_outputs(outputs, self.plan.loaded.info.reference)[0]
        else:
            scores = main_output(outputs)
        known = len(self.plan.data.classes)
        if scores.dim() != 2 or classes_of(scores) < 2:
            shape = shape_text(scores.shape)
            raise UnusableData(
                self.plan.data.name, f"the model gives {shape}, not a score for each of its classes"
            )
        if scores.shape[1] < known:
            raise LabelOutOfRange(known - 1, scores.shape[1], known)
        return scores if scores.dtype == torch.float64 else scores.float()

    def _tested(self) -> tuple[float, float]:
        """Mean loss and accuracy on what was kept back."""
        train_flags(self.model, is_training=False)
        loss, right = 0.0, 0
        kept = self.plan.kept.to(self.device)
        with torch.no_grad():
            for chosen in kept.split(TEST_BATCH):
                scores, labels = self._scores(self.inputs[chosen]), self.labels[chosen]
                loss += float(F.cross_entropy(scores, labels, reduction="sum"))
                right += int((scores.argmax(1) == labels).sum())
        return loss / len(kept), right / len(kept)

    def _is_over(self) -> bool:
        """Whether no epoch of the last few had a lower held-out loss."""
        patience = self.settings.patience
        if patience is None or self.best is None:
            return False
        return len(self.epochs) - self.best[0] >= patience

    def _remember_best(self, epoch: Epoch) -> None:
        if self.settings.patience is None:
            return
        if self.best is None or epoch.held_out_loss < self.best[1]:
            self.best = (epoch.epoch, epoch.held_out_loss, _state_of(self.model))

    # --- the checkpoint ---

    def _write_checkpoint(self) -> None:
        if self.plan.checkpoint is None:
            return
        content = io.BytesIO()
        torch.save(
            {
                "cnninspect.train": 1,
                "settings": _identity(self.plan),
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "epochs": [asdict(each) for each in self.epochs],
                "step": self.step,
                "best": self.best,
                "steps": [asdict(each) for each in self.steps],
            },
            content,
        )
        write_whole(self.plan.checkpoint, content.getvalue(), force=True)

    def _resume(self) -> None:
        """Go on where the checkpoint ends.

        Raises:
            FileMissing, FileUnreadable: there is none, or it is of another training.
        """
        path = self.plan.checkpoint
        if path is None:
            return
        if not self.plan.resume:
            if path.exists() and not self.plan.force:
                raise FileExists(path)
            return
        if not path.exists():
            raise FileMissing(path, "leave out --resume to begin")
        try:
            is_safetensors(path)
            found = read_pickled(path, device=self.device)
            identity = found["settings"]
        except Exception as problem:  # torch raises many kinds for a file that is not its own
            raise FileUnreadable(
                path, f"it is no checkpoint of train: {first_line(problem)}"
            ) from (problem)
        wanted = _identity(self.plan)
        other = [key for key in wanted if wanted[key] != identity.get(key)]
        if other:
            key = other[0]
            raise FileUnreadable(
                path,
                f"it is of another training: {key} is {identity.get(key)!r} there, and "
                f"{wanted[key]!r} here",
                "--checkpoint another file, or the same options",
            )
        self.model.load_state_dict(found["model"])
        self.optimizer.load_state_dict(found["optimizer"])
        self.epochs = [Epoch(**each) for each in found["epochs"]]
        self.step, self.best = found["step"], found["best"]
        self.steps = [ParameterStep(**each) for each in found.get("steps", ())]


def rate_at(settings: TrainingSettings, epoch: int) -> float:
    """The learning rate of an epoch, from 1."""
    rate, done = settings.learning_rate, (epoch - 1) / settings.epochs
    if settings.schedule == "cosine":
        return rate * 0.5 * (1 + math.cos(math.pi * done))
    if settings.schedule == "step":
        return rate * (0.1 if done >= 0.5 else 1) * (0.1 if done >= 0.75 else 1)
    return rate


def augmented(inputs: Tensor, how: Sequence[str]) -> Tensor:
    """The inputs (N, …, H, W), each mirrored or moved by chance."""
    if not how or inputs.dim() < 3:
        return inputs
    if "flip" in how:
        flipped = torch.rand(len(inputs), device=inputs.device) < 0.5
        shape = (-1, *[1] * (inputs.dim() - 1))
        inputs = torch.where(flipped.view(shape), inputs.flip(-1), inputs)
    if "shift" in how:
        height, width = inputs.shape[-2:]
        rows, columns = (_moved(len(inputs), size, inputs) for size in (height, width))
        batch = torch.arange(len(inputs), device=inputs.device)
        flat = inputs.reshape(len(inputs), -1, height, width)
        taken = flat[batch[:, None, None], :, rows.clamp(0)[:, :, None], columns.clamp(0)[:, None]]
        inside = (rows >= 0)[:, :, None] & (columns >= 0)[:, None]  # (N, H, W)
        taken = torch.where(inside[..., None], taken, flat.amin())
        inputs = taken.movedim(-1, 1).reshape(inputs.shape)
    return inputs


def _moved(count: int, size: int, like: Tensor) -> Tensor:
    """Where each row or column comes from, (count, size); −1 from outside."""
    most = max(size // 8, 1)
    by = torch.randint(-most, most + 1, (count, 1), device=like.device)
    places = torch.arange(size, device=like.device) + by
    return torch.where((places >= 0) & (places < size), places, -1)


def first_broken(model: nn.Module, inputs: Tensor) -> str:
    """Path of the first layer whose output is not finite for these inputs; empty where none is."""
    found: list[str] = []

    def hook_of(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG001
            if isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
                found.append(path)

        return hook

    handles = [
        module.register_forward_hook(hook_of(path))
        for path, module in nn.Module.named_modules(model)
        if not any(module.children())
    ]
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else ""


def main_output(outputs: Any) -> Tensor:
    """The tensor that holds the scores, where nothing is trained."""
    if isinstance(outputs, Tensor):
        return outputs
    with torch.enable_grad():
        from cnninspect.engine.recording import tensors_in

        found: Iterator[Tensor] = (t for t in tensors_in(outputs) if t.dtype.is_floating_point)
        return next(found)


def save_weights(path: Path, state: dict[str, Tensor], about: dict[str, str]) -> None:
    """Write weights whole or not at all, as safetensors or, with `.pth` or `.pt`, as a state dict.

    Raises:
        MissingLibrary: safetensors is not installed.
        FileUnwritable: the system does not let us.
    """
    if path.suffix in (".pth", ".pt", ".bin"):
        content = io.BytesIO()
        torch.save(state, content)
        write_whole(path, content.getvalue(), force=True)
        return
    try:
        from safetensors.torch import save
    except ImportError as problem:
        raise MissingLibrary("safetensors", "data", "writing safetensors") from problem
    write_whole(path, save(state, metadata=about), force=True)


def _state_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all that a file of weights holds, on the CPU."""
    return {name: t.detach().cpu().clone().contiguous() for name, t in tensors_of(model).items()}


def _fill(model: nn.Module, path: Path, *, may_replace_head: bool) -> None:
    """Load weights; where the head was replaced, all but its own.

    Raises:
        WeightsMismatch: they do not fit.
    """
    wanted = tensors_of(model)
    stored, report = fitted(wanted, path)
    odd = {item.name for item in report.misshaped}
    heads = {name.rpartition(".")[0] for name in odd}
    if may_replace_head and len(heads) == 1:
        require_fit(replace(report, misshaped=()))
    else:
        require_fit(report)
    with torch.no_grad():
        for name, tensor in stored.items():
            if name in wanted and name not in odd:
                wanted[name].copy_(tensor)


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all elements together."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(tensors))))


def _is_frozen_norm(module: nn.Module) -> bool:
    """Whether it keeps statistics and none of its parameters is trained."""
    own = list(nn.Module.parameters(module, recurse=False))
    keeps = any(name == "running_mean" for name, _ in module.named_buffers(recurse=False))
    return keeps and bool(own) and not any(p.requires_grad for p in own)


def _identity(plan: Plan) -> dict[str, Any]:
    """What must be the same for a training to go on."""
    settings = asdict(plan.settings)
    for name in ("epochs", "patience", "device", "by_parameter"):
        del settings[name]
    if plan.settings.schedule != "constant":
        settings["epochs"] = plan.settings.epochs
    settings = {key: list(v) if isinstance(v, tuple) else v for key, v in settings.items()}
    return {
        "model": plan.loaded.info.reference,
        "shape": list(plan.data.inputs.shape[1:]),
        "examples": len(plan.data),
        **settings,
    }
