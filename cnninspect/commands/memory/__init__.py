"""What a step of training or inference needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from cnninspect.errors import UnknownArgument
from cnninspect.sources.open import Model, as_arguments, trace, trace_step, with_head

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnninspect.commands.memory.report import BatchFit
    from cnninspect.metrics.training_memory import Memory


class StepOptions(TypedDict, total=False):
    """What `fit_batch` hands on to `memory`."""

    inputs: Any
    kwargs: Mapping[str, Any] | None
    mode: str | None
    dtype: str | None
    amp: str | None
    freeze: Sequence[str]
    inference: bool
    unfreeze: Sequence[str]
    head: int | None
    device: str | None


def memory(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    batch: int = 1,
    mode: str | None = None,
    optimizer: str = "sgd",
    dtype: str | None = None,
    amp: str | None = None,
    freeze: Sequence[str] = (),
    unfreeze: Sequence[str] = (),
    head: int | None = None,
    inference: bool = False,
    device: str | None = None,
) -> Memory:
    """What a step of training, or of inference, needs: bytes and MACs, by layer and in total.

    `dtype` is that of the weights, `amp` the one that autocast computes in, `freeze` are patterns
    of parameters that are not trained, `unfreeze` of those that are after all; `head` replaces the
    last layer by one for so many classes; `mode` is train, or eval for inference, unless given;
    `device` is that of `trace`.

    Raises:
        CannotTrain: no output depends on a trainable parameter.
        PatternMatchesNothing: a pattern of `freeze` names nothing.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.metrics.freezing import frozen, frozen_names
    from cnninspect.metrics.training_memory import find_optimizer, memory_of

    find_optimizer(optimizer)
    model = with_head(model, head)
    still: tuple[str, ...] = ()
    if freeze or unfreeze:
        traced = trace(model, inputs, kwargs=kwargs, batch=batch)
        still = frozen_names(frozen(traced, freeze, unfreeze))
    step = trace_step(
        model,
        inputs,
        kwargs=kwargs,
        mode=mode or ("eval" if inference else "train"),
        batch=batch,
        frozen=still,
        dtype=dtype,
        amp=amp,
        inference=inference,
        device=device,
    )
    purpose = "inference" if inference else "training"
    return memory_of(step, optimizer=optimizer, purpose=purpose, amp=amp or "")


def fit_batch(
    model: Model,
    limit_bytes: int,
    *,
    optimizer: str = "sgd",
    **options: Unpack[StepOptions],
) -> BatchFit:
    """The largest batch whose step needs at most `limit_bytes`, confirmed by traces around it.

    `options` are those of `memory` but for `batch`; inputs are those of a batch of one.

    Raises:
        UnknownArgument: there is no such option.
        DoesNotFit: not even a batch of one does; the hint says what would help.
    """
    from cnninspect.commands.memory.report import fit_of
    from cnninspect.records.models import growing

    known = (*StepOptions.__annotations__, "optimizer")
    for name in options:
        if name not in known:
            raise UnknownArgument("fit_batch", name, known)
    step: dict[str, Any] = {**options, "inputs": growing(as_arguments(options.get("inputs")))}
    return fit_of(
        lambda batch, **others: memory(model, batch=batch, **{**step, **others}),
        limit_bytes,
        optimizer=optimizer,
        is_inference=bool(options.get("inference")),
    )
