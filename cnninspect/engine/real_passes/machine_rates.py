"""How fast this machine multiplies matrices, by dtype, and how fast it moves bytes.

The fastest of several sizes and several tries is taken: whatever else runs on a machine only makes
it slower, and a limit is what a device can do at best.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

import torch
from torch.utils import benchmark

from cnninspect.engine.free_memory import free_bytes
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, set_apart
from cnninspect.engine.real_passes.preparation import device_of
from cnninspect.engine.real_passes.timing import name_of
from cnninspect.records.machine import Bandwidth, Calibration, Rate

DTYPES = ("float32", "bfloat16", "float16", "float64")
SIDES = (256, 512, 1024, 2048, 4096, 8192)
"""Sides of the square matrices that are multiplied, until one takes too long."""
WORKED_ON = tuple(2**power for power in range(18, 28, 2))
"""Bytes that are read and written at a time, 256 KiB to 64 MiB."""
MEMORY = 2**28
"""So many do not fit any cache: what moves them is the memory."""
SHARE_OF_FREE = 4
"""At most one part in so many of the free memory is taken."""
ROUNDS = 4
"""How often all is measured, one after the other: a machine that is busy now is idle then."""
SHORTEST = 2e-4
"""Seconds that runs take together at least, so that the clock can tell."""
FEWEST = 3
"""Times taken of one thing in a round."""


def measure_rates(
    *,
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 6.0,
    processor: str = "",
    dtypes: tuple[str, ...] = DTYPES,
    progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> Calibration:
    """What a device of this machine can do at best, in about so many seconds.

    Raises:
        BadOption: the device is not there.
    """
    place = device_of(device)
    with RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        on = threads or torch.get_num_threads()
        sizes = [size for size in (*WORKED_ON, MEMORY) if _there_is_room(size, place)]
        each = seconds / ROUNDS / (len(dtypes) + len(sizes))
        rates: dict[str, float] = dict.fromkeys(dtypes, 0.0)
        moved: dict[int, float] = dict.fromkeys(sizes, 0.0)
        skipped: set[str] = set()
        total, done = ROUNDS * (len(dtypes) + len(sizes)), 0
        for _ in range(ROUNDS):
            for dtype in dtypes:
                progress(done, total, f"multiplying in {dtype}")
                if dtype not in skipped:
                    rate = _rate(dtype, place, on, each)
                    rates[dtype] = max(rates[dtype], rate)
                    if not rate:
                        skipped.add(dtype)
                done += 1
            for size in sizes:
                progress(done, total, "moving bytes")
                moved[size] = max(moved[size], _bandwidth(size, place, on, each))
                done += 1
    return Calibration(
        device=place.type,
        processor=name_of(place) or processor,
        threads=on if place.type == "cpu" else 1,
        rates=tuple(Rate(dtype, rates[dtype] / 1e9) for dtype in dtypes if rates[dtype]),
        gb_per_s=moved[sizes[-1]] / 1e9,
        caches=tuple(Bandwidth(size, moved[size]) for size in sizes[:-1]),
        torch=str(torch.__version__),
        measured=date.today().isoformat(),
        skipped=tuple(dtype for dtype in dtypes if dtype in skipped),
    )


def _there_is_room(size: int, place: torch.device) -> bool:
    """Whether so many bytes may be worked on here; the smallest always may."""
    free = torch.cuda.mem_get_info(place)[0] if place.type == "cuda" else free_bytes()
    return size == WORKED_ON[0] or free is None or SHARE_OF_FREE * size <= free


def _rate(dtype: str, place: torch.device, threads: int, seconds: float) -> float:
    """FLOPs a second of the fastest square product; 0: there is no kernel."""
    kind, best, began = getattr(torch, dtype), 0.0, time.perf_counter()
    for side in SIDES:
        try:
            one, other = (torch.ones(side, side, device=place, dtype=kind) for _ in range(2))
            result = torch.mm(one, other)
        except (RuntimeError, NotImplementedError, TypeError):
            return best
        least = _least(
            "torch.mm(a, b, out=c)", threads, seconds / 3, a=one, b=other, c=result
        )  # fmt: skip
        best = max(best, 2 * side**3 / least)
        # The next one takes eight times as long.
        if time.perf_counter() - began + 8 * FEWEST * least > seconds:
            break
    return best


def _bandwidth(size: int, place: torch.device, threads: int, seconds: float) -> float:
    """Bytes a second that are read and written while so many are worked on: the fastest way."""
    numbers = size // 4  # of float32
    half, third = numbers // 2, numbers // 3
    whole = torch.ones(numbers, device=place)
    best = 0.0
    for statement, length, parts in (
        ("torch.dot(a, b)", half, 2),
        ("b.copy_(a)", half, 2),
        ("torch.add(a, b, out=c)", third, 3),
    ):
        tensors = dict(zip("abc", whole[: parts * length].view(parts, length)))
        least = _least(statement, threads, seconds / 3, **tensors)
        best = max(best, parts * length * 4 / least)
    return best


def _least(statement: str, threads: int, seconds: float, **tensors: torch.Tensor) -> float:
    """The least time of one run, tried for about so many seconds."""
    timer = benchmark.Timer(statement, num_threads=threads, globals={"torch": torch, **tensors})
    began = time.perf_counter()
    times = [timer.timeit(1).mean]
    number = max(1, int(SHORTEST / times[0]))
    while len(times) < FEWEST or time.perf_counter() - began < seconds:
        times.append(timer.timeit(number).mean)
    return min(times)
