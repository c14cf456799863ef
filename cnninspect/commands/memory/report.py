"""The answer of `cnninspect memory --fit`: the largest batch that a memory holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from cnninspect.errors import BadInput, CnnInspectError, DoesNotFit
from cnninspect.metrics.training_memory import OPTIMIZERS, Memory, find_optimizer, peak_with
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report


@dataclass(frozen=True, slots=True)
class BatchPeak:
    """The peak at one batch size, with each optimizer."""

    batch: int
    peak_bytes: tuple[int, ...]
    """By optimizer, in the order of `BatchFit.optimizers`."""


@dataclass(frozen=True, slots=True)
class BatchFit(Report):
    """The largest batch that a memory holds, confirmed by a trace at it and at the next one."""

    schema: ClassVar[str] = "cnninspect.memory-fit/1"
    rendering: ClassVar[str] = "cnninspect.commands.memory.fit_rendering"

    model: ModelInfo
    limit_bytes: int
    """What may be used."""
    batch: int
    """The largest batch whose peak is within it."""
    next_peak_bytes: int
    """The peak at one more."""
    memory: Memory
    """What that batch needs."""
    optimizers: tuple[str, ...]
    """Those in the table; a single empty name for inference."""
    table: tuple[BatchPeak, ...]
    """Batch sizes in powers of two up to the answer, and the answer."""
    traces: int
    """Traces that it took."""


MOST = 2**24
"""No larger batch is looked for."""
MOST_ROWS = 12
"""Batch sizes in the table besides the answer."""
WORTH_IT = 0.99
"""What needs no less than so much of what is needed now is no help."""
ALSO_HELP = (
    "--freeze leaves out gradients and the optimizer's state",
    "gradient checkpointing in the model saves activations",
)
"""What makes training smaller by an amount that depends on the user's choice."""


def largest_batch(peak_of: Callable[[int], int], limit: int) -> int:
    """The largest batch whose peak is at most `limit`; 0 if not even one image fits.

    A peak is the largest of moments that each grow linearly with the batch, so it is convex: the
    line through two known peaks, drawn on, is never above the curve.  That gives an upper bound to
    start from; halving does the rest, in few traces.
    """
    if peak_of(1) > limit:
        return 0
    fits, fails = 1, None
    guess = 2
    while fails is None and fits < MOST:
        if peak_of(guess) <= limit:
            slope = max((peak_of(guess) - peak_of(fits)) // (guess - fits), 1)
            fits = guess
            guess = min(fits + max((limit - peak_of(fits)) // slope, 1), MOST)
        else:
            fails = guess
    while fails is not None and fails - fits > 1:
        rise = max((peak_of(fails) - peak_of(fits)) / (fails - fits), 1e-9)
        guess = fits + int((limit - peak_of(fits)) / rise)
        guess = min(max(guess, fits + 1), fails - 1)
        if peak_of(guess) <= limit:
            fits = guess
            if guess + 1 < fails and peak_of(guess + 1) > limit:
                fails = guess + 1
        else:
            fails = guess
    return fits


def fit_of(
    measure: Callable[..., Memory], limit: int, *, optimizer: str, is_inference: bool
) -> BatchFit:
    """The largest batch within `limit` bytes, with a table over batch sizes and optimizers.

    `measure(batch, optimizer=…)` is what a batch needs.

    Raises:
        DoesNotFit: not even a batch of one is.
        BadInput: the inputs stay the same whatever the batch.
    """
    known: dict[int, Memory] = {}

    def memory(batch: int) -> Memory:
        if batch not in known:
            known[batch] = measure(batch, optimizer=optimizer)
        return known[batch]

    if _shapes(memory(1)) == _shapes(memory(2)):
        raise BadInput("", "the inputs hold a batch, which cannot vary", "give shapes, not tensors")
    best = largest_batch(lambda batch: memory(batch).totals.peak_bytes, limit)
    if best == 0:
        raise DoesNotFit(
            memory(1).model.reference,
            memory(1).totals.peak_bytes,
            limit,
            _what_would_help(measure, memory(1), optimizer, is_inference=is_inference),
            () if is_inference else ALSO_HELP,
        )
    smaller = [2**power for power in range(best.bit_length()) if 2**power < best]
    names = ("",) if is_inference else tuple(OPTIMIZERS)
    return BatchFit(
        model=memory(best).model,
        limit_bytes=limit,
        batch=best,
        next_peak_bytes=memory(best + 1).totals.peak_bytes,
        memory=memory(best),
        optimizers=names,
        table=tuple(
            BatchPeak(batch, tuple(peak_with(memory(batch), name) for name in names))
            for batch in [*smaller[-MOST_ROWS:], best]
        ),
        traces=len(known),
    )


def _shapes(memory: Memory) -> list[tuple[int, ...]]:
    return [tensor.spec.shape for tensor in memory.inputs]


def _what_would_help(
    measure: Callable[..., Memory], now: Memory, optimizer: str, *, is_inference: bool
) -> list[tuple[str, int]]:
    """What makes a batch of one smaller, with what it then needs.

    What fails, or needs hardly less, is left out.
    """
    tries: list[tuple[str, dict[str, Any]]] = [("--dtype bfloat16", {"dtype": "bfloat16"})]
    if not is_inference:
        tries.insert(0, ("--amp bfloat16", {"amp": "bfloat16"}))
        if find_optimizer(optimizer).tensors:
            tries.append(("--optimizer sgd", {"optimizer": "sgd"}))
        tries.append(("--inference", {"inference": True}))
    helps = []
    for what, change in tries:
        try:
            found = measure(1, **{"optimizer": optimizer, **change})
        except CnnInspectError:
            continue
        if found.totals.peak_bytes < WORTH_IT * now.totals.peak_bytes:
            helps.append((what, found.totals.peak_bytes))
    return helps
