"""How long a network takes: whole runs with nothing installed in it, then layer by layer.

Whole runs are timed by `torch.utils.benchmark`, which warms up, waits for accelerators, and takes
as many runs together as its clock needs.  Layers are timed in further runs, under hooks, and
scaled so that together they are the undisturbed median.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils import benchmark

from cnninspect.engine.bind_inputs import converted
from cnninspect.engine.borrowing import Borrowed
from cnninspect.engine.free_memory import free_bytes, peak_bytes
from cnninspect.engine.module_tree import Structure, parameters_of
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, set_apart
from cnninspect.engine.real_passes.batches import Batches, Feed
from cnninspect.engine.real_passes.losses import (
    chosen_loss,
    classes_of,
    loss_of,
    trained_outputs,
)
from cnninspect.engine.real_passes.preparation import device_of, real_model
from cnninspect.engine.real_passes.profiling import OPTIMIZERS
from cnninspect.engine.real_passes.stopwatch import clock_of, cost_of_hooks, watching
from cnninspect.engine.recording import tensors_in
from cnninspect.engine.weights import load_weights
from cnninspect.errors import (
    BadOption,
    CannotCompile,
    CannotTrain,
    RunFailed,
    TooLarge,
    first_line,
)
from cnninspect.records.models import LoadedModel
from cnninspect.records.operations import TensorSpec
from cnninspect.records.passes import GradientSettings
from cnninspect.records.timings import (
    AMP,
    OperationTime,
    Phases,
    Spread,
    Timed,
    TimeSettings,
)
from cnninspect.records.traces import Buffer, Parameter, Trace

DTYPES = {
    "float32": torch.float32, "float64": torch.float64,
    "float16": torch.float16, "bfloat16": torch.bfloat16,
}  # fmt: skip
LEARNING_RATE = 1e-6
"""So small that weights hardly move: numbers stay normal however long it is timed."""
STEADY = 1.05
"""It is warm when of three runs in a row none takes longer than this times the fastest."""
MOST_WARMING = 30
"""Runs after which it counts as warm, however unsteady."""
LAYER_SHARE = 0.5
"""How long layers are watched, as a share of the time of whole runs."""
LEAST_WATCHED, MOST_WATCHED = 3, 200
"""Runs under hooks."""
NO_KERNEL = re.compile(
    r"not implemented for|No kernel|not supported (?:on|for|by)|unsupported (?:data|scalar)?\s*type"
    r"|Got unsupported ScalarType|doesn't support|does not support|must be same dtype"
    r"|expected m1 and m2 to have the same dtype|should be the same|incompatible dtype",
    re.I,
)
"""What PyTorch says where a device has no kernel for a dtype."""
Progress = Callable[[str], None]
"""Called with what begins now."""


def time_network(
    loaded: LoadedModel,
    settings: TimeSettings,
    feed: Feed,
    *,
    by_layer: bool = True,
    by_operation: bool = False,
    progress: Progress = lambda _: None,
) -> Timed:
    """How long a network takes, as a whole and by layer; a live one stays as it is.

    Raises:
        BadOption: the device is not there.
        RunFailed: the network raised, or there are no kernels for what is asked.
        CannotCompile: it should be compiled, and cannot.
        CannotTrain: it should be trained, and nothing in it can.
        FileMissing, FileUnreadable, WeightsMismatch: the file of weights cannot be loaded.
    """
    with RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        threads = settings.threads or torch.get_num_threads()
        progress("building")
        runner = Runner(ledger, loaded, settings, feed)
        with _threads(threads), runner.gradients():
            progress("warming up")
            runner.first_run()
            warm_up(runner.run, seconds=settings.seconds)
            progress("timing")
            spread = timed(runner.run, settings, threads)
            watched: dict[str, Any] = {}
            if by_layer and settings.backend == "torch":
                progress("timing layers")
                watched = watched_layers(runner, spread, settings)
            operations: tuple[OperationTime, ...] = ()
            if by_operation:
                progress("timing operations")
                operations = profiled(runner.run, spread, runner.device.type)
    return Timed(
        spread=spread,
        operations=operations,
        threads=threads if runner.device.type == "cpu" else 1,
        device=runner.device.type,
        device_name=name_of(runner.device),
        compile_s=runner.compile_s,
        **watched,
    )


MOMENTS = {"momentum": 1, "adagrad": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
"""Tensors that an optimizer keeps for each parameter; sgd none."""


def check_room(loaded: LoadedModel, traced: Trace, settings: TimeSettings) -> None:
    """See, from the trace, that a network is not too large for the memory, before it is built.

    What is counted is needed whatever else is: weights, in training their gradients and what the
    optimizer keeps, and the results that are needed at the same time.

    Raises:
        TooLarge: it is.
        BadOption: the device is not there.
    """
    place = device_of(settings.device)
    free = torch.cuda.mem_get_info(place)[0] if place.type == "cuda" else free_bytes()
    held: list[Parameter | Buffer] = []
    for layer in traced.layers:
        held += [*layer.parameters, *layer.buffers]
    owned = [_converted(each.spec, settings.dtype) for each in held if not each.shared_with]
    copies = 2 + MOMENTS.get(settings.optimizer, 0) if settings.mode == "train" else 1
    needed = copies * sum(spec.nbytes for spec in owned) + peak_bytes(traced)
    if free is not None and needed > free:
        where = "this machine" if place.type == "cpu" else f"this {place.type} device"
        hint = "a smaller --batch or --dtype bfloat16 takes less"
        raise TooLarge(
            loaded.info.reference, needed, free, where=where,
            hint=hint,
        )  # fmt: skip


def _converted(spec: TensorSpec, dtype: str | None) -> TensorSpec:
    return TensorSpec(spec.shape, dtype) if dtype and "float" in spec.dtype else spec


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def name_of(device: torch.device) -> str:
    """The name of an accelerator; empty for the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"mps": "Apple GPU"}.get(device.type, "")


