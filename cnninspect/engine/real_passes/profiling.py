"""Gradients of a network: measured pass by pass, or on the way through training.

A layer without any is not dead if it wakes up when the others are updated.  Residual branches are
often started at 0, since that trains better (Goyal et al. 2017, arXiv:1706.02677, section 5.1;
Bachlechner et al. 2020, arXiv:2003.04887).  Their layers then have a gradient of exactly 0 in the
first pass, and live after one update of what scales the branch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from cnninspect.engine.module_tree import parameters_of, walk
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, seed_generators, set_apart
from cnninspect.engine.real_passes.batches import Batch, Batches, Feed, images_for
from cnninspect.engine.real_passes.gradient_hooks import Measurement, norm_of
from cnninspect.engine.real_passes.losses import chosen_loss, loss_of, trained_outputs
from cnninspect.engine.real_passes.preparation import ready_model
from cnninspect.engine.real_passes.unrolling import Unrolling
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import CannotTrain, CnnInspectError, LabelOutOfRange, RunFailed, first_line
from cnninspect.records.models import LoadedModel
from cnninspect.records.passes import (
    WAKING_UPDATES,
    DataUsed,
    GradientPass,
    GradientSettings,
    StatePass,
    WeightedLayer,
)

STEP = 1e-3
"""Root mean square of the change of every tensor: small beside weights, and enough beside 0."""


def woken(
    model: nn.Module,
    measurement: Measurement,
    silent: Collection[str],
    *,
    run: Callable[[], float],
) -> tuple[str, ...]:
    """Those of the layers `silent` that have a gradient after a few updates of the model.

    `run` goes forward and back once, under `measurement`.  Parameters, buffers and gradients come
    out as they went in.
    """
    parameters = [p for p in parameters_of(model) if p.requires_grad]
    asleep, found = set(silent), []
    kept = [(p, p.grad) for p in parameters]
    values = [(tensor, tensor.detach().clone()) for tensor in (*parameters, *_buffers(model))]
    kept_gradients, was_on = measurement.keeps_gradients, measurement.is_on
    measurement.keeps_gradients = measurement.is_on = True
    try:
        _run(parameters, measurement, run)
        for _ in range(WAKING_UPDATES):
            _update(parameters)
            _run(parameters, measurement, run)
            awake = {
                layer.path
                for layer in measurement.layers()
                if layer.path in asleep and layer.norms.gradient_norm != 0
            }
            found += sorted(awake)
            asleep -= awake
            if not asleep:
                break
    finally:
        measurement.keeps_gradients, measurement.is_on = kept_gradients, was_on
        for parameter, gradient in kept:
            parameter.grad = gradient
        with torch.no_grad():
            for tensor, value in values:
                tensor.copy_(value)
    return tuple(found)


def _buffers(model: nn.Module) -> list[Tensor]:
    return [b for _, module in walk(model) for b in module._buffers.values() if b is not None]


def _run(
    parameters: Collection[Tensor], measurement: Measurement, run: Callable[[], float]
) -> None:
    for parameter in parameters:
        parameter.grad = None
    measurement.forget()
    run()


def _update(parameters: Collection[Tensor]) -> None:
    """Move every tensor against its gradient by the same root mean square, however small it is."""
    with torch.no_grad():
        for parameter in parameters:
            gradient = parameter.grad
            size = 0.0 if gradient is None else norm_of(gradient)
            if gradient is not None and 0 < size < float("inf"):
                parameter.add_(gradient, alpha=-STEP * parameter.numel() ** 0.5 / size)


Progress = Callable[[str], None]
"""Called after each pass, with what was done."""

OPTIMIZERS: dict[str, tuple[str, dict[str, float]]] = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "adagrad": ("Adagrad", {}),
    "rmsprop": ("RMSprop", {}),
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {}),
}
"""Class in `torch.optim`, and what it is made with beside the learning rate."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What all passes of a model left behind."""

    passes: tuple[GradientPass, ...]
    loss: str
    """The loss that was taken."""
    data: DataUsed


def measure(
    loaded: LoadedModel,
    layers: Sequence[WeightedLayer],
    settings: GradientSettings,
    feed: Feed,
    progress: Progress = lambda _: None,
    *,
    only: int | None = None,
) -> Measured:
    """Run a model forward and back, from every seed and with every batch, and take the norms.

    With training steps, each measured pass is the one that its step is made of.  `only` is the
    number of the one batch that is run; None: all of them.

    Raises:
        CannotTrain: nothing is trained, or the output cannot be differentiated.
        RunFailed: the model raised.
        CnnInspectError: see `ready_model` and `Batches`.
    """
    images = images_for(settings)
    passes: list[GradientPass] = []
    loss = data = None
    for seed in range(settings.seed, settings.seed + settings.seeds):
        with RUNS, Ledger() as ledger, ledger:
            set_apart(ledger, traces=False)
            RandomStates(ledger)
            model = ready_model(ledger, loaded, layers, settings, feed, seed=seed)
            _check(model, layers, loaded.info.reference)
            batches = Batches(model, loaded, feed, settings=settings, seed=seed, images=images)
            runs = Runs(model, loaded.info.reference, layers, settings, seed=seed)
            try:
                with runs, torch.enable_grad():
                    for each in runs.passes(batches, only):
                        passes.append(each)
                        progress(f"{loaded.info.name}, seed {seed}")
            except LabelOutOfRange as problem:
                known = len(batches.used().classes)
                raise LabelOutOfRange(problem.label, problem.classes, known) from None
            loss, data = runs.loss, batches.used()
    assert loss is not None
    assert data is not None
    return Measured(tuple(passes), loss, data)


