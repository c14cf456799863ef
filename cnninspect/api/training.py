"""What training a network needs and does: memory, batches, gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.api.loading import Model, as_arguments, network, several, trace
from cnninspect.errors import RunFailed

if TYPE_CHECKING:
    from cnninspect.records.batch_fit import BatchFit
    from cnninspect.records.gradient_passes import WeightedLayer
    from cnninspect.records.gradient_profile import (
        GradientProfile,
        ModelGradients,
        PathProfile,
    )
    from cnninspect.records.gradient_settings import GradientSettings
    from cnninspect.records.memory import Memory
    from cnninspect.records.traces import Trace


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
    inference: bool = False,
) -> Memory:
    """What a step of training, or of inference, needs: bytes and MACs, by layer and in total.

    `dtype` is that of the weights, `amp` the one that autocast computes in, `freeze` are patterns
    of parameters that are not trained; `mode` is train, or eval for inference, unless given.

    Raises:
        CannotTrain: no output depends on a trainable parameter.
        PatternMatchesNothing: a pattern of `freeze` names nothing.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses.freezing import frozen, frozen_names
    from cnninspect.analyses.memory_use import memory_of
    from cnninspect.analyses.optimizers import find_optimizer
    from cnninspect.engine.training import trace_training

    find_optimizer(optimizer)
    still: tuple[str, ...] = ()
    if freeze:
        still = frozen_names(frozen(trace(model, inputs, kwargs=kwargs, batch=batch), freeze))
    step = trace_training(
        network(model, "a step of training"),
        as_arguments(inputs),
        kwargs=kwargs,
        mode=mode or ("eval" if inference else "train"),
        batch=batch,
        frozen=still,
        dtype=dtype,
        amp=amp,
        inference=inference,
    )
    purpose = "inference" if inference else "training"
    return memory_of(step, optimizer=optimizer, purpose=purpose, amp=amp or "")


def fit_batch(
    model: Model, limit_bytes: int, *, optimizer: str = "sgd", **options: Any
) -> BatchFit:
    """The largest batch whose step needs at most `limit_bytes`, confirmed by traces around it.

    `options` are those of `memory` but for `batch`; inputs are those of a batch of one.

    Raises:
        DoesNotFit: not even a batch of one does; the hint says what would help.
    """
    from cnninspect.analyses.batch_fitting import fit_of

    return fit_of(
        lambda batch, **others: memory(model, batch=batch, **{**options, **others}),
        limit_bytes,
        optimizer=optimizer,
        is_inference=bool(options.get("inference")),
    )


def gradients(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    targets: Any = None,
    batch: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    **settings: Any,
) -> GradientProfile:
    """How large the gradient is at each depth of models, by real forward and backward passes.

    `settings` are the fields of `cnninspect.records.gradient_settings.GradientSettings`; `batch`
    None is 8, or 1 where `inputs` hold the batch already.  `targets` are labels or values for the
    loss; None: drawn at random.  `progress` is called with the passes done, those to do, and what
    was done.  A live module is left exactly as it was.

    Raises:
        CannotTrain: nothing in a model can be trained.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.engine.gradients.batches import Feed
    from cnninspect.engine.gradients.profiling import passes_of
    from cnninspect.records.gradient_profile import GradientProfile
    from cnninspect.records.gradient_settings import GradientSettings

    every = several(models)
    feed = Feed(as_arguments(inputs), kwargs, targets)
    if batch is None and (inputs is not None or kwargs):
        batch = 1 if _hold_batch(every[0], feed) else None
    chosen = GradientSettings(**(settings if batch is None else {"batch": batch, **settings}))
    done = 0

    def report(what: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(every) * passes_of(chosen), what)

    return GradientProfile(
        chosen, tuple(_gradients_of(model, chosen, feed, report) for model in every)
    )


def gradient_paths(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "train",
    batch: int = 2,
) -> PathProfile:
    """In how many ways a gradient gets from the output of models to the input; nothing is run.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses.gradient_paths import gradient_paths as paths_of
    from cnninspect.records.gradient_profile import ModelPaths, PathProfile

    found = []
    for model in several(models):
        traced, layers = _weighted(model, inputs, kwargs, mode=mode, batch=batch)
        paths = paths_of(traced, layers)
        found.append(
            ModelPaths(
                traced.model, traced.inputs, traced.mode, len(layers), paths.count, paths.lengths
            )
        )
    return PathProfile(tuple(found))


def _gradients_of(
    model: Model, settings: GradientSettings, feed: Any, report: Callable[[str], None]
) -> ModelGradients:
    from dataclasses import replace

    from cnninspect.analyses.freezing import frozen, frozen_names
    from cnninspect.analyses.gradient_profiling import profile_of
    from cnninspect.engine.gradients.profiling import measure

    loaded = network(model, "training")
    try:
        traced, layers = _weighted(
            model, feed.inputs, feed.kwargs, mode=settings.mode, batch=settings.batch
        )
    except RunFailed as problem:
        if "Expected more than 1 value per channel" in str(problem):
            problem.hint = "batch norm needs several values: a larger --batch, or --mode eval"
        raise
    feed = replace(
        feed,
        specs=tuple(tensor.spec for tensor in traced.inputs),
        frozen=frozenset(frozen_names(frozen(traced, settings.freeze))),
    )
    measured = measure(loaded, layers, settings, feed, report)
    notes = traced.how.notes
    return profile_of(
        traced, layers, measured.passes, loss=measured.loss, data=measured.data, notes=notes
    )


def _hold_batch(model: Model, feed: Any) -> bool:
    """Whether the inputs that a person gave have the batch in them, at least one of them."""
    from cnninspect.records.models import InputRequest

    typed = [item for item in feed.inputs or () if isinstance(item, InputRequest)]
    if len(typed) < len(feed.inputs or ()) or not typed:
        return True
    # A shape without the batch gets it in front, so the traced input has one size more.
    traced = trace(model, feed.inputs, kwargs=feed.kwargs)
    return any(
        len(item.shape) == len(tensor.spec.shape) for item, tensor in zip(typed, traced.inputs)
    )


def _weighted(
    model: Model, inputs: Any, kwargs: Mapping[str, Any] | None, *, mode: str, batch: int
) -> tuple[Trace, tuple[WeightedLayer, ...]]:
    """A trace in that mode and its weighted layers.

    Where training leaves layers out at random (stochastic depth), it is a trace of testing.
    """
    from cnninspect.analyses.weighted_layers import weighted_layers

    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch)
    layers = weighted_layers(traced)
    if mode == "train" and any(not layer.calls and layer.parameters for layer in traced.layers):
        other = trace(model, inputs, kwargs=kwargs, mode="eval", batch=batch)
        others = weighted_layers(other)
        if len(others) > len(layers):
            return other, others
    return traced, layers
