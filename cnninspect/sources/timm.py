"""timm's models by name, from their architecture alone: `timm:convnext_tiny`."""

from __future__ import annotations

from functools import partial
from typing import Any

from cnninspect.errors import BadReference, UnknownModel
from cnninspect.records.models import InputRequest, LoadedModel, ModelEntry, ModelInfo, Reference
from cnninspect.sources.construction import construct
from cnninspect.sources.libraries import library
from cnninspect.sources.literals import literal

DOWNLOADS = (
    "pretrained",
    "checkpoint_path",
    "cache_dir",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
)
"""Arguments of `create_model` that have to do with weights."""
HINT = "cnninspect list --source timm shows every name"
IMAGE = (3, 224, 224)
"""The size of the input where timm gives none."""


def load(reference: Reference) -> LoadedModel:
    """The architecture that timm registers under this name, which may end in a weights' tag.

    Raises:
        MissingLibrary: timm is not installed.
        UnknownModel: it has no such name.
        BadReference: the name or a setting asks for weights.
    """
    timm = library("timm", f"the reference {reference.text}")
    if ":" in reference.name or "/" in reference.name:
        raise BadReference(
            reference.text, "a model of the hub would be downloaded; name an architecture of timm"
        )
    if not timm.is_model(reference.name.partition(".")[0]):
        raise UnknownModel(reference.name, timm.list_models(), "timm", hint=HINT)
    for key, _ in reference.settings:
        if key in DOWNLOADS:
            raise BadReference(reference.text, f"{key} is about weights, which are not used here")
    settings = {key: literal(text) for key, text in reference.settings}
    make = partial(timm.create_model, reference.name, pretrained=False, **settings)
    return LoadedModel(
        ModelInfo(reference.text, "timm", reference.text),
        lambda: construct(reference.text, make, settings=reference.settings),
        inputs=(InputRequest((1, *_input_size(timm, reference.name, settings))),),
    )


def entries() -> tuple[ModelEntry, ...]:
    """Every registered name."""
    timm = library("timm", "the list of timm's models")
    return tuple(
        ModelEntry(name=name, source="timm", family=_family(timm.model_entrypoint(name)))
        for name in timm.list_models()
    )


def _family(entrypoint: Any) -> str:
    return str(entrypoint.__module__).rpartition(".")[2]


def _input_size(timm: Any, name: str, settings: dict[str, Any]) -> tuple[int, ...]:
    """Channels, height and width: timm's own for this model, unless settings say otherwise."""
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    channels, *sizes = config.input_size if config is not None else IMAGE
    size = settings.get("img_size")
    if size is not None:
        sizes = list(size) if isinstance(size, (tuple, list)) else [size, size]
    return (settings.get("in_chans", channels), *sizes)
