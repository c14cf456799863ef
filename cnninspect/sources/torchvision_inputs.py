"""What torchvision's models take: by their task, and by the sizes of their published weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cnninspect.records.models import InputRequest

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
