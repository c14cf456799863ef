"""Networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.sources.open import Model, as_arguments, as_subject, several

if TYPE_CHECKING:
    from cnninspect.commands.compare.report import Comparison


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
    from cnninspect.commands.compare.measuring import compare_models

    subjects = [as_subject(model) for model in several(models)]
    first = None if baseline is None else as_subject(baseline)
    given = as_arguments(inputs)
    return compare_models(subjects, first, remember=remember, arguments=given, **options)