def passes_of(settings: GradientSettings) -> int:
    """How often `measure` reports progress."""
    return settings.seeds * (len(settings.measured_steps) if settings.steps else settings.batches)


def _check(model: nn.Module, layers: Sequence[WeightedLayer], name: str) -> None:
    """See that there are layers which can be watched.

    Raises:
        CannotTrain: there are none.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise CannotTrain(
            name,
            "it is a TorchScript program, whose layers let nobody watch them",
            "build it from Python code: path/to/net.py:make_model",
        )
    if not layers:
        raise CannotTrain(name, "it has no layer with weights")


class Runs:
    """The passes of one model from one start."""

    def __init__(
        self,
        model: nn.Module,
        name: str,
        layers: Sequence[WeightedLayer],
        settings: GradientSettings,
        *,
        seed: int,
    ) -> None:
        self.loss = settings.criterion
        self._model, self._name, self._settings, self._seed = model, name, settings, seed
        self._measurement = Measurement(model, layers)
        self._unrolling = Unrolling(model, name) if settings.over == "time" else None
        self._is_judged_by_step = False
        self._stack = ExitStack()

    def __enter__(self) -> Runs:
        self._stack.enter_context(self._measurement)
        if self._unrolling:
            self._stack.enter_context(self._unrolling)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def passes(self, batches: Batches, only: int | None = None) -> Iterator[GradientPass]:
        """Each measured pass, one after the other, or that with one batch alone."""
        if self._settings.steps:
            yield from self._training(batches)
            return
        for number in range(self._settings.batches) if only is None else (only,):
            yield self._measured(batches.batch(number), number=number, step=0)

    def _woken(self, batch: Batch, start: GradientPass) -> GradientPass:
        """The first pass of a start, with the layers that were merely asleep in it."""
        silent = {layer.path for layer in start.layers if layer.norms.gradient_norm == 0}
        if not silent:
            return start
        return replace(
            start,
            woken=woken(
                self._model, self._measurement, silent,
                run=lambda: self._run(batch, number=start.batch, step=start.step),
            ),
        )  # fmt: skip

    def _training(self, batches: Batches) -> Iterator[GradientPass]:
        settings = self._settings
        kind, options = OPTIMIZERS[settings.optimizer]
        trained = [p for p in parameters_of(self._model) if p.requires_grad]
        optimizer = getattr(torch.optim, kind)(trained, lr=settings.learning_rate, **options)
        self._measurement.keeps_gradients = True
        measured = settings.measured_steps
        for step in range(settings.steps + 1):
            number = step % settings.batches
            self._measurement.is_on = step in measured
            if self._measurement.is_on:
                yield self._measured(batches.batch(number), number=number, step=step)
            else:
                self._run(batches.batch(number), number=number, step=step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def _measured(self, batch: Batch, *, number: int, step: int) -> GradientPass:
        measurement = self._measurement
        measurement.forget()
        if self._unrolling:
            self._unrolling.forget()
        noise = batch.noise.get_state()
        loss = self._run(batch, number=number, step=step)
        layers = measurement.layers()
        if not layers:
            raise CannotTrain(
                self._name,
                "none of its layers is seen to run, as in programs that are compiled",
                "build it from Python code: path/to/net.py:make_model",
            )
        found = GradientPass(
            seed=self._seed,
            batch=number,
            step=step,
            loss=loss,
            layers=layers,
            states=self._unrolling.states() if self._unrolling else (),
            gradient_norm=measurement.gradient_norm(),
        )
        if any(state.is_backward for state in found.states) and self._is_judged_by_step:
            batch.noise.set_state(noise)  # the same labels again
            found = replace(found, states=self._both_ways(batch, found))
        return self._woken(batch, found) if step == 0 and number == 0 else found

    def _both_ways(self, batch: Batch, found: GradientPass) -> tuple[StatePass, ...]:
        """The states of a pass, those that read from the end by what they are to the first step."""
        assert self._unrolling is not None
        kept = [(p, p.grad) for p in parameters_of(self._model)]
        for parameter, _ in kept:
            parameter.grad = None
        self._unrolling.forget()
        try:
            self._run(batch, number=found.batch, step=found.step, judged=0)
        finally:
            for parameter, gradient in kept:
                parameter.grad = gradient
        pairs = zip(found.states, self._unrolling.states())
        return tuple(other if state.is_backward else state for state, other in pairs)

    def _run(self, batch: Batch, *, number: int, step: int, judged: int = -1) -> float:
        """Forward and back; returns the loss.

        Over time, `judged` is the step whose loss it is, unless all are judged.
        """
        # Dropout depends on the pass alone, not on what ran before it.
        seed_generators(hash((self._seed, number, step)))
        try:
            outputs = self._model(*batch.args, **batch.kwargs)
        except CnnInspectError:
            raise
        except Exception as problem:  # whatever forward raises
            raise RunFailed(first_line(problem)) from problem
        outputs, labels = trained_outputs(outputs, self._name), batch.labels
        inputs = [t for t in tensors_in((batch.args, batch.kwargs)) if t.dtype.is_floating_point]
        self.loss = chosen_loss(self.loss, outputs[0], inputs)
        if self._unrolling and self._settings.judges_last:
            one = self._unrolling.at_step(outputs[0], judged)
            self._is_judged_by_step = one is not None
            if one is not None:
                outputs = (one,)
                labels = None if labels is None else self._unrolling.labels_at(labels, judged)
        loss = loss_of(
            outputs,
            labels,
            self.loss,
            noise=batch.noise,
            aux_weight=self._settings.aux_weight,
        )
        del outputs
        self._measurement.backward(loss)
        return float(loss.detach())
