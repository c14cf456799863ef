"""Networks side by side, and those among many that keep limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.api.loading import Model, as_arguments, as_subject, several

if TYPE_CHECKING:
    from cnninspect.records.comparison import Comparison, Finding


def compare(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    baseline: Model | None = None,
    remember: bool = False,
    **options: Any,
) -> Comparison:
    """Models side by side, with their ratios to the baseline, which is the first unless named.

    `options` are limits, such as `max_params="25M"` or `min_macs=10**9`; `kwargs`, `batch`, `mode`
    and `convention`, as for `summarize`; `dtype`, for bytes as if parameters were stored so; and
    `jobs`, the processes that measure references, 1 unless given.  `remember` keeps what is
    measured of named architectures in the user's cache folder.  A model that fails is in `failed`.

    Raises:
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    from cnninspect.surveys.panel import compare_models

    subjects = [as_subject(model) for model in several(models)]
    first = None if baseline is None else as_subject(baseline)
    given = as_arguments(inputs)
    return compare_models(subjects, first, remember=remember, arguments=given, **options)


def find(
    pattern: str = "*",
    inputs: Any = None,
    *,
    sources: Sequence[str] = ("zoo",),
    axes: Sequence[str] = ("parameters", "macs", "accuracy"),
    baseline: str | None = None,
    remember: bool = True,
    **options: Any,
) -> Finding:
    """Every architecture of these sources that keeps the limits, the Pareto frontier first.

    `pattern` is matched against names as in a shell, and otherwise as a part of them.  The
    frontier is of those `axes` that something is known of.  `options` are those of `compare`.

    Raises:
        UnknownChoice: there is no such source or axis.
        UnknownModel: no name matches.
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    from cnninspect.surveys.panel import find_models

    return find_models(
        pattern,
        sources=sources,
        axes=axes,
        baseline=baseline,
        remember=remember,
        arguments=as_arguments(inputs),
        **options,
    )
