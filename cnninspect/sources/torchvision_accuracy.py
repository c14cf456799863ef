"""The accuracy that torchvision publishes with the trained weights of its classifiers."""

from __future__ import annotations

from typing import Any

from cnninspect.records.comparison import Accuracy
from cnninspect.sources.libraries import library

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
