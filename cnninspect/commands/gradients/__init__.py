"""How large the gradient is at each depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Union

from cnninspect.errors import BadOption, RunFailed
from cnninspect.records.models import LoadedModel
from cnninspect.sources.open import (
    Model,
    as_arguments,
    holds_batch,
    network,
    several,
    surroundings_of,
    trace,
    with_head,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnninspect.commands.gradients.report import GradientProfile, ModelGradients, PathProfile
    from cnninspect.records.passes import GradientSettings, PathGradient, WeightedLayer
    from cnninspect.records.traces import Trace
    from cnninspect.store.cluster import Cluster


class GradientOptions(TypedDict, total=False):
    """The fields of `cnninspect.records.passes.GradientSettings`, which says what they mean."""

    seeds: int
    seed: int
    batches: int
    loss: str
    aux_weight: float
    init: str
    weights: str | None
    freeze: tuple[str, ...]
    unfreeze: tuple[str, ...]
    mode: str
    device: str | None
    dtype: str | None
    data: str
    steps: int
    every: int | None
    optimizer: str
    lr: float | None
    over: str


def gradients(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    targets: Any = None,
    batch: int | None = None,
    head: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    cluster: str | None = None,
    **settings: Unpack[GradientOptions],
) -> GradientProfile:
    """How large the gradient is at each depth of models, by real forward and backward passes.

    `settings` are the fields of `cnninspect.records.passes.GradientSettings`; `batch`
    None is 8, or 1 where `inputs` hold the batch already.  `targets` are labels or values for the
    loss; None: drawn at random.  `progress` is called with the passes done, those to do, and what
    was done.  A live module is left exactly as it was.

    `head` replaces the last layer of each by one for so many classes.  With a Dask `cluster`, each
    start and each batch of references is run there.

    Raises:
        CannotTrain: nothing in a model can be trained.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.commands.gradients.report import GradientProfile
    from cnninspect.engine.real_passes.batches import Feed
    from cnninspect.engine.real_passes.profiling import passes_of
    from cnninspect.records.passes import GradientSettings

    every = tuple(with_head(model, head) for model in several(models))
    feed = Feed(as_arguments(inputs), kwargs, targets)
    if batch is None:
        batch = 1 if holds_batch(every[0], inputs, kwargs) else None
    given: dict[str, Any] = {**settings} if batch is None else {"batch": batch, **settings}
    chosen = GradientSettings(**given)
    is_given = batch == 1 and chosen.batch == 1 and inputs is not None
    done = 0

    def report(what: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(every) * passes_of(chosen), what)

    away = cluster_for(cluster, every, feed)
    if away is None:
        found = tuple(_gradients_of(model, chosen, feed, report) for model in every)
    else:
        from cnninspect.commands.gradients.spreading import passes_there

        ready = [_prepared(model, chosen, feed) for model in every]
        measured = passes_there(ready, chosen, away, report)
        found = tuple(_profile(each, of_it) for each, of_it in zip(ready, measured))
    if is_given and found[0].inputs and found[0].inputs[0].spec.shape:
        chosen = replace(chosen, batch=found[0].inputs[0].spec.shape[0])
    return GradientProfile(chosen, found)


def verdict_of(
    model: Model, inputs: Any = None, *, batch: int | None = None
) -> tuple[str, float | None]:
    """The verdict on the gradients of a model, all else by default, and what it goes by.

    That is the change of the gradient from top to bottom, in orders of magnitude; below 0 a loss.
    """
    (found,) = gradients(model, inputs, batch=batch, cluster="here").models
    return found.verdict, found.trend.decisive_orders


