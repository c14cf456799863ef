"""What flows through the layers of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.errors import BadOption
from cnninspect.sources.open import Model, as_arguments, holds_batch, network, several, trace

if TYPE_CHECKING:
    from cnninspect.commands.activations.report import Activations


def activations(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    targets: Any = None,
    shift: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
    **settings: Any,
) -> Activations:
    """Mean, deviation, zeros, dead channels and saturation of what each layer gives.

    With `steps`, also after steps of training, which shows how far the distributions move; with
    `shift`, how far each output moves when images are shifted by up to so many pixels.
    `settings` are the fields of `cnninspect.records.passes.GradientSettings`, of which `seeds` and
    `over` mean nothing here.  A live module is left exactly as it was.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.commands.activations.measuring import watch_model
    from cnninspect.commands.activations.report import Activations, ModelActivations
    from cnninspect.engine.real_passes.batches import Feed
    from cnninspect.metrics.depth import weighted_layers
    from cnninspect.metrics.freezing import frozen, frozen_names
    from cnninspect.metrics.residual_blocks import residual_blocks
    from cnninspect.records.passes import GradientSettings

    if shift < 0:
        raise BadOption("--shift", shift, "0 or more")
    every, done = several(models), 0
    if "batch" not in settings and holds_batch(every[0], inputs, kwargs):
        settings["batch"] = 1
    chosen = GradientSettings(**settings)
    found = []
    for model in every:
        loaded = network(model, "its activations")
        traced = trace(
            loaded, as_arguments(inputs), kwargs=kwargs, mode=chosen.mode, batch=chosen.batch
        )
        feed = Feed(
            as_arguments(inputs),
            kwargs,
            targets,
            specs=tuple(tensor.spec for tensor in traced.inputs),
            frozen=frozenset(frozen_names(frozen(traced, chosen.freeze))),
        )

        def told(what: str) -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done, len(every) * len(chosen.measured_steps), what)

        points, used = watch_model(
            loaded,
            weighted_layers(traced),
            chosen,
            feed,
            blocks=residual_blocks(traced),
            shift=shift,
            progress=told,
        )
        found.append(ModelActivations(traced.model, traced.inputs, used, points, traced.how.notes))
    return Activations(chosen, tuple(found), shift)
