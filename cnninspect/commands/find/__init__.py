"""Every known architecture that fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnninspect.sources.open import as_arguments

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnninspect.commands.find.report import Finding
    from cnninspect.store.survey import MeasuringOptions


def find(
    pattern: str = "*",
    inputs: Any = None,
    *,
    sources: Sequence[str] = ("zoo",),
    axes: Sequence[str] = ("parameters", "macs", "accuracy"),
    baseline: str | None = None,
    remember: bool = True,
    **options: Unpack[MeasuringOptions],
) -> Finding:
    """Every architecture of these sources that keeps the limits, the Pareto frontier first.

    `pattern` is matched against names as in a shell, and otherwise as a part of them.  The
    frontier is of those `axes` that something is known of.  `options` are those of `compare`.

    Raises:
        UnknownChoice: there is no such source or axis.
        UnknownModel: no name matches.
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    from cnninspect.commands.find.measuring import find_models

    return find_models(
        pattern,
        sources=sources,
        axes=axes,
        baseline=baseline,
        remember=remember,
        arguments=as_arguments(inputs),
        **options,
    )