def gradient_paths(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "train",
    batch: int | None = None,
    samples: int = 0,
    seed: int = 0,
    init: str = "default",
    dtype: str | None = None,
) -> PathProfile:
    """In how many ways a gradient gets from the output of models to the input; nothing is run.

    `batch` None is 2, or 1 where `inputs` hold the batch already.  With `samples`, each is run,
    from weights drawn with `seed` by `init`, in `dtype`, and the gradient is measured along up to
    so many random paths for each number of residual branches on the way.

    Raises:
        CannotTrain: there are samples to measure, and no residual blocks.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.commands.gradients.report import ModelPaths, PathProfile
    from cnninspect.metrics.gradient_paths import gradient_paths as paths_of
    from cnninspect.records.passes import GradientSettings

    if samples < 0:
        raise BadOption("--samples", samples, "0 or more")
    found = []
    every = several(models)
    if batch is None:
        batch = 1 if holds_batch(every[0], inputs, kwargs) else 2
    for model in every:
        traced, layers = _weighted(model, inputs, kwargs, mode=mode, batch=batch)
        paths = paths_of(traced, layers)
        measured: tuple[PathGradient, ...] = ()
        if samples:
            settings = GradientSettings(batch=batch, mode=mode, seed=seed, init=init, dtype=dtype)
            from cnninspect.engine.real_passes.batches import Feed

            feed = Feed(as_arguments(inputs), kwargs)
            measured = _along_paths(_prepared(model, settings, feed), settings, samples)
        found.append(
            ModelPaths(
                traced.model,
                traced.inputs,
                traced.mode,
                len(layers),
                paths.count,
                paths.lengths,
                measured,
            )
        )
    return PathProfile(tuple(found))


def _along_paths(
    ready: Prepared, settings: GradientSettings, samples: int
) -> tuple[PathGradient, ...]:
    """The gradient along random paths through the residual blocks."""
    from cnninspect.engine.real_passes.path_gradients import measure_paths
    from cnninspect.metrics.residual_blocks import branch_sides

    sides = branch_sides(ready.traced, {layer.path for layer in ready.layers})
    with surroundings_of(ready.loaded):
        return measure_paths(
            ready.loaded, ready.layers, settings, ready.feed, branches=sides, samples=samples
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model with what its trace says of it, ready to be run."""

    model: Model
    loaded: LoadedModel
    traced: Trace
    layers: tuple[WeightedLayer, ...]
    feed: Any
    """With the shapes of the inputs, and the names of what is frozen."""


def _gradients_of(
    model: Model, settings: GradientSettings, feed: Any, report: Callable[[str], None]
) -> ModelGradients:
    from cnninspect.engine.real_passes.profiling import measure

    ready = _prepared(model, settings, feed)
    with surroundings_of(ready.loaded):
        measured = measure(ready.loaded, ready.layers, settings, ready.feed, report)
    return _profile(ready, measured)


def _prepared(model: Model, settings: GradientSettings, feed: Any) -> Prepared:
    from cnninspect.metrics.freezing import frozen, frozen_names

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
        frozen=frozenset(frozen_names(frozen(traced, settings.freeze, settings.unfreeze))),
    )
    return Prepared(model, loaded, traced, layers, feed)


def _profile(ready: Prepared, measured: Any) -> ModelGradients:
    from cnninspect.commands.gradients.analysis import profile_of

    return profile_of(
        ready.traced,
        ready.layers,
        measured.passes,
        loss=measured.loss,
        data=measured.data,
        notes=ready.traced.how.notes,
    )


def cluster_for(typed: str | None, models: Sequence[Model], feed: Any) -> Cluster | None:
    """The cluster that these models are run on; None: here.

    A live module, or values of one's own, stay here, unless a cluster was named for them.

    Raises:
        BadOption: one was.
    """
    from cnninspect.store.cluster import cluster_of, travels

    cluster = cluster_of(typed)
    given = (*(feed.inputs or ()), *(feed.kwargs or {}).values())
    if cluster is None or (feed.targets is None and travels(models, given)):
        return cluster
    if cluster.is_named:
        raise BadOption("--cluster", cluster.address, "used for references and shapes alone")
    return None


def _weighted(
    model: Model, inputs: Any, kwargs: Mapping[str, Any] | None, *, mode: str, batch: int
) -> tuple[Trace, tuple[WeightedLayer, ...]]:
    """A trace in that mode and its weighted layers.

    Where training leaves layers out at random (stochastic depth), it is a trace of testing.
    """
    from cnninspect.metrics.depth import weighted_layers

    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch)
    layers = weighted_layers(traced)
    if mode == "train" and any(not layer.calls and layer.parameters for layer in traced.layers):
        other = trace(model, inputs, kwargs=kwargs, mode="eval", batch=batch)
        others = weighted_layers(other)
        if len(others) > len(layers):
            return other, others
    return traced, layers