# --- what is run ---


class Runner:
    """A network that is ready to be run again and again."""

    def __init__(
        self, ledger: Ledger, loaded: LoadedModel, settings: TimeSettings, feed: Feed
    ) -> None:
        self.name, self.settings = loaded.info.reference, settings
        self.device = device_of(settings.device)
        self.compile_s: float | None = None
        self._is_trained = settings.mode == "train"
        dtype = DTYPES[settings.dtype] if settings.dtype else None
        try:
            borrowed = real_model(
                ledger, loaded, feed, seed=0, device=self.device.type, dtype=dtype
            )
            self._place(borrowed)
        except (TypeError, NotImplementedError) as problem:  # as float64 on Apple's
            raise self._failure(problem) from problem
        self.structure = Structure(borrowed.structure.model)
        self.model: Any = self.structure.model
        batch = Batches(
            self.model, loaded, feed, settings=GradientSettings(batch=settings.batch),
            seed=0, images=None,
        ).batch(0)  # fmt: skip
        self.args, self.kwargs = converted((batch.args, batch.kwargs), self._placed)
        self._noise = batch.noise
        self._labels = batch.labels
        self._loss = "auto"
        self._optimizer: torch.optim.Optimizer | None = None
        if self._is_trained:
            self._optimizer = self._made_optimizer()
        if settings.backend == "torch.compile":
            check_compiler(self.name, self.device.type)
            self.model = torch.compile(self.structure.model)
        self.run = self._step if self._is_trained else self._pass

    def _place(self, borrowed: Borrowed) -> None:
        settings = self.settings
        if settings.weights is not None:
            load_weights(borrowed.structure.model, Path(settings.weights))
        if settings.channels_last:
            borrowed.structure.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        borrowed.set_mode(settings.mode)

    def _placed(self, tensor: Tensor) -> Tensor:
        tensor = tensor.to(self.device)
        if self.settings.channels_last and tensor.dim() == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def _made_optimizer(self) -> torch.optim.Optimizer:
        trained = [p for p in parameters_of(self.structure.model) if p.requires_grad]
        if not trained:
            raise CannotTrain(self.name, "it has no parameter that may change", "--mode eval")
        kind, options = OPTIMIZERS[self.settings.optimizer]
        made: torch.optim.Optimizer = getattr(torch.optim, kind)(
            trained, lr=LEARNING_RATE, **options
        )
        return made

    def gradients(self) -> Any:
        """The context that it is run in."""
        return torch.enable_grad() if self._is_trained else torch.no_grad()

    def first_run(self) -> None:
        """Run once, and say clearly what keeps it from running.

        Raises:
            RunFailed, CannotCompile, CannotTrain: it does not run.
        """
        start = time.perf_counter()
        try:
            if self._is_trained:
                self._prepare_loss()
            self.run()
            clock_of(self.device.type).wait()
        except (CannotTrain, BadOption):
            raise
        except Exception as problem:  # whatever forward, autograd or the compiler raise
            raise self._failure(problem) from problem
        if self.settings.backend == "torch.compile":
            self.compile_s = time.perf_counter() - start

    def _failure(self, problem: Exception) -> Exception:
        said = first_line(problem)
        kind = type(problem).__module__
        if isinstance(problem, torch.OutOfMemoryError):
            return RunFailed(said, hint="a smaller --batch, or --dtype bfloat16, takes less memory")
        if self.settings.backend == "torch.compile" and kind.startswith(
            ("torch._dynamo", "torch._inductor")
        ):
            return CannotCompile(self.name, said)
        dtype = self.settings.dtype or (AMP if self.settings.amp else None)
        if dtype is not None and NO_KERNEL.search(str(problem)):
            return RunFailed(
                f"{self.device.type} has no kernels for it in {dtype}: {said}",
                hint="--dtype float32, or another --device, may have them",
            )
        return RunFailed(said)

    def _prepare_loss(self) -> None:
        """Choose the loss, and draw once what is to be learnt."""
        with self._autocast():
            outputs = trained_outputs(self.model(*self.args, **self.kwargs), self.name)
        inputs = [t for t in tensors_in((self.args, self.kwargs)) if t.dtype.is_floating_point]
        self._loss = chosen_loss("auto", outputs[0], inputs)
        if self._labels is None:
            self._labels = _targets(outputs[0].detach(), self._loss).to(self.device)

    def _autocast(self) -> Any:
        # Entered in every run, as a user's own loop does: what it keeps of weights ends with it.
        if not self.settings.amp:
            return nullcontext()
        return torch.autocast(self.device.type, DTYPES[AMP])

    # --- one run ---

    def _pass(self) -> None:
        with self._autocast():
            self.model(*self.args, **self.kwargs)
        self._end()

    def _step(self) -> None:
        self.backward(self.forward_loss())
        self.update()
        self._end()

    def forward_loss(self) -> Tensor:
        """Forward to the loss."""
        with self._autocast():
            outputs = trained_outputs(self.model(*self.args, **self.kwargs), self.name)
            return loss_of(outputs, self._labels, self._loss, noise=self._noise)

    def backward(self, loss: Tensor) -> None:
        """From the loss to the gradients."""
        loss.backward()

    def update(self) -> None:
        """The optimizer's step, after which there are no gradients."""
        assert self._optimizer is not None
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def _end(self) -> None:
        if self.device.type == "mps":  # the benchmark waits for the others by itself
            torch.mps.synchronize()


