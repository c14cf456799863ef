"""How many gradient paths have which length, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cnninspect.commands.gradients.paths_rendering import total_of
from cnninspect.commands.gradients.report import ModelPaths, PathProfile
from cnninspect.page.plots import TWO, in_style, line_style, literal_text, new_figure, written


@in_style
def picture(report: PathProfile, format: str) -> bytes:  # noqa: A002
    """The share of a model's gradient paths at each length, in weighted layers.

    Where gradients were measured, also that of one path, and of all of a length together.

    Source: Veit, Wilber, Belongie 2016, Residual networks behave like ensembles of relatively
    shallow networks, Figure 6.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    measured = [model for model in report.models if model.gradients]
    figure, (axes, *others) = new_figure(3, inches=TWO) if measured else new_figure()
    if measured:
        _draw_gradients(others, measured)
    for number, model in enumerate(report.models):
        total = sum(group.paths for group in model.path_lengths)
        if not total:
            continue
        lengths = [group.length for group in model.path_lengths]
        # Counts of paths may be larger than any float: the quotient of integers is not.
        shares = [100 * group.paths / total for group in model.path_lengths]
        mean = sum(group.length * group.paths for group in model.path_lengths) / total
        exponent = math.log10(total)
        count = f"{total:,}" if total < 10**6 else f"10^{exponent:.1f}"
        name = literal_text(model.model.name)
        label = f"{name}: {count} paths, {mean:.1f} layers on average"
        axes.plot(lengths, shares, marker="o", markersize=3, label=label, **line_style(number))
    axes.set_xlabel("weighted layers on the path")
    axes.set_ylabel("% of the paths")
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", fontsize=9, ncols=1)
    return written(figure, format)


def _draw_gradients(axes: Sequence[Any], models: Sequence[ModelPaths]) -> None:
    """The gradient along one path, on a logarithmic axis, and the share of each length in all."""
    one, every = axes
    for number, model in enumerate(models):
        style = {**line_style(number), "marker": "o", "markersize": 3}
        places = [each.branches for each in model.gradients]
        norms = [each.norm if each.norm > 0 else math.nan for each in model.gradients]
        totals = [total_of(each) for each in model.gradients]
        shares = [100 * total / (sum(totals) or 1.0) for total in totals]
        one.plot(places, norms, **style)
        every.plot(places, shares, **style)
    one.set_yscale("log")
    one.set_ylabel("gradient along one path, L2 norm")
    every.set_ylabel("% of the gradients of all paths")
    every.set_ylim(bottom=0)
    for axis in axes:
        axis.set_xlabel("residual branches on the path")
