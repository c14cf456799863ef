"""One function for each question: what notebooks and the command line both call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.errors import UnknownChoice
from cnninspect.records.models import LoadedModel, ModelInfo

if TYPE_CHECKING:
    from torch import nn

    from cnninspect.records.explanation import Explanation
    from cnninspect.records.listing import Listing
    from cnninspect.records.summary import Summary
    from cnninspect.records.traces import Trace

Model = Union[str, "nn.Module", "Trace"]
"""A reference, a live module, or a trace that was made before."""

MODES = ("eval", "train")


def trace(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
) -> Trace:
    """Run a model without computing, and write down every layer and every call.

    `inputs` are the positional arguments of `forward`: tensors, shapes as tuples of integers, or
    whatever else it takes; a single tensor may stand by itself.  None: the model's own default.  A
    live module is left exactly as it was.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.records.traces import Trace

    if isinstance(model, Trace):
        return model
    if mode not in MODES:
        raise UnknownChoice("mode", mode, MODES)
    from cnninspect.engine.tracing import trace as run

    return run(load(model), as_arguments(inputs), kwargs=kwargs, mode=mode, batch=batch)


def summarize(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    convention: str = "macs",
) -> Summary:
    """A model layer by layer: shapes, parameters, MACs, and the totals.

    `convention` names the rules for `report.convention.total`; `report.totals.macs` always stays
    the exact MACs.  The other arguments are those of `trace`.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses.summarizing import summarize_trace

    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch)
    return summarize_trace(traced, convention)


def explain(model: Model, layer: str, **options: Any) -> Explanation:
    """Where one layer's numbers come from: each formula with the numbers put into it.

    `options` are those of `trace`.

    Raises:
        UnknownLayer: the model has no layer of that path.
    """
    from cnninspect.analyses.explaining import explain_layer
    from cnninspect.analyses.summarizing import summarize_trace

    traced = trace(model, **options)
    return explain_layer(traced, summarize_trace(traced, "macs"), layer)


def models(pattern: str = "*", *, source: str | None = None, family: str | None = None) -> Listing:
    """What can be named, without importing torch.

    `pattern` is matched against names as a shell does, and otherwise as a part of them.

    Raises:
        UnknownChoice: there is no such source or family.
    """
    from cnninspect.sources.listing import list_models

    return list_models(pattern, source=source, family=family)


def load(model: Union[str, nn.Module]) -> LoadedModel:
    """What a reference names, or a live module as a model that must not change."""
    if isinstance(model, str):
        from cnninspect.sources.registry import load as load_reference

        return load_reference(model)
    name = type(model).__name__
    return LoadedModel(ModelInfo(name, "module", name), lambda: model, live=True)


def as_arguments(inputs: Any) -> Sequence[Any] | None:
    """The positional arguments of `forward`, with each shape turned into a request for a tensor."""
    from cnninspect.records.models import InputRequest

    if inputs is None:
        return None
    if is_shape(inputs) or not isinstance(inputs, (list, tuple)):
        inputs = (inputs,)
    return tuple(InputRequest(tuple(i), batched=True) if is_shape(i) else i for i in inputs)


def is_shape(value: Any) -> bool:
    """Whether this is a tensor's shape: a tuple or list of whole numbers."""
    return (
        isinstance(value, (tuple, list))
        and len(value) > 0
        and all(isinstance(size, int) and not isinstance(size, bool) for size in value)
    )