def _targets(output: Tensor, loss: str) -> Tensor:
    """Something to learn for an output, drawn once: classes, or values of its shape."""
    drawn = torch.Generator().manual_seed(0)
    if loss == "cross-entropy":
        return torch.randint(
            classes_of(output), (output.numel() // classes_of(output),), generator=drawn
        )
    return torch.randn(output.shape, generator=drawn)


def check_compiler(model: str, device: str) -> None:
    """See that `torch.compile` has what it needs.

    Raises:
        CannotCompile: there is no C++ compiler, which it needs on the CPU.
    """
    if device != "cpu":
        return
    wanted = [os.environ.get("CXX", ""), "g++", "clang++", "c++", "cl"]
    if not any(name and shutil.which(name) for name in wanted):
        raise CannotCompile(
            model,
            "torch.compile needs a C++ compiler, and there is none",
            "install g++ or clang++, or set CXX to one",
        )


# --- whole runs ---


def warm_up(run: Callable[[], None], *, seconds: float) -> None:
    """Run until it takes about as long each time: three times in a row, or `seconds` are over."""
    began = time.perf_counter()
    last: list[float] = []
    for _ in range(MOST_WARMING):
        start = time.perf_counter()
        run()
        now = time.perf_counter()
        last = [*last[-2:], now - start]
        if (len(last) == 3 and max(last) <= STEADY * min(last)) or now - began > seconds:
            return


def timed(run: Callable[[], None], settings: TimeSettings, threads: int) -> Spread:
    """The times of whole runs, for as long and as often as is asked."""
    timer = benchmark.Timer("run()", globals={"run": run}, num_threads=threads)
    first = timer.blocked_autorange(min_run_time=settings.seconds)
    times, number = list(first.times), first.number_per_run
    while len(times) < settings.runs:
        times += timer.timeit(number).times
    return spread_of(times, number)


def spread_of(times: list[float], number: int = 1) -> Spread:
    """Median and quartiles of times, each of which is the mean of `number` runs."""
    lower, median, upper = (
        statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    )
    return Spread(median, lower, upper, min(times), len(times) * number, len(times))


# --- by layer ---


def watched_layers(runner: Runner, spread: Spread, settings: TimeSettings) -> dict[str, Any]:
    """Own times by layer and the parts of a run, scaled to the median; the fields of `Timed`.

    What hooks cost is taken off whoever calls a watched module, and what is left is scaled.
    """
    clock = clock_of(runner.device.type)
    cost = cost_of_hooks(clock) if runner.device.type == "cpu" else 0.0
    runs: list[dict[str, float]] = []
    phases: list[tuple[float, float, float]] = []
    plain: list[float] = []
    began = time.perf_counter()
    while len(runs) < MOST_WATCHED:
        # In turn, so that whatever else the machine does meets runs with hooks and without.
        plain.append(_plain_run(runner, clock))
        with watching(runner.structure, clock) as watch:
            phases.append(_watched_run(runner, watch, clock))
        if not watch.has_seen:
            return {"notes": ("its layers let nobody watch them",)}
        own, under = watch.own_times()
        # Between nodes of the backward pass hooks take the time, and hardly anything else.
        outside = phases[-1][0] - watch.forward_seconds()
        own[""] = own.get("", 0.0) + max(outside, 0.0)
        runs.append({p: max(s - under.get(p, 0) * cost, 0.0) for p, s in own.items()})
        is_long = time.perf_counter() - began > LAYER_SHARE * settings.seconds
        if len(runs) > LEAST_WATCHED and is_long:
            break
    # The first run under hooks is a warm-up.
    runs, phases, plain = runs[1:], phases[1:], plain[1:]
    paths = dict.fromkeys(path for run in runs for path in run)
    own = {path: statistics.median(run.get(path, 0.0) for run in runs) for path in paths}
    forward, backward, update = (statistics.median(part) for part in zip(*phases))
    watched = forward + backward + update
    scale = (spread.median_s * (1 - update / watched)) / (sum(own.values()) or 1.0)
    share = spread.median_s / watched
    return {
        "own": {path: seconds * scale for path, seconds in own.items()},
        "phases": Phases(forward * share, backward * share, update * share),
        "overhead": watched / statistics.median(plain) - 1,
    }


def _plain_run(runner: Runner, clock: Any) -> float:
    """Seconds of one run with nothing installed."""
    start = clock.mark()
    runner.run()
    end = clock.mark()
    clock.wait()
    return float(clock.seconds(start, end))


def _watched_run(runner: Runner, watch: Any, clock: Any) -> tuple[float, float, float]:
    """One run under hooks: seconds forward, backward and of the optimizer's step."""
    if runner.settings.mode != "train":
        return _plain_run(runner, clock), 0.0, 0.0
    start = clock.mark()
    loss = runner.forward_loss()
    forward = clock.mark()
    watch.follow(loss)
    again = clock.mark()
    runner.backward(loss)
    backward = clock.mark()
    runner.update()
    end = clock.mark()
    clock.wait()
    return (
        clock.seconds(start, forward),
        clock.seconds(again, backward),
        clock.seconds(backward, end),
    )


# --- by operation ---


def profiled(run: Callable[[], None], spread: Spread, device: str) -> tuple[OperationTime, ...]:
    """Operators by the time that they take themselves, scaled to the median, slowest first."""
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if device == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with _silent_stderr(), torch.profiler.profile(activities=kinds) as profile:
        run()
    field = "self_cpu_time_total" if device == "cpu" else "self_device_time_total"
    found = [
        OperationTime(event.key.replace("::", "."), event.count, getattr(event, field) / 1e6)
        for event in profile.key_averages()
    ]
    found = [each for each in found if each.seconds > 0]
    scale = spread.median_s / (sum(each.seconds for each in found) or 1.0)
    found = [OperationTime(e.name, e.calls, e.seconds * scale) for e in found]
    return tuple(sorted(found, key=lambda each: -each.seconds))


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Let nothing reach the process's stderr past Python: the profiler says that it starts."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
