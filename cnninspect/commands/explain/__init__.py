"""Where the numbers of one layer come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnninspect.sources.open import Model, trace

if TYPE_CHECKING:
    from cnninspect.commands.explain.report import Explanation


def explain(model: Model, layer: str, **options: Any) -> Explanation:
    """Where one layer's numbers come from: each formula with the numbers put into it.

    `options` are those of `trace`.

    Raises:
        UnknownLayer: the model has no layer of that path.
    """
    from cnninspect.commands.explain.analysis import explain_layer
    from cnninspect.metrics.summarizing import summarize_trace, with_receptive_fields

    traced = trace(model, **options)
    summary = with_receptive_fields(summarize_trace(traced, "macs"), traced)
    return explain_layer(traced, summary, layer)
