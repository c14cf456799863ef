"""How networks grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Union

from cnninspect.sources.open import as_arguments, load

if TYPE_CHECKING:
    from torch import nn

    from cnninspect.commands.scale.report import CompoundGrid, DepthWidthGrid, Scaling


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
    depths: Sequence[Union[int, Fraction]] = (),
    widths: Sequence[Union[int, float, Fraction]] = (),
    jobs: int | None = 1,
    remember: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Union[CompoundGrid, DepthWidthGrid]:
    """Sizes of a network that go together, and what each costs.

    Where settings multiply depth, width and resolution, as those of `efficientnet_b0`: every α, β,
    γ with α·β²·γ² ≈ 2.  Where they are a number of layers and a width, as those of `wrn28_10`:
    every one of `depths` with every one of `widths`, by themselves those that the family names.

    Raises:
        CannotScale: the network has no such settings.
    """
    from cnninspect.commands.scale.depth_width import depth_width_grid, has_depth_and_width
    from cnninspect.commands.scale.sizes import compound_grid
    from cnninspect.store.cache import Memory

    measuring: dict[str, Any] = {
        "jobs": jobs,
        "memory": Memory() if remember else None,
        "progress": progress,
    }
    if depths or widths or has_depth_and_width(model):
        return depth_width_grid(
            model,
            depths=tuple(Fraction(depth) for depth in depths),
            widths=tuple(Fraction(width) for width in widths),
            **measuring,
        )
    return compound_grid(model, tolerance=tolerance, **measuring)
