"""How fast this machine multiplies matrices, by dtype, and how fast it moves bytes.

The fastest of several sizes and several tries is taken: whatever else runs on a machine only makes
it slower, and a limit is what a device can do at best.  Runs are short, so that some are not
interrupted, and rounds follow until the best of them agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import count, cycle

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
MEMORY = (2**30, 2**28)
"""So many fit no cache, since servers have hundreds of MiB: the most that there is room for."""
WINDOW = 2**24
"""Bytes of each tensor that are moved at a time; one window after the other, none is cached."""
SHARE_OF_FREE = 4
"""At most one part in so many of the free memory is taken."""
ROUNDS = 6
"""How often all is measured, one after the other: a machine that is busy now is idle then."""
LONGER = 4
"""What has not settled by then is measured further, until so many times the time is over."""
AGREEING, ALIKE = 3, 0.03
"""A rate has settled when the best of so many rounds lie within such a share."""
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

    Where other work disturbs it, it takes up to four times as long.

    Raises:
        BadOption: the device is not there.
    """
    place = device_of(device)
    with RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        on = threads or torch.get_num_threads()
        sizes = [size for size in WORKED_ON if _there_is_room(size, place)]
        sizes += [size for size in MEMORY if _there_is_room(size, place)][:1]
        whole = torch.ones(max(sizes) // 4, device=place)  # of float32
        asked: list[str | int] = [*dtypes, *sizes]
        found: dict[str | int, list[float]] = {each: [] for each in asked}
        latest = time.perf_counter() + LONGER * seconds
        seconds /= ROUNDS * len(asked)
        for number in count():
            left = [each for each in asked if number < ROUNDS or not is_settled(found[each])]
            if not left or (number >= ROUNDS and time.perf_counter() > latest):
                break
            for done, each in enumerate(left):
                what = f"multiplying in {each}" if isinstance(each, str) else "moving bytes"
                place_in_all = min(number, ROUNDS - 1) * len(asked) + done
                progress(place_in_all, ROUNDS * len(asked), what)
                rate = (
                    _rate(each, place, on, seconds)
                    if isinstance(each, str)
                    else _bandwidth(whole[: each // 4], on, seconds)
                )
                found[each].append(rate)
                if not rate:
                    asked.remove(each)  # there is no kernel, nor will be
        best = {each: max(rates) for each, rates in found.items()}
    return Calibration(
        device=place.type,
        processor=name_of(place) or processor,
        threads=on if place.type == "cpu" else 1,
        rates=tuple(Rate(dtype, best[dtype] / 1e9) for dtype in dtypes if best[dtype]),
        gb_per_s=best[sizes[-1]] / 1e9,
        caches=tuple(Bandwidth(size, best[size]) for size in sizes[:-1]),
        torch=str(torch.__version__),
        measured=date.today().isoformat(),
        skipped=tuple(dtype for dtype in dtypes if not best[dtype]),
    )


def is_settled(rates: Sequence[float]) -> bool:
    """Whether the best of these lie close together: further rounds would hardly find a better one.

    >>> is_settled([90.0, 100.0, 99.0, 70.0, 98.0]), is_settled([90.0, 100.0, 70.0])
    (True, False)
    """
    best = sorted(rates)[-AGREEING:]
    return len(best) == AGREEING and best[0] >= (1 - ALIKE) * best[-1]


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
        tensors = {"a": one, "b": other, "c": result}
        least = _least("torch.mm(a, b, out=c)", threads, seconds / 3, tensors)
        best = max(best, 2 * side**3 / least)
        # The next one takes eight times as long.
        if time.perf_counter() - began + 8 * FEWEST * least > seconds:
            break
    return best


def _bandwidth(whole: torch.Tensor, threads: int, seconds: float) -> float:
    """Bytes a second that are read and written while all of a tensor is worked on: the fastest way.

    On the CPU it is gone over window by window, so that each run is short.
    """
    best = 0.0
    for statement, parts in (
        ("torch.dot(a, b)", 2),
        ("b.copy_(a)", 2),
        ("torch.add(a, b, out=c)", 3),
    ):
        length = whole.numel() // parts
        size = min(length, WINDOW // 4) if whole.device.type == "cpu" else length
        tensors = whole[: parts * length].view(parts, length)
        windows = [
            dict(zip("abc", tensors[:, start : start + size]))
            for start in range(0, length - size + 1, size)
        ]
        least = _least(statement, threads, seconds / 3, *windows)
        best = max(best, parts * size * 4 / least)
    return best


def _least(
    statement: str, threads: int, seconds: float, *windows: Mapping[str, torch.Tensor]
) -> float:
    """The least time of one run, tried for about so many seconds on one window after the other."""
    timers = [
        benchmark.Timer(statement, num_threads=threads, globals={"torch": torch, **tensors})
        for tensors in windows
    ]
    began = time.perf_counter()
    times = [timers[0].timeit(1).mean]
    number = max(1, int(SHORTEST / times[0])) if len(timers) == 1 else 1
    for timer in cycle(timers):
        if len(times) >= FEWEST and time.perf_counter() - began >= seconds:
            break
        times.append(timer.timeit(number).mean)
    return min(times)
