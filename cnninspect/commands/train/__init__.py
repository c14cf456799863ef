"""How models learn: small, honest training on real data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Union

from cnninspect.errors import BadOption
from cnninspect.sources.open import Model, as_arguments, network, several, trace, with_head

if TYPE_CHECKING:
    from cnninspect.commands.train.report import TrainedModel, Training, TrainingSettings


def train(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    head: int | None = None,
    output: str | PathLike[str] | None = None,
    checkpoint: str | PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
    **settings: Any,
) -> Training:
    """Train models, each from its start, and say how they do on what they saw and on the rest.

    `settings` are the fields of `cnninspect.commands.train.report.TrainingSettings`; `inputs` are
    shapes, as for a trace.  `head` replaces the last layer by one for so many classes.  Of a single
    model the weights may be written to `output`, and after every epoch all that it takes to go on,
    with `resume`, to `checkpoint`; with `force` that may exist already.  `progress` is called with
    the epochs done, those to do, and how it stands.  A live module is left as it was: a copy is
    trained.

    Raises:
        UnusableData, LabelOutOfRange: the data, or their labels, do not go with the model.
        CannotTrain: nothing in a model can be trained.
        CnnInspectError: see `cnninspect.errors`.
    """
    from dataclasses import replace
    from pathlib import Path

    from cnninspect.commands.train.analysis import degradation_among
    from cnninspect.commands.train.measuring import Plan, save_weights, train_model
    from cnninspect.commands.train.report import Training, TrainingSettings
    from cnninspect.engine.real_passes.data_sets import load_data, split
    from cnninspect.metrics.depth import weighted_layers
    from cnninspect.metrics.example_shape import example_shape
    from cnninspect.metrics.freezing import frozen, frozen_names
    from cnninspect.records.models import growing
    from cnninspect.records.passes import DataUsed

    chosen = TrainingSettings(**settings)
    every = [with_head(model, head) for model in several(models)]
    if len(every) > 1:
        for option, file in (("--output", output), ("--checkpoint", checkpoint)):
            if file is not None:
                raise BadOption(option, file, "used with one model")
    known: dict[tuple[int, ...], Any] = {}
    trained: list[TrainedModel] = []
    for number, model in enumerate(every):
        loaded = network(model, "training")
        traced = trace(loaded, growing(as_arguments(inputs)), mode="eval", batch=2)
        shape = example_shape(traced, chosen.data)
        if shape not in known:
            data = load_data(chosen.data, shape)
            known[shape] = data, *split(data, chosen.held_out)
        data, learnt, kept = known[shape]
        layers = weighted_layers(traced)
        settled = frozen(traced, chosen.freeze, chosen.unfreeze)

        def told(epoch: Any, name: str = loaded.info.name, before: int = number) -> None:
            if progress is not None:
                progress(
                    before * chosen.epochs + epoch.epoch,
                    len(every) * chosen.epochs,
                    f"{name}: epoch {epoch.epoch}, loss {epoch.loss:.3f}, accuracy "
                    f"{epoch.accuracy:.3f}, held-out {epoch.held_out_accuracy:.3f}",
                )

        run = train_model(
            Plan(
                loaded=loaded,
                layers=layers,
                frozen=frozenset(frozen_names(settled)),
                settings=chosen,
                data=data,
                learnt=learnt,
                kept=kept,
                checkpoint=None if checkpoint is None else Path(checkpoint),
                resume=resume,
                force=force,
                may_replace_head=head is not None,
            ),
            told,
        )
        made = _trained(run, traced, layers, held_out=len(kept))
        if output is not None and run.epochs:
            save_weights(Path(output), run.state, _about(chosen, data, run))
            made = replace(made, weights=str(output))
        trained.append(made)
    return Training(
        chosen,
        DataUsed(data.name, len(data), data.classes, data.skipped),
        len(learnt),
        len(kept),
        tuple(trained),
        degradation_among(trained),
    )


def _trained(run: Any, traced: Any, layers: Sequence[Any], *, held_out: int) -> TrainedModel:
    from cnninspect.commands.train.analysis import fit_of
    from cnninspect.commands.train.report import TrainedModel
    from cnninspect.metrics.depth import depth_of

    parameters = sum(
        p.spec.numel for layer in traced.layers for p in layer.parameters if p.shared_with is None
    )
    return TrainedModel(
        model=traced.model,
        parameters=parameters,
        trained_parameters=run.trained_parameters,
        depth=depth_of(traced, (layer.path for layer in layers)),
        epochs=run.epochs,
        fit=fit_of(run.epochs, held_out=held_out),
        stop=run.stop,
        kept_epoch=run.kept_epoch,
        steps=run.steps,
        notes=traced.how.notes,
    )


def _about(settings: TrainingSettings, data: Any, run: Any) -> dict[str, str]:
    """What is written beside weights: on what they were trained."""
    import json

    return {
        "cnninspect.data": data.name,
        "cnninspect.held_out": str(settings.held_out),
        "cnninspect.classes": json.dumps(data.classes),
        "cnninspect.epochs": str(run.kept_epoch),
    }
