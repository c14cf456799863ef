"""Compound scaling: depth, width and resolution together, to about twice the work.

Source: Tan, Le 2019, EfficientNet, arXiv:1905.11946, equation 3 and Section 4: α·β²·γ² ≈ 2 with
α, β, γ ≥ 1, searched on a small grid from the baseline B0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnninspect.commands.scale.report import CompoundGrid, GridPoint
from cnninspect.errors import BadOption, CannotScale
from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.records.models import ModelInfo
from cnninspect.sources import zoo
from cnninspect.sources.registry import reference_of
from cnninspect.sources.rewriting import with_setting
from cnninspect.store.cache import Memory
from cnninspect.store.survey import Progress, survey
from cnninspect.store.tasks import Task

TARGET = 2.0
PUBLISHED = (1.2, 1.1, 1.15)
"""α, β, γ that the authors chose by accuracy."""
SETTINGS = ("depth", "width", "resolution")
ALL = "depth, width and resolution"
"""The same in words."""
STEPS = 20
"""Steps of the grid in 1; of 0.05, as the published values have it."""


def compound_grid(
    model: str,
    *,
    tolerance: float = 0.1,
    jobs: int | None = None,
    memory: Memory | None = None,
    progress: Progress | None = None,
) -> CompoundGrid:
    """Every α, β, γ on the grid whose α·β²·γ² is within `tolerance` of 2, with its cost.

    Raises:
        CannotScale: the network has no settings for depth, width and resolution.
        BadOption: the tolerance is not above 0 and at most 1.
        Failure: the network itself cannot be measured.
    """
    if not 0 < tolerance <= 1:
        raise BadOption("--tolerance", tolerance, "above 0 and at most 1")
    depth, width, resolution = _own_sizes(model)
    grid = list(_grid(tolerance))
    sizes = [(depth * a, width * b, round(resolution * c)) for a, b, c in grid]
    tasks = [Task(model), *(Task(_scaled(model, size)) for size in sizes)]
    outcomes = survey(tasks, jobs=jobs, memory=memory, progress=progress)
    base, *others = outcomes
    if isinstance(base, Unmeasured):
        raise CannotScale(model, ALL, base.error, base.hint)
    points = [
        _point(abc, size, figures, base)
        for abc, size, figures in zip(grid, sizes, others)
        if isinstance(figures, Figures)
    ]
    points.sort(key=lambda p: (abs(p.ratio - TARGET), p.alpha, p.beta, p.gamma))
    return CompoundGrid(
        model=ModelInfo(base.model.reference, base.model.source, base.model.name),
        parameters=base.totals.parameters,
        macs=base.totals.macs,
        target=TARGET,
        tolerance=tolerance,
        points=tuple(points),
        notes=tuple(memory.notes) if memory else (),
    )


def _own_sizes(model: str) -> tuple[float, float, int]:
    reference = reference_of(model)
    hint = "cnninspect scale efficientnet_b0 --grid"
    if reference.source != "zoo":
        raise CannotScale(model, ALL, "the grid is for networks of the zoo", hint)
    arguments: dict[str, Any] = dict(zoo.arguments_of(reference))
    depth, width, resolution = (arguments.get(name) for name in SETTINGS)
    if not isinstance(depth, float) or not isinstance(width, float) or resolution is None:
        # A depth of 40 layers is no multiplier.
        values = {"depth": isinstance(depth, float), "width": isinstance(width, float)}
        missing = [name for name, is_there in values.items() if not is_there]
        problem = f"it has no setting that multiplies its {' or its '.join(missing)}"
        raise CannotScale(model, ALL, problem if missing else "it has no resolution", hint)
    return depth, width, int(resolution)


def _grid(tolerance: float) -> Iterator[tuple[float, float, float]]:
    """α, β, γ from 1 on in steps of 0.05."""
    most = round(STEPS * (TARGET + tolerance)) + 1
    for i in range(STEPS, most):
        for j in range(STEPS, most):
            for k in range(STEPS, most):
                a, b, c = i / STEPS, j / STEPS, k / STEPS
                if abs(a * b * b * c * c - TARGET) <= tolerance:
                    yield a, b, c


def _scaled(model: str, size: tuple[float, float, int]) -> str:
    text = model
    for name, value in zip(SETTINGS, size):
        text = with_setting(text, name, f"{value:.6g}")
    return text


def _point(
    abc: tuple[float, float, float],
    size: tuple[float, float, int],
    figures: Figures,
    base: Figures,
) -> GridPoint:
    a, b, c = abc
    return GridPoint(
        alpha=a,
        beta=b,
        gamma=c,
        product=a * b * b * c * c,
        resolution=size[2],
        parameters=figures.totals.parameters,
        macs=figures.totals.macs,
        ratio=figures.totals.macs / base.totals.macs,
        published=abc == PUBLISHED,
    )
