"""The passes of models on a Dask cluster: each start by itself, and each batch where it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnninspect.metrics.figures import Unmeasured
from cnninspect.records.models import InputRequest
from cnninspect.records.operations import TensorSpec
from cnninspect.records.passes import GradientSettings, WeightedLayer
from cnninspect.records.reports import plain, rebuilt
from cnninspect.records.traces import Trace
from cnninspect.sources.open import network, surroundings_of
from cnninspect.store.cluster import Cluster, measure_on_cluster
from cnninspect.store.measuring import error_of
from cnninspect.store.tasks import PartTask

if TYPE_CHECKING:
    from cnninspect.commands.gradients import Prepared
    from cnninspect.engine.real_passes.profiling import Measured

WORK = f"{__name__}:passes_here"
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Buffers that passes in training write and do not read."""


def passes_there(
    ready: Sequence[Prepared],
    settings: GradientSettings,
    cluster: Cluster,
    report: Callable[[str], None],
) -> list[Measured]:
    """What the passes of each model left behind, as if they had been run here.

    Raises:
        CnnInspectError: a model failed as it would have here, or the cluster did.
    """
    from cnninspect.engine.real_passes.profiling import Measured

    parts = [(place, task) for place, each in enumerate(ready) for task in _tasks(each, settings)]
    found: dict[int, Measured] = {}
    with closing(measure_on_cluster([task for _, task in parts], cluster)) as arriving:
        for position, outcome in arriving:
            if isinstance(outcome, Unmeasured):
                raise error_of(outcome)
            measured = found[position] = rebuilt(Measured, outcome.content)
            name = ready[parts[position][0]].loaded.info.name
            for each in measured.passes:
                report(f"{name}, seed {each.seed}")
    return [
        _together([found[position] for position, (owner, _) in enumerate(parts) if owner == place])
        for place in range(len(ready))
    ]


def _tasks(ready: Prepared, settings: GradientSettings) -> Iterator[PartTask]:
    """One for each start, or for each batch of it."""
    feed = ready.feed
    shared = {
        "layers": plain(ready.layers),
        "inputs": None if feed.inputs is None else plain(tuple(feed.inputs)),
        "specs": plain(feed.specs),
        "frozen": sorted(feed.frozen),
    }
    alone = is_told_apart(ready.traced, settings)
    numbers = range(settings.batches) if alone else (None,)
    for seed in range(settings.seed, settings.seed + settings.seeds):
        chosen = plain(replace(settings, seed=seed, seeds=1))
        for only in numbers:
            arguments = {**shared, "settings": chosen, "only": only}
            yield PartTask(str(ready.model), WORK, arguments)


def is_told_apart(traced: Trace, settings: GradientSettings) -> bool:
    """Whether each batch may be run by itself: none sees what those before it left behind.

    Steps of training follow each other, and so do images of a stream; code of somebody's own may
    count its calls, and a network may keep buffers that it reads again, as spectral norm does.
    """
    if settings.steps or settings.data != "random" or traced.model.source == "python":
        return False
    buffers = (buffer.name for layer in traced.layers for buffer in layer.buffers)
    return settings.mode == "eval" or all(n.endswith(STATISTICS) for n in buffers)


def _together(parts: Sequence[Measured]) -> Measured:
    """The passes of all parts in their order; of the data, what the part says that met most."""
    passes = tuple(each for part in parts for each in part.passes)
    data = max((part.data for part in reversed(parts)), key=lambda used: used.skipped)
    return replace(parts[-1], passes=passes, data=data)


def passes_here(
    reference: str,
    *,
    layers: Any,
    inputs: Any,
    specs: Any,
    frozen: Sequence[str],
    settings: Any,
    only: int | None,
) -> Any:
    """The passes of one part as plain data: what a worker runs."""
    from cnninspect.engine.real_passes.batches import Feed
    from cnninspect.engine.real_passes.profiling import measure

    loaded = network(reference, "training")
    feed = Feed(
        None if inputs is None else tuple(rebuilt(InputRequest, each) for each in inputs),
        specs=tuple(rebuilt(TensorSpec, each) for each in specs),
        frozen=frozenset(frozen),
    )
    weighted = [rebuilt(WeightedLayer, each) for each in layers]
    chosen = rebuilt(GradientSettings, settings)
    with surroundings_of(loaded):
        return plain(measure(loaded, weighted, chosen, feed, only=only))
