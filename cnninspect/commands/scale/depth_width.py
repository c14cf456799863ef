"""Every depth with every width of a family, and what each costs: as in the paper on wide ResNets.

Source: Zagoruyko, Komodakis 2016, arXiv:1605.07146, table 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from cnninspect.commands.scale.report import DepthWidthGrid, DepthWidthPoint, PublishedError
from cnninspect.errors import BadOption, CannotScale
from cnninspect.metrics.figures import Figures
from cnninspect.records.models import ModelInfo
from cnninspect.sources import zoo
from cnninspect.sources.registry import reference_of, with_setting
from cnninspect.store.cache import Memory
from cnninspect.store.survey import Progress, survey
from cnninspect.store.tasks import Task

TABLE_4 = "Zagoruyko, Komodakis 2016, arXiv:1605.07146, table 4 (ZCA whitening)"
WIDE_RESNETS: dict[tuple[int, int], tuple[tuple[str, float], ...]] = {
    (40, 1): (("CIFAR-10", 6.85), ("CIFAR-100", 30.89)),
    (40, 2): (("CIFAR-10", 5.33), ("CIFAR-100", 26.04)),
    (40, 4): (("CIFAR-10", 4.97), ("CIFAR-100", 22.89)),
    (40, 8): (("CIFAR-10", 4.66),),
    (28, 10): (("CIFAR-10", 4.17), ("CIFAR-100", 20.50)),
    (28, 12): (("CIFAR-10", 4.33), ("CIFAR-100", 20.43)),
    (22, 8): (("CIFAR-10", 4.38), ("CIFAR-100", 21.22)),
    (22, 10): (("CIFAR-10", 4.44), ("CIFAR-100", 20.75)),
    (16, 8): (("CIFAR-10", 4.81), ("CIFAR-100", 22.07)),
    (16, 10): (("CIFAR-10", 4.56), ("CIFAR-100", 21.59)),
}
"""Test errors in percent, by depth and width."""
PUBLISHED = {"wide_resnet": (TABLE_4, WIDE_RESNETS)}
"""By family, with their source."""


def has_depth_and_width(model: str) -> bool:
    """Whether a reference is of a family with a number of layers and a width as settings."""
    reference = reference_of(model)
    if reference.source != "zoo":
        return False
    arguments: dict[str, Any] = dict(zoo.arguments_of(reference))
    depth, width = arguments.get("depth"), arguments.get("width")
    return type(depth) is int and type(width) in (int, float)


def depth_width_grid(
    model: str,
    *,
    depths: Sequence[Fraction] = (),
    widths: Sequence[Fraction] = (),
    jobs: int | None = None,
    memory: Memory | None = None,
    progress: Progress | None = None,
) -> DepthWidthGrid:
    """A network at every depth with every width; without them, at those that its family names.

    A depth that the family cannot have is left out, with a note.

    Raises:
        CannotScale: the network has no such settings, or can have none of these sizes.
        BadOption: a size is not above 0, or no whole number where one is needed.
    """
    if not has_depth_and_width(model):
        raise CannotScale(
            model, "depth and width", "it has no such settings", "cnninspect scale wrn28_10 --grid"
        )
    reference = reference_of(model)
    family, own = zoo.family_and_arguments(reference)
    named = [{**own, **variant.arguments} for variant in family.variants]
    whole = type(own["width"]) is int
    across = _sizes("--widths", widths, whole=whole) or _named(named, "width")
    down = _sizes("--depths", depths, whole=True) or _named(named, "depth")
    pairs = [(depth, width) for depth in down for width in across]
    references = [
        with_setting(with_setting(model, "depth", depth), "width", width) for depth, width in pairs
    ]
    outcomes = survey([Task(r) for r in references], jobs=jobs, memory=memory, progress=progress)
    source, errors = PUBLISHED.get(family.name, ("", {}))
    plain = not set(dict(reference.settings)) - {"depth", "width"}  # else it is another network
    points, failed = [], {}
    for (depth, width), outcome in zip(pairs, outcomes):
        if not isinstance(outcome, Figures):
            failed[depth, width] = outcome.error
            continue
        published = errors.get((int(depth), int(width)), ()) if plain and width % 1 == 0 else ()
        points.append(
            DepthWidthPoint(
                depth=int(depth),
                width=width,
                reference=outcome.model.reference,
                parameters=outcome.totals.parameters,
                macs=outcome.totals.macs,
                errors=tuple(PublishedError(data, value) for data, value in published),
                is_own=(depth, width) == (own["depth"], own["width"]),
            )
        )
    if not points:
        raise CannotScale(model, "depth and width", next(iter(failed.values())))
    return DepthWidthGrid(
        model=ModelInfo(model, "zoo", model),
        depths=tuple(int(depth) for depth in down),
        widths=tuple(across),
        points=tuple(points),
        source=source if any(point.errors for point in points) else "",
        notes=(*_failures(failed), *(memory.told() if memory else ())),
    )


def _named(named: Sequence[dict[str, Any]], setting: str) -> list[float]:
    return sorted({each[setting] for each in named})


def _sizes(option: str, typed: Sequence[Fraction], *, whole: bool) -> list[float]:
    found: list[float] = []
    for size in typed:
        if size <= 0 or (whole and size.denominator != 1):
            kind = "whole numbers" if whole else "numbers"
            raise BadOption(option, size, f"{kind} above 0")
        found.append(int(size) if size.denominator == 1 else float(size))
    return sorted(set(found))


def _failures(failed: dict[tuple[float, float], str]) -> tuple[str, ...]:
    """What could not be built, each reason once with the first depth and width."""
    reasons: dict[str, list[str]] = {}
    for (depth, width), error in failed.items():
        reasons.setdefault(error, []).append(f"{depth:g}-{width:g}")
    return tuple(f"left out: {', '.join(names)}: {error}" for error, names in reasons.items())
