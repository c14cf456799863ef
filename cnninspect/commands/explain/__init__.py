"""Where the numbers of one layer come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cnninspect.sources.open import Model, trace

if TYPE_CHECKING:
    from os import PathLike

    from cnninspect.commands.explain.report import Explanation


def explain(
    model: Model,
    layer: str,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
    backward: bool = False,
) -> Explanation:
    """Where one layer's numbers come from: each formula with the numbers put into it.

    With `backward`, also how gradients go back through it, with a small example worked out.  The
    other arguments after `layer` are those of `trace`.

    Raises:
        UnknownLayer: the model has no layer of that path.
    """
    from cnninspect.commands.explain.report import explain_layer
    from cnninspect.metrics.receptive_field import with_receptive_fields
    from cnninspect.metrics.summarizing import summarize_trace

    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch, weights=weights)
    summary = with_receptive_fields(summarize_trace(traced, "macs"), traced)
    explanation = explain_layer(traced, summary, layer)
    if not backward:
        return explanation
    from dataclasses import replace

    from cnninspect.commands.explain.backward import backward_of

    rules, without = backward_of(traced, layer)
    return replace(explanation, backward=rules, without_rule=without)
