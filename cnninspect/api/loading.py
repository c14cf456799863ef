"""What may stand for a model: references, live modules and files; and its trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Union

from cnninspect.errors import NeedsModules, UnknownChoice
from cnninspect.records.models import GraphFile, LoadedModel, ModelInfo

if TYPE_CHECKING:
    from os import PathLike

    from torch import nn

    from cnninspect.records.checkpoint import Checkpoint
    from cnninspect.records.listing import Listing
    from cnninspect.records.traces import Trace

Model = Union[str, "nn.Module", "Trace"]
"""A reference, a live module, or a trace that was made before."""

MODES = ("eval", "train")


def several(models: Union[Model, Sequence[Model]]) -> tuple[Model, ...]:
    """One model or more as a tuple."""
    if isinstance(models, (list, tuple)):
        return tuple(models)
    return (models,)  # type: ignore[return-value]


def with_head(model: Model, classes: int | None) -> Model:
    """The reference with a last layer for so many classes; None: the model as it is.

    Raises:
        BadOption: it is no reference, or there cannot be so many.
        BadReference: the reference says already how many.
    """
    if classes is None:
        return model
    from cnninspect.errors import BadOption
    from cnninspect.sources import rewriting

    if not isinstance(model, str):
        raise BadOption("head", classes, "left out for a live module: give it a head of its own")
    return rewriting.with_head(model, classes)


def weights_table(model: Model) -> Checkpoint | None:
    """The tensors of the file of weights that a reference names; None: it is no such file."""
    if not isinstance(model, str):
        return None
    from cnninspect.sources.registry import reference_of
    from cnninspect.surveys.measuring import weights_of

    return weights_of(reference_of(model))


def as_subject(model: Model) -> Union[str, LoadedModel, GraphFile, Trace]:
    """A reference or a trace as it is, a live module as a model that must not change."""
    from cnninspect.records.traces import Trace

    return model if isinstance(model, (str, Trace)) else network(model, "a comparison")


def network(model: Model, needed_for: str) -> LoadedModel:
    """What a reference names, if it has modules, or a live module as a model that must not change.

    Raises:
        NeedsModules: it is a file that holds a graph, or a trace.
    """
    from cnninspect.records.traces import Trace

    if isinstance(model, Trace):
        raise NeedsModules(model.model.reference, "a trace", needed_for)
    loaded = load(model)
    if isinstance(loaded, GraphFile):
        raise NeedsModules(loaded.info.reference, "the graph in a file", needed_for)
    return loaded


def load(model: Union[str, nn.Module]) -> Union[LoadedModel, GraphFile]:
    """What a reference names, or a live module as a model that must not change."""
    if isinstance(model, str):
        from cnninspect.sources.registry import load as load_reference

        return load_reference(model)
    name = type(model).__name__
    return LoadedModel(ModelInfo(name, "module", name), lambda: model, live=True)


def as_arguments(inputs: Any) -> Sequence[Any] | None:
    """The positional arguments of `forward`, with each shape turned into a request for a tensor.

    A list of shapes among them becomes a list of tensors, which have no batch of their own.
    """
    from cnninspect.records.models import InputRequest

    if inputs is None:
        return None
    if is_shape(inputs) or not isinstance(inputs, (list, tuple)):
        inputs = (inputs,)

    def requested(value: Any, *, batch_dim: int | None = 0) -> Any:
        if is_shape(value):
            return InputRequest(tuple(value), batch_dim=batch_dim)
        if isinstance(value, (list, tuple)) and value and all(is_shape(item) for item in value):
            return [requested(item, batch_dim=None) for item in value]
        return value

    return tuple(requested(value) for value in inputs)


def is_shape(value: Any) -> bool:
    """Whether this is a tensor's shape: a tuple or list of whole numbers."""
    return (
        isinstance(value, (tuple, list))
        and len(value) > 0
        and all(isinstance(size, int) and not isinstance(size, bool) for size in value)
    )


def models(pattern: str = "*", *, source: str | None = None, family: str | None = None) -> Listing:
    """What can be named, without importing torch.

    `pattern` is matched against names as a shell does, and otherwise as a part of them.

    Raises:
        UnknownChoice: there is no such source or family.
    """
    from cnninspect.sources.listing import list_models

    return list_models(pattern, source=source, family=family)


def trace(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
) -> Trace:
    """Run a model without computing, and write down every layer and every call.

    `inputs` are the positional arguments of `forward`: tensors, shapes as tuples of integers, lists
    of shapes, or whatever else it takes; a single tensor may stand by itself, and a dictionary may
    hold the arguments by name.  None: the model's own default.  A live module is left exactly as it
    was.  `weights` is a file of safetensors or torch.save, which
    has to fit the model.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.records.traces import Trace

    if isinstance(model, Trace):
        return model
    if mode not in MODES:
        raise UnknownChoice("mode", mode, MODES)
    from cnninspect.engine.dispatching import trace as run
    from cnninspect.sources.network import no_network

    loaded = load(model)
    with no_network() if isinstance(model, str) else nullcontext():
        return run(
            loaded,
            as_arguments(inputs),
            kwargs=kwargs,
            mode=mode,
            batch=batch,
            weights=weights,
        )
