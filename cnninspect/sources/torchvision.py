"""torchvision's models by name, from their architecture alone: `torchvision:resnet50`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from cnninspect.errors import BadReference, UnknownModel
from cnninspect.records.entries import ModelEntry
from cnninspect.records.models import LoadedModel, ModelInfo, Reference
from cnninspect.sources.construction import construct
from cnninspect.sources.keywords import keyword_arguments
from cnninspect.sources.libraries import library
from cnninspect.sources.torchvision_inputs import default_inputs
from cnninspect.sources.torchvision_schemas import operator_notes

WEIGHTLESS = {"weights": None, "weights_backbone": None, "progress": False, "quantize": False}
"""Arguments that keep a builder from downloading weights, or from converting what has none."""
HINT = "cnninspect list --source torchvision shows every name"


def load(reference: Reference) -> LoadedModel:
    """The architecture that torchvision registers under this name.

    Raises:
        MissingLibrary: torchvision is not installed.
        UnknownModel: it has no such name.
        BadReference: a setting asks for weights.
        UnknownSetting, BadSetting: its builder takes no such argument, or not that value.
    """
    models = library("torchvision.models", f"the reference {reference.text}")
    name = reference.name.lower()
    if name not in models.list_models():
        raise UnknownModel(reference.name, models.list_models(), "torchvision", hint=HINT)
    for key, _ in reference.settings:
        if key in WEIGHTLESS:
            raise BadReference(reference.text, f"{key} is about weights, which are not used here")
    builder = models.get_model_builder(name)
    settings = keyword_arguments(
        reference.name, reference.settings, builder, without=WEIGHTLESS.keys() | {"kwargs"}
    )
    known = inspect.signature(builder).parameters
    weightless = {key: value for key, value in WEIGHTLESS.items() if key in known}
    return LoadedModel(
        ModelInfo(reference.text, "torchvision", reference.text),
        lambda: construct(
            reference.text,
            partial(builder, **weightless, **settings),
            settings=reference.settings,
        ),
        inputs=default_inputs(builder, settings),
        notes=operator_notes(),
    )


def entries() -> tuple[ModelEntry, ...]:
    """Every registered name, with the parameters of its published weights."""
    models = library("torchvision.models", "the list of torchvision's models")
    return tuple(
        ModelEntry(
            name=name,
            source="torchvision",
            family=_family(models.get_model_builder(name)),
            parameters=_published_parameters(models, name),
        )
        for name in models.list_models()
    )


def _family(builder: Callable[..., Any]) -> str:
    """The module that holds the builder, with its task: `resnet`, `detection.ssd`."""
    return builder.__module__.removeprefix("torchvision.models.")


def _published_parameters(models: Any, name: str) -> int | None:
    weights = list(models.get_model_weights(name))
    return weights[0].meta.get("num_params") if weights else None
