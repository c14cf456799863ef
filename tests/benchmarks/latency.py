"""Whether measured times are those of `torch.utils.benchmark`, what watching costs, and how well a
machine is calibrated; and how far networks of the zoo are from their least times here.

Two things are compared in turn, so that whatever else runs on the machine meets both.  Nothing here
is a prediction: a least time is a bound.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from tables import table
from torch import nn
from torch.utils import benchmark

import cnninspect
from cnninspect.engine.module_tree import Structure
from cnninspect.engine.real_passes.machine_rates import measure_rates
from cnninspect.engine.real_passes.stopwatch import ProcessorClock, watching
from cnninspect.records.machine import Calibration
from cnninspect.sources.open import load
from cnninspect.store import this_machine

AGREEING = ("lenet5", "resnet20", "resnet18", "resnet50")
WATCHED = "resnet50"
SAMPLE = (
    "lenet5", "resnet20", "resnet18", "resnet50", "resnext50_32x4d", "densenet121",
    "efficientnet_b0", "vgg11",
)  # fmt: skip
EXPORTED = ("resnet18", "resnet50")
"""Those of the sample that onnxruntime runs as well."""
SECONDS = 0.3
ROUNDS = 15
THREADS = 1


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """The tables; `repeats` is how often two things are measured in turn."""
    return "\n\n".join(
        (
            agreement(max(repeats, ROUNDS), progress),
            overhead(progress),
            calibrations(progress),
            bounds(progress),
        )
    )


def ready(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A network of the zoo with an input, as anybody would build it."""
    loaded = load(name)
    shape = cnninspect.trace(name).inputs[0].spec.shape
    return loaded.build().eval(), torch.randn(shape)


def agreement(repeats: int, progress: Callable[[str], None]) -> str:
    """Median of whole runs by `cnninspect.time`, and twice by PyTorch's own timer, in turn.

    How far the timer is from itself is what this machine can tell apart.
    """
    rows = []
    for name in AGREEING:
        ours, first, second = zip(*_in_turn(name, repeats, progress), strict=True)
        rows.append(
            (
                f"`{name}`",
                *(f"{1e3 * statistics.median(side):.2f}" for side in (ours, first, second)),
                _apart(ours, [*map(statistics.fmean, zip(first, second, strict=True))]),
                _apart(second, first),
            )
        )
    header = (
        "ms for one run", "ours", "Timer", "Timer again", "ours / Timer", "Timer / itself",
    )  # fmt: skip
    about = (
        f"The same module, timed {repeats} times in turn for {SECONDS:g} s each by "
        "`cnninspect.time` and twice by `torch.utils.benchmark.Timer`, which of them begins moving "
        "on; medians of the medians, and of the ratios within a turn:"
    )
    return f"{about}\n\n{table(header, rows)}"


def _apart(ones: Sequence[float], others: Sequence[float]) -> str:
    ratio = statistics.median(one / other for one, other in zip(ones, others, strict=True))
    return f"{100 * (ratio - 1):+.1f} %"


def _in_turn(
    name: str, repeats: int, progress: Callable[[str], None]
) -> Iterator[tuple[float, float, float]]:
    """The median run of the same module by `cnninspect.time`, by the timer, and by it again."""
    module, x = ready(name)
    timer = benchmark.Timer("net(x)", globals={"net": module, "x": x}, num_threads=THREADS)

    def ours() -> float:
        return (
            cnninspect.time(
                module,
                (x,),
                seconds=SECONDS,
                by_layer=False,
                device_spec="cpu:1:1",
                threads=THREADS,
            )
            .models[0]
            .median_s
        )

    def theirs() -> float:
        with torch.no_grad():
            return statistics.median(timer.blocked_autorange(min_run_time=SECONDS).times)

    measures = (ours, theirs, theirs)
    for number in range(repeats):
        progress(f"{name}, in turn {number + 1}")
        found = [0.0] * 3
        for place in (number, number + 1, number + 2):
            found[place % 3] = measures[place % 3]()
        yield found[0], found[1], found[2]


def overhead(progress: Callable[[str], None]) -> str:
    """How much longer a run takes under hooks, run by run in turn."""
    module, x = ready(WATCHED)
    structure, clock = Structure(module), ProcessorClock()
    plain, watched = [], []
    torch.set_num_threads(THREADS)
    with torch.no_grad():
        module(x)
        for number in range(ROUNDS):
            progress(f"{WATCHED} under hooks, {number + 1}")
            plain.append(_seconds(lambda: module(x)))
            with watching(structure, clock):
                watched.append(_seconds(lambda: module(x)))
    median = statistics.median(watched) / statistics.median(plain) - 1
    least = min(watched) / min(plain) - 1
    hooks = 2 * len(structure.distinct_modules())
    return (
        f"Under {hooks} hooks a run of `{WATCHED}` takes {100 * median:.1f} % longer by the "
        f"median of {len(plain)} runs, and {100 * least:.1f} % by the fastest."
    )


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def calibrations(progress: Callable[[str], None]) -> str:
    """The same machine calibrated several times."""
    found = []
    for number in range(3):
        progress(f"calibrating, {number + 1}")
        found.append(measure_rates(threads=THREADS, processor=this_machine.processor_name()))
    this_machine.remember(found[-1])
    rows = []
    for name, value in _figures(found[0]).items():
        values = [value, *(_figures(other)[name] for other in found[1:])]
        spread = 100 * (max(values) / min(values) - 1)
        rows.append((name, *(f"{each:.4g}" for each in values), f"{spread:.0f} %"))
    header = ("calibrated", "first", "second", "third", "apart")
    return table(header, rows)


def _figures(calibration: Calibration) -> dict[str, float]:
    figures = {f"GFLOP/s in {dtype}": rate for dtype, rate in calibration.gflops.items()}
    figures["GB/s in memory"] = calibration.gb_per_s
    figures["GB/s in caches"] = max(c.bytes_per_second for c in calibration.caches) / 1e9
    return figures


def bounds(progress: Callable[[str], None]) -> str:
    """How many times its least time a network takes."""
    rows = []
    for name in SAMPLE:
        for backend in ("torch", "onnxruntime") if name in EXPORTED else ("torch",):
            progress(f"{name} in {backend}")
            model = cnninspect.time(
                name, backend=backend, seconds=SECONDS, threads=THREADS, device_spec="this"
            ).models[0]
            shares = model.shares
            parts = (shares.compute, shares.memory, shares.overhead) if shares else ()
            rows.append(
                (
                    f"`{name}`, {backend}",
                    f"{model.macs / 1e9:.3f}",
                    f"{1e3 * model.median_s:.2f}",
                    f"{1e3 * model.bound_s:.2f}" if model.bound_s else "",
                    f"{model.median_s / model.bound_s:.1f} ×" if model.bound_s else "",
                    *(f"{100 * part:.0f} %" for part in parts),
                )
            )
    header = (
        "batch 1, float32, one thread", "GMACs", "median, ms", "at least, ms", "measured / least",
        "compute-bound", "memory-bound", "overhead",
    )  # fmt: skip
    return table(header, rows)
