"""How networks grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Union

from cnninspect.sources.open import as_arguments, load

if TYPE_CHECKING:
    from torch import nn

    from cnninspect.commands.scale.report import CompoundGrid, Scaling


def scale(
    model: Union[str, nn.Module],
    inputs: Any = None,
    *,
    over: str = "resolution",
    sizes: Sequence[Union[int, float, Fraction]] = (),
    batch: int = 1,
    mode: str = "eval",
) -> Scaling:
    """How a network grows over its resolution, batch, width, depth, sequence, or a setting.

    It is run at several sizes, and exact polynomials are fitted to what is counted, which further
    sizes must confirm.  Without `sizes`, they are chosen so that layers round nothing.

    Raises:
        CannotScale: it has no such size, or does not tell.
    """
    from cnninspect.commands.scale.measuring import scale as run

    return run(
        model if isinstance(model, str) else load(model),
        as_arguments(inputs),
        over=over,
        sizes=tuple(Fraction(size) for size in sizes),
        batch=batch,
        mode=mode,
    )


def scale_grid(
    model: str,
    *,
    tolerance: float = 0.1,
    jobs: int | None = 1,
    remember: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> CompoundGrid:
    """Every α, β, γ for depth, width and resolution with α·β²·γ² ≈ 2, and what it costs.

    For networks with settings of these names, such as `efficientnet_b0`.

    Raises:
        CannotScale: the network has no such settings.
    """
    from cnninspect.commands.scale.sizes import compound_grid
    from cnninspect.store.cache import Memory

    memory = Memory() if remember else None
    return compound_grid(model, tolerance=tolerance, jobs=jobs, memory=memory, progress=progress)
