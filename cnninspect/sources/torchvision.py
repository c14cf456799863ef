"""torchvision's models by name, from their architecture alone: `torchvision:resnet50`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cnninspect.errors import BadReference, UnknownModel
from cnninspect.records.models import (
    Accuracy,
    InputRequest,
    LoadedModel,
    ModelEntry,
    ModelInfo,
    Reference,
)
from cnninspect.sources.construction import construct
from cnninspect.sources.keywords import keyword_arguments
from cnninspect.sources.libraries import library
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


FRAMES = 16
"""Frames of a clip, as torchvision counts the operations of its video models with."""
SEGMENTATION = (520, 520)
"""The size that its segmentation weights were made for."""
OPTICAL_FLOW = (512, 512)
"""The size that it counts the operations of its optical flow models with."""
DETECTION = (800, 800)
"""The size that its detection models bring pictures to, unless their name says otherwise."""
NAMED_SIZES = {"ssd300": (300, 300), "320": (320, 320), "keypointrcnn": (1333, 1333)}
"""Sizes of detection models by what their name contains."""
CLASSIFICATION = (224, 224)
"""The size of pictures where no weights are published."""
SIZE_SETTINGS = ("image_size", "input_size", "spatial_size")
"""Settings of builders that fix the size of the input."""


def default_inputs(
    builder: Callable[..., Any], settings: Mapping[str, Any]
) -> tuple[InputRequest, ...]:
    """The inputs of the model that `builder` makes with these settings, in the order of `forward`.

    Detection models get their batch of pictures as one tensor, which they take apart themselves.
    """
    task = builder.__module__.removeprefix("torchvision.models.").partition(".")[0]
    if task == "optical_flow":
        return tuple(
            InputRequest((1, 3, *OPTICAL_FLOW), name=name) for name in ("image1", "image2")
        )
    if task == "segmentation":
        return (InputRequest((1, 3, *SEGMENTATION)),)
    if task == "detection":
        sizes = (size for part, size in NAMED_SIZES.items() if part in builder.__name__)
        return (InputRequest((1, 3, *next(sizes, DETECTION))),)
    size = next((_pair(settings[key]) for key in SIZE_SETTINGS if key in settings), None)
    size = size or _published_size(builder)
    if task == "video":
        return (InputRequest((1, 3, settings.get("temporal_size", FRAMES), *size)),)
    return (InputRequest((1, 3, *size)),)


def _published_size(builder: Callable[..., Any]) -> tuple[int, ...]:
    """The smallest size that published weights were tested with.

    Larger ones belong to weights that were tuned further, and that need settings of their own.
    """
    from torchvision.models import get_model_weights

    sizes = [
        _pair(weights.transforms.keywords["crop_size"])
        for weights in get_model_weights(builder)
        if "crop_size" in getattr(weights.transforms, "keywords", {})
    ]
    return min(sizes, default=CLASSIFICATION)


def _pair(size: Any) -> tuple[int, ...]:
    sizes = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    return sizes * 2 if len(sizes) == 1 else sizes


METRICS = "ImageNet-1K"


def published_accuracy(name: str, size: tuple[int, ...]) -> Accuracy | None:
    """The best one of the weights that were tested at this height and width; None: there is none.

    Weights for other sizes belong to other numbers of MACs.  Source: the metadata of
    `torchvision.models.get_model_weights(name)`.
    """
    models = library("torchvision.models", "the accuracy of torchvision's models")
    found = [
        Accuracy(metrics["acc@1"], metrics.get("acc@5"), weights.name, "torchvision")
        for weights in models.get_model_weights(name.lower())
        if _tested_at(weights) == tuple(size)
        for metrics in [weights.meta.get("_metrics", {}).get(METRICS, {})]
        if "acc@1" in metrics
    ]
    return max(found, key=lambda accuracy: accuracy.top1, default=None)


def _tested_at(weights: Any) -> tuple[int, ...]:
    keywords = getattr(weights.transforms, "keywords", {})
    crop = keywords.get("crop_size", ())
    sizes = tuple(crop) if isinstance(crop, (tuple, list)) else (crop,)
    return sizes * 2 if len(sizes) == 1 else sizes
